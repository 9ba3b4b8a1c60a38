-- One step of a run: its record and its entries together. ARGV from 4: step, run id, token ('' for none), guard on
-- `renewed` ('' for none), writer ('' for none), seq, announce prefix, channel limit, ttl of the record in ms, listed
-- runs at most, number of fields, then name, value for each, then the batch as log.lua reads it.
-- Keys: run:<id> (hash: state token renewed started ended and the fields), runs (zset id -> started), running (set).
-- Returns 'ok', 'exists' (begin), 'fenced' (append), 'refused' (end).
local step, id, token, guard, writer, seq = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
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

local fields, at = {}, 15
for i = 1, tonumber(ARGV[14]) * 2 do
  fields[i] = ARGV[at]
  at = at + 1
end
local channels
channels, at = batch(at)

if at <= #ARGV and not repeated(writer, seq) then
  local announce = function(channel, record) return redis.pcall('PUBLISH', ARGV[10] .. channel.name, record) end
  local _, refused = append(log, channels, at, tonumber(ARGV[11]), announce)
  if refused then return refused end
  remember(writer, seq)
end

local ms = int(math.floor(now() / 1000))
if step == 'begin' then
  redis.call('HSET', KEY, 'state', 'running', 'token', token, 'started', ms)
  redis.call('ZADD', RUNS, ms, id)
  redis.call('ZREMRANGEBYRANK', RUNS, 0, -1 - tonumber(ARGV[13]))
  redis.call('SADD', RUNNING, id)
elseif step == 'end' then
  redis.call('HSET', KEY, 'ended', ms)
  redis.call('SREM', RUNNING, id)
end
if #fields > 0 then redis.call('HSET', KEY, unpack(fields)) end
redis.call('HINCRBY', KEY, 'renewed', 1)
redis.call('PEXPIRE', KEY, ARGV[12])
return 'ok'
