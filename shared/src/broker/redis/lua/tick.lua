-- Once a second from every broker that listens: tells it the log's position through its own subscription, so that no
-- position can overtake the entries before it, and keeps or takes the adopter's lease. A broker's first tick on a connection
-- goes out right before its subscriptions: it tells who adopts the first message that they bring.
-- ARGV from 4: tick channel, instance id ('' for no candidate), lease ms, number of the tick, and '1' for a candidate that
-- was not yet listening when the lease fell free. It leaves the lease to those who were, and have held all messages since,
-- unless nobody takes it for a second. A lease taken is announced to all on #adopted.
-- Publishes "<n> <token> <lease holder or -> <number>"; returns { holder or '', when the holder before held it last (ms) or '0',
-- ms until the lease ends unless it is renewed, or until anybody may take it }.
local log = checked()
local instance, lease_ms, newcomer = ARGV[5], tonumber(ARGV[6]), ARGV[8] == '1'
local holder = redis.call('GET', P .. 'adopter')
if instance ~= '' then
  local is_ours = holder and string.sub(holder, 1, #instance + 1) == instance .. ':'
  if not holder and not (newcomer and redis.call('EXISTS', P .. 'held') == 1) then
    holder = instance .. ':' .. redis.call('INCR', P .. 'fence')
    is_ours = true
    redis.call('SET', P .. 'adopter', holder, 'PX', lease_ms)
    -- Kept, so that the new holder learns it from a later tick where this reply is lost.
    redis.call('HSET', LOG, 'vacated', int(whole(redis.call('HGET', LOG, 'leased')) or 0))
    -- From the same message on, one adopts, and the others drop what they held.
    redis.call('PUBLISH', P .. '#adopted', holder)
  elseif is_ours then
    redis.call('PEXPIRE', P .. 'adopter', lease_ms)
  end
  if is_ours then
    redis.call('HSET', LOG, 'leased', int(math.floor(now() / 1000)))
    redis.call('SET', P .. 'held', '1', 'PX', lease_ms + NEWCOMERS_WAIT)
  end
end
redis.call('PUBLISH', ARGV[4], int(log.n) .. ' ' .. log.token .. ' ' .. (holder or '-') .. ' ' .. ARGV[7])
local ends = redis.call('PTTL', P .. (holder and 'adopter' or 'held'))
return { holder or '', int(whole(redis.call('HGET', LOG, 'vacated')) or 0), ends }
