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
  announce = function(channel, record)
    channel.wire = channel.wire or announce_prefix .. channel.name
    return redis.pcall('PUBLISH', channel.wire, record)
  end
else
  announce = function(channel, record)
    return redis.pcall('PUBLISH', P .. '#adopted', channel.name .. '\n' .. record)
  end
end

local channels, at = batch(9)
local first, refused = append(log, channels, at, tonumber(ARGV[8]), announce)
if refused then return refused end
remember(writer, seq)
return { int(first), log.token }
