-- Once a second from every broker that listens: tells it the log's position through its own subscription, so that no
-- position can overtake the entries before it, and keeps or takes the adopter's lease.
-- ARGV from 4: tick channel, candidate's lease token so far ('' for none), instance id ('' for no candidate), lease ms,
-- number of the tick. A lease taken is announced to all on #adopted.
-- Publishes "<n> <token> <lease holder or -> <number>"; returns { holder or '', when the holder before held it last (ms) or '0',
-- ms until the lease ends unless it is renewed }.
local log = open()
local ours, instance = ARGV[5], ARGV[6]
local holder = redis.call('GET', P .. 'adopter')
if instance ~= '' then
  if not holder then
    holder = instance .. ':' .. redis.call('INCR', P .. 'fence')
    redis.call('SET', P .. 'adopter', holder, 'PX', ARGV[7])
    -- Kept, so that the new holder learns it from a later tick where this reply is lost.
    redis.call('HSET', LOG, 'vacated', redis.call('HGET', LOG, 'leased') or '0')
    -- From the same message on, one adopts, and the others drop what they held.
    redis.call('PUBLISH', P .. '#adopted', holder)
  elseif holder == ours then
    redis.call('PEXPIRE', P .. 'adopter', ARGV[7])
  end
  if holder == ours or string.sub(holder, 1, #instance + 1) == instance .. ':' then
    redis.call('HSET', LOG, 'leased', int(math.floor(now() / 1000)))
  end
end
redis.call('PUBLISH', ARGV[4], int(log.n) .. ' ' .. log.token .. ' ' .. (holder or '-') .. ' ' .. ARGV[8])
return { holder or '', redis.call('HGET', LOG, 'vacated') or '0', redis.call('PTTL', P .. 'adopter') }
