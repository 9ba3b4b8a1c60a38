-- One step of a run: its record and its entries, together or not at all.
-- ARGV: 4 step ('begin', 'append', 'decide' or 'end'), 5 key of the run (`<owner>/<id>`, or `<id>`), 6 fencing token ('' for a gateway that
-- does not run it), 7 the guard: what `renewed` must be ('' for anything), 8 writer ('' for none), 9 seq of the batch, 10 what begins
-- the Redis channel of an announcement, 11 ms for which the record lives, 12 the most runs that are listed of an owner, 13 the
-- owner ('' for nobody), 14 the most owners that are listed, 15 the title of the run's conversation, if this run begins it, 16 ms for
-- which a conversation's record lives, 17 the number of fields to set, from 18 name and value of each field, then the batch, as `batch` of log.lua reads it.
-- Keys: run:<key> (hash: state, token, renewed, started, ended and the fields), running (set of keys), runs:<owner> (sorted set:
-- key -> started; `runs` for nobody's, which a log from before runs had owners holds as well), run-owners (sorted set: owner ->
-- start of the newest run). Those of conversations are named in conversation.lua.
-- The first field of 'decide' is that of a call which waits for consent, as 'append' has set it: its value is 'open'.
-- Returns 'ok', 'exists' (begin: a run has this key, of the same request or of another one), 'fenced' (append: the run is not this
-- gateway's any more), 'refused' (end: the run has ended, or was renewed since; decide: it has ended), 'unknown' or 'decided' (decide:
-- nothing waits under this name, or does not any more).
local step, key, token, guard, writer, seq = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
local announce_prefix, ttl_ms, max_listed = ARGV[10], ARGV[11], tonumber(ARGV[12])
local owner, max_owners, title, conversation_ms = ARGV[13], tonumber(ARGV[14]), ARGV[15], ARGV[16]
local field_count, FIELDS = tonumber(ARGV[17]), 18
local KEY, RUNNING, OWNERS = P .. 'run:' .. key, P .. 'running', P .. 'run-owners'
local RUNS = P .. 'runs' .. (owner ~= '' and ':' .. owner or '')
local log = open()
expect(KEY, 'hash')
expect(RUNS, 'zset')
expect(RUNNING, 'set')
expect(OWNERS, 'zset')
local known = redis.call('HMGET', KEY, 'state', 'token', 'renewed', 'conversation')

if known[3] and not whole(known[3]) then return redis.error_reply('UNUSABLE ' .. KEY .. ': renewed is no number') end
if step == 'begin' then
  if known[1] then return known[2] == token and 'ok' or 'exists' end
elseif known[1] ~= 'running' or (token ~= '' and token ~= known[2]) or (guard ~= '' and guard ~= known[3]) then
  return step == 'append' and 'fenced' or 'refused'
end

if step == 'decide' then
  local waits = redis.call('HGET', KEY, ARGV[FIELDS])
  if waits ~= 'open' then return waits and 'decided' or 'unknown' end
end

local fields, at, value = {}, FIELDS, {}
for i = 1, field_count * 2 do
  fields[i] = ARGV[at]
  if i % 2 == 0 then value[fields[i - 1]] = fields[i] end
  at = at + 1
end

local id = step == 'begin' and value.conversation or step == 'end' and known[4]
local conversation = id and (owner ~= '' and owner .. '/' or '') .. id
local TALK, TALK_RUNS = P .. 'conversation:' .. (conversation or ''), P .. 'conversation-runs:' .. (conversation or '')
local TALKS = P .. 'conversations' .. (owner ~= '' and ':' .. owner or '')
if conversation then
  expect(TALK, 'hash')
  expect(TALK_RUNS, 'zset')
  expect(TALKS, 'zset')
end

local channels
channels, at = batch(at, announce_prefix)

if at <= #ARGV and not repeated(writer, seq) then
  local _, refused = append(log, channels, at)
  if refused then return refused end
  remember(writer, seq)
end

local ms = int(math.floor(now() / 1000))
if step == 'begin' then
  redis.call('HSET', KEY, 'state', 'running', 'token', token, 'started', ms)
  redis.call('ZADD', RUNS, ms, key)
  redis.call('ZREMRANGEBYRANK', RUNS, 0, -1 - max_listed)
  redis.call('SADD', RUNNING, key)
  if owner ~= '' then
    redis.call('ZADD', OWNERS, ms, owner)
    redis.call('ZREMRANGEBYRANK', OWNERS, 0, -1 - max_owners)
  end
elseif step == 'end' then
  redis.call('HSET', KEY, 'ended', ms)
  redis.call('SREM', RUNNING, key)
end
if step == 'begin' and conversation then
  redis.call('HSETNX', TALK, 'title', title)
  redis.call('HSET', TALK, 'last', ms)
  if value.agent then redis.call('HSET', TALK, 'agent', value.agent) else redis.call('HDEL', TALK, 'agent') end
  redis.call('ZADD', TALK_RUNS, ms, key)
  redis.call('ZREMRANGEBYRANK', TALK_RUNS, 0, -1 - max_listed)
  redis.call('ZADD', TALKS, ms, conversation)
  redis.call('ZREMRANGEBYRANK', TALKS, 0, -1 - max_listed)
end
if conversation then -- as long as its turns, of which the end of a run may have written one
  for _, name in ipairs({ TALK, TALK_RUNS, TALKS }) do redis.call('PEXPIRE', name, conversation_ms) end
end
if step == 'append' then -- a repeat must not undo what was decided since
  for i = 1, #fields, 2 do redis.call('HSETNX', KEY, fields[i], fields[i + 1]) end
elseif #fields > 0 then
  redis.call('HSET', KEY, unpack(fields))
end
if step ~= 'decide' then redis.call('HINCRBY', KEY, 'renewed', 1) end -- who decides may be another gateway than the run's
redis.call('PEXPIRE', KEY, ttl_ms)
if owner ~= '' then -- nothing is left of an owner whose records are all gone
  redis.call('PEXPIRE', RUNS, ttl_ms)
  redis.call('PEXPIRE', OWNERS, ttl_ms)
end
return 'ok'
