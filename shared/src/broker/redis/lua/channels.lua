-- What channels hold. ARGV from 4: channels. Returns, for each, its entries now and those ever added to it, which its stream
-- counts as long as it lives.
local sizes = {}
for i = 4, #ARGV do
  local info = redis.pcall('XINFO', 'STREAM', P .. 'ch:' .. ARGV[i])
  local length, added = 0, 0
  for k = 1, #info, 2 do
    if info[k] == 'length' then length = info[k + 1] end
    if info[k] == 'entries-added' then added = info[k + 1] end
  end
  sizes[#sizes + 1] = length
  sizes[#sizes + 1] = added
end
return sizes
