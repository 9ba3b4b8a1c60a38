-- Names a conversation, or deletes it with all its runs, in one step.
-- ARGV: 4 step ('rename' or 'delete'), 5 key of the conversation (`<owner>/<id>`, or `<id>`), 6 the owner ('' for nobody), 7 the
-- conversation's id, 8 the title (rename).
-- Keys: conversation:<key> (hash: title, agent, last), conversation-runs:<key> (sorted set: key of a run -> started),
-- conversations:<owner> (sorted set: key -> start of the newest run; `conversations` for nobody's); and those of run.lua.
-- Returns 'ok', 'running' (delete: a run of it goes on) or 'unknown'.
local step, key, owner, id, title = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local TALK, TALK_RUNS = P .. 'conversation:' .. key, P .. 'conversation-runs:' .. key
local TALKS = P .. 'conversations' .. (owner ~= '' and ':' .. owner or '')
local RUNS = P .. 'runs' .. (owner ~= '' and ':' .. owner or '')
local TURNS = P .. 'ch:conversations:' .. key
open()
expect(TALK, 'hash')
expect(TALK_RUNS, 'zset')
expect(TALKS, 'zset')
expect(RUNS, 'zset')
expect(TURNS, 'stream')

if step == 'rename' then
  if redis.call('EXISTS', TALK) == 0 then return 'unknown' end
  redis.call('HSET', TALK, 'title', title)
  return 'ok'
end

if redis.call('EXISTS', TALK, TURNS) == 0 then return 'unknown' end
local gone = {}
for _, run in ipairs(redis.call('ZRANGE', TALK_RUNS, 0, -1)) do
  local RUN = P .. 'run:' .. run
  expect(RUN, 'hash')
  local known = redis.call('HMGET', RUN, 'conversation', 'state')
  -- The id of a run whose record was forgotten may name a run of another conversation today.
  if not known[1] or known[1] == id then
    if known[2] == 'running' then return 'running' end
    gone[#gone + 1] = run
  end
end
for _, run in ipairs(gone) do
  redis.call('ZREM', RUNS, run)
  redis.call('UNLINK', P .. 'run:' .. run, P .. 'ch:runs:' .. run)
end
-- As after retention by idle time, the log goes on to know the newest position of each channel, and tells readers of the loss.
redis.call('UNLINK', TALK, TALK_RUNS, TURNS)
redis.call('ZREM', TALKS, key)
return 'ok'
