-- What channels hold. It only reads.
-- ARGV: from 4 channels.
-- Returns two numbers for each channel: its entries now, and those ever added to its stream since that was made.
local CHANNELS = 4
local sizes = {}
for i = CHANNELS, #ARGV do
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
