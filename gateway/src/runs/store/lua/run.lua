-- One step of a run: its record and its entries, together or not at all.
-- ARGV: 4 step ('begin', 'append' or 'end'), 5 id of the run, 6 fencing token ('' for a gateway that does not own the run),
-- 7 what `renewed` must be ('' for anything), 8 writer ('' for none), 9 seq of the batch, 10 what begins the Redis channel of an
-- announcement, 11 the most channels that the log may have, 12 ms for which the record lives, 13 the most runs that are listed, 14 the
-- number of fields to set, from 15 name and value of each field, then the batch, as `batch` of log.lua reads it.
-- Keys: run:<id> (hash: state, token, renewed, started, ended and the fields), runs (sorted set: id -> started), running (set).
-- Returns 'ok', 'exists' (begin: another request has this id), 'fenced' (append: the run is not this gateway's any more), or
-- 'refused' (end: the run has ended, or was renewed since).
local step, id, token, guard, writer, seq = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
local announce_prefix, max_channels, ttl_ms, max_listed = ARGV[10], tonumber(ARGV[11]), ARGV[12], tonumber(ARGV[13])
local field_count, FIELDS = tonumber(ARGV[14]), 15
local KEY, RUNS, RUNNING = P .. 'run:' .. id, P .. 'runs', P .. 'running'
local log = open()
expect(KEY, 'hash')
expect(RUNS, 'zset')
expect(RUNNING, 'set')
local known = redis.call('HMGET', KEY, 'state', 'token', 'renewed')

if known[3] and not whole(known[3]) then return redis.error_reply('UNUSABLE ' .. KEY .. ': renewed is no number') end
if step == 'begin' then
  if known[1] then return known[2] == token and 'ok' or 'exists' end
elseif known[1] ~= 'running' or (token ~= '' and token ~= known[2]) or (guard ~= '' and guard ~= known[3]) then
  return step == 'append' and 'fenced' or 'refused'
end

local fields, at = {}, FIELDS
for i = 1, field_count * 2 do
  fields[i] = ARGV[at]
  at = at + 1
end
local channels
channels, at = batch(at, announce_prefix)

if at <= #ARGV and not repeated(writer, seq) then
  local _, refused = append(log, channels, at, max_channels)
  if refused then return refused end
  remember(writer, seq)
end

local ms = int(math.floor(now() / 1000))
if step == 'begin' then
  redis.call('HSET', KEY, 'state', 'running', 'token', token, 'started', ms)
  redis.call('ZADD', RUNS, ms, id)
  redis.call('ZREMRANGEBYRANK', RUNS, 0, -1 - max_listed)
  redis.call('SADD', RUNNING, id)
elseif step == 'end' then
  redis.call('HSET', KEY, 'ended', ms)
  redis.call('SREM', RUNNING, id)
end
if #fields > 0 then redis.call('HSET', KEY, unpack(fields)) end
redis.call('HINCRBY', KEY, 'renewed', 1)
redis.call('PEXPIRE', KEY, ttl_ms)
return 'ok'
