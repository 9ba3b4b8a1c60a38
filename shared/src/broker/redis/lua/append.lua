-- Stores a batch of entries and announces each. All or nothing, in order.
-- ARGV: 4 writer ('' for none), 5 seq of the batch, 6 lease ('' unless the entries are adopted), 7 what begins the Redis channel of
-- an announcement, from 8 the batch, as `batch` reads it.
-- Returns { position of the first entry, token }, or { '0', token } for a batch that this writer has sent before.
-- Errors: LEASELOST, TOOMANYCHANNELS, UNUSABLE.
local writer, seq, lease, announce_prefix = ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7]
local BATCH = 8

if lease ~= '' and redis.call('GET', P .. 'adopter') ~= lease and redis.call('GET', P .. 'leaving') ~= lease then
  return redis.error_reply('LEASELOST this lease has ended')
end
local log = open()
if repeated(writer, seq) then return { '0', log.token } end

local channels, at = batch(BATCH, announce_prefix)
local first, refused = append(log, channels, at)
if refused then return refused end
remember(writer, seq)
return { int(first), log.token }
