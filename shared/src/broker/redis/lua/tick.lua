-- Sends the head of the log to one process through the subscription of that process, so that it comes after the entries that
-- it covers. It also renews the adopter's lease, or takes it where it is free. Each process runs this once a second, and once
-- in front of the subscriptions of a new connection: then the reply says who adopts the first message that they bring.
-- ARGV:
--   4  channel of the ticks of this process
--   5  instance of a candidate for the lease, '' for none
--   6  ms for which the lease lasts
--   7  number of the tick
--   8  '1' for a newcomer: a candidate that was not listening yet when the lease fell free. It lets others go first, since they have
--      held all messages since then, and takes the lease if nobody has after a second
--   9  up to when the holder has stored all that was published, in ms since the epoch; '0' if it does not know
-- Publishes "<head> <token> <lease, or - for none> <number> <epoch ms> <run_id>". A lease that was taken is also announced to all on
-- #lease; that is a plain PUBLISH also in a Cluster, as the messages are whose order it belongs to.
-- Lost entries that no reader was told of yet are told first, on #loss: "<after> <position> <token>".
-- Returns { lease or '', since when (epoch ms) messages may be missing that the holder cannot store, or '0', ms until the lease
-- ends unless it is renewed, or until anybody may take it, epoch ms now, position of the newest entry, token }.
local tick_channel, instance, lease_ms, number, newcomer = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8] == '1'
local stored_up_to = tonumber(ARGV[9])
local time = int(math.floor(now() / 1000))
local function logged(field) return whole(redis.call('HGET', LOG, field)) end
local log = checked()
-- Who may not publish it leaves all losses to the next tick of somebody who may, and its own tick goes on.
local function tell_loss(lost)
  local told = log.n + 1
  local sent = redis.pcall(ANNOUNCE, P .. '#loss', int(lost) .. ' ' .. int(told) .. ' ' .. log.token)
  if type(sent) == 'table' and sent.err then return false end
  note_rollback(log.n, told, lost)
  redis.call('HSET', LOG, 'n', int(told))
  log.n = told
  return true
end
-- Each at a position of its own: a reader may know of one of them already, and not of another.
local function tell_losses()
  for text in string.gmatch(log.lost, '%d+') do
    local lost = whole(text)
    if lost and lost <= log.n and not tell_loss(lost) then return end
  end
  redis.call('HDEL', LOG, 'lost')
end
if log.lost then tell_losses() end
note_time(log.n, now())
local lease = redis.call('GET', P .. 'adopter')
if instance ~= '' then
  local is_ours = lease and string.sub(lease, 1, #instance + 1) == instance .. ':'
  if not lease and not (newcomer and redis.call('EXISTS', P .. 'held') == 1) then
    lease = instance .. ':' .. redis.call('INCR', P .. 'fence')
    is_ours = true
    redis.call('SET', P .. 'adopter', lease, 'PX', lease_ms)
    -- A candidate that was listening when the lease was given back has held all that came since. Others have not.
    local continues = not newcomer and logged('released')
    -- Kept, because the reply to this tick may be lost. The new holder then learns it from a later one.
    redis.call('HSET', LOG, 'vacated', int(not continues and logged('leased') or 0))
    redis.call('HDEL', LOG, 'released')
    redis.call('HSETNX', LOG, 'leased', time)
    -- With this message the holder begins to adopt, and the others drop what they have held.
    redis.call('PUBLISH', P .. '#lease', lease)
  elseif is_ours then
    redis.call('PEXPIRE', P .. 'adopter', lease_ms)
  end
  if is_ours then
    if stored_up_to > (logged('leased') or 0) then redis.call('HSET', LOG, 'leased', int(stored_up_to)) end
    local leaving = logged('leaving')
    if leaving and redis.call('EXISTS', P .. 'leaving') == 0 then
      -- The holder before died, or ran out of time, before it had stored all.
      redis.call('HSET', LOG, 'vacated', int(leaving))
      redis.call('HDEL', LOG, 'leaving')
    end
    redis.call('SET', P .. 'held', '1', 'PX', lease_ms + NEWCOMERS_WAIT)
  end
end
redis.call(ANNOUNCE, tick_channel, int(log.n) .. ' ' .. log.token .. ' ' .. (lease or '-') .. ' ' .. number .. ' ' .. time .. ' ' .. RUN_ID)
local ends = redis.call('PTTL', P .. (lease and 'adopter' or 'held'))
local newest = redis.call('ZREVRANGE', NEWEST, 0, 0, 'WITHSCORES')[2]
return { lease or '', int(logged('vacated') or 0), ends, time, int(whole(newest) or 0), log.token }
