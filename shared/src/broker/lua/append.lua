-- Appends a batch. ARGV from 4: writer ('' for none), seq, lease token ('' unless adopted), announce prefix, channel
-- limit, number of channels, then name, maxlen, ttl for each, then channel index, body for each entry.
-- Returns { first n, token }, or { '0', token } for a batch this writer has sent before.
local writer, seq, lease, announce_prefix = ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7]

if lease ~= '' and redis.call('GET', P .. 'adopter') ~= lease and redis.call('GET', P .. 'leaving') ~= lease then
  return redis.error_reply('LEASELOST another gateway adopts')
end
local log = open()
if writer ~= '' then
  local seen = tonumber(redis.call('GET', P .. 'writer:' .. writer) or '0')
  if seq <= seen then return { '0', log.token } end
end

local channels, at = {}, 10
for i = 1, tonumber(ARGV[9]) do
  channels[i] = { name = ARGV[at], key = P .. 'ch:' .. ARGV[at], maxlen = ARGV[at + 1], ttl = ARGV[at + 2] }
  at = at + 3
end
local entries = {}
while at < #ARGV do
  entries[#entries + 1] = { channel = tonumber(ARGV[at]), body = ARGV[at + 1] }
  at = at + 2
end

local announce
if lease == '' then
  announce = function(name, record) redis.call('PUBLISH', announce_prefix .. name, record) end
else
  announce = function(name, record) redis.call('PUBLISH', P .. '#adopted', name .. '\n' .. record) end
end

local first, refused = append(log, channels, entries, tonumber(ARGV[8]), announce)
if refused then return refused end
if writer ~= '' then redis.call('SET', P .. 'writer:' .. writer, int(seq), 'EX', 86400) end
return { int(first), log.token }
