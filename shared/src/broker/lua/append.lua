-- Appends a batch. ARGV from 4: writer ('' for none), seq, lease token ('' unless adopted), announce prefix, channel
-- limit, then the batch.
-- Returns { first n, token }, or { '0', token } for a batch this writer has sent before.
local writer, seq, lease, announce_prefix = ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7]

if lease ~= '' and redis.call('GET', P .. 'adopter') ~= lease and redis.call('GET', P .. 'leaving') ~= lease then
  return redis.error_reply('LEASELOST another gateway adopts')
end
local log = open()
if repeated(writer, seq) then return { '0', log.token } end

local announce
if lease == '' then
  announce = function(name, record) redis.call('PUBLISH', announce_prefix .. name, record) end
else
  announce = function(name, record) redis.call('PUBLISH', P .. '#adopted', name .. '\n' .. record) end
end

local channels, entries = batch(9)
local first, refused = append(log, channels, entries, tonumber(ARGV[8]), announce)
if refused then return refused end
remember(writer, seq)
return { int(first), log.token }
