-- One step of the gateway that applies the rules.
-- ARGV: 4 step ('begin', 'lead', 'commit', 'delivered' or 'resign'), 5 holder, 6 ms of the lease, then what each step says below.
-- Keys: rules (hash: seq, position, by (the holder that stored the newest step), dropped (what that step reported), renewed and
-- watched (ms)), rules:lease (the holder), rules:states and rules:firing (hashes: id of the alert -> JSON), rules:out:<destination>
-- (list of messages that wait, oldest first).
local step, holder, lease_ms = ARGV[4], ARGV[5], ARGV[6]
local RULES, LEASE, STATES, FIRING = P .. 'rules', P .. 'rules:lease', P .. 'rules:states', P .. 'rules:firing'
local log = open()
expect(RULES, 'hash')
expect(LEASE, 'string')
local ms = math.floor(now() / 1000)
local held = redis.call('GET', LEASE)

-- Rules begin with what is written after the first gateway that had them has started: a log of a day would be an avalanche of alerts.
if step == 'begin' then
  if not whole(redis.call('HGET', RULES, 'position')) then redis.call('HSET', RULES, 'position', int(log.n)) end
  return 'ok'
end

if step == 'resign' then
  if held == holder then redis.call('DEL', LEASE) end
  return 'ok'
end

-- 7 ms of a pause that counts. Returns '' if another holds the lease, or { seq, position, head, now, watched }.
if step == 'lead' then
  if held and held ~= holder then return '' end
  redis.call('SET', LEASE, holder, 'PX', lease_ms)
  local known = redis.call('HMGET', RULES, 'seq', 'position', 'renewed', 'watched')
  if not whole(known[2]) then redis.call('HSET', RULES, 'position', int(log.n)) end
  local paused = not whole(known[3]) or not whole(known[4]) or ms - tonumber(known[3]) > tonumber(ARGV[7])
  if paused then redis.call('HSET', RULES, 'watched', int(ms)) end
  redis.call('HSET', RULES, 'renewed', int(ms))
  return {
    int(whole(known[1]) or 0), whole(known[2]) and known[2] or int(log.n), int(log.n), int(ms),
    paused and int(ms) or known[4],
  }
end

if held ~= holder then return 'fenced' end

-- 7 destination, 8 number of messages.
if step == 'delivered' then
  local out = P .. 'rules:out:' .. ARGV[7]
  expect(out, 'list')
  redis.call('LTRIM', out, ARGV[8], -1)
  return 'ok'
end

-- 7 seq, 8 position, 9 what begins the Redis channel of an announcement, 10 the most channels of the log, 11 the most messages that
-- wait for a destination, 12 ms for which they are kept, 13 and 14 how many states and firing alerts have changed, 15 how many
-- messages there are, from 16 id and JSON ('' to remove it) of each state and each firing alert, destination and text of
-- each message, then the batch, as `batch` of log.lua reads it.
local seq, known = tonumber(ARGV[7]), redis.call('HMGET', RULES, 'seq', 'by', 'dropped')
local newest = whole(known[1]) or 0
-- The reply to this step was lost, and it has come again.
if newest == seq and known[2] == holder then return tonumber(known[3]) or 0 end
if newest ~= seq - 1 then return 'fenced' end
expect(STATES, 'hash')
expect(FIRING, 'hash')

local counts = { tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15]) }
local pairs_at = 16
local at = pairs_at + 2 * (counts[1] + counts[2] + counts[3])
for i = 0, counts[3] - 1 do expect(P .. 'rules:out:' .. ARGV[at - 2 * (counts[3] - i)], 'list') end

local channels
channels, at = batch(at, ARGV[9])
if at <= #ARGV then
  local _, refused = append(log, channels, at, tonumber(ARGV[10]))
  if refused then return refused end
end

at = pairs_at
for i, key in ipairs({ STATES, FIRING }) do
  for _ = 1, counts[i] do
    if ARGV[at + 1] == '' then redis.call('HDEL', key, ARGV[at]) else redis.call('HSET', key, ARGV[at], ARGV[at + 1]) end
    at = at + 2
  end
end
local dropped = 0
for _ = 1, counts[3] do
  local out = P .. 'rules:out:' .. ARGV[at]
  if redis.call('RPUSH', out, ARGV[at + 1]) > tonumber(ARGV[11]) then
    redis.call('LPOP', out)
    dropped = dropped + 1
  end
  redis.call('PEXPIRE', out, ARGV[12])
  at = at + 2
end
redis.call('HSET', RULES, 'seq', int(seq), 'position', ARGV[8], 'by', holder, 'dropped', dropped, 'renewed', int(ms))
redis.call('PEXPIRE', LEASE, lease_ms)
return dropped
