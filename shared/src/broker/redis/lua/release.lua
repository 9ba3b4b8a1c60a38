-- Gives the adopter's lease back, and announces that with an empty message. Each process learns from the order of its own
-- subscription which messages the old holder still adopts: those that came before the announcement.
-- ARGV: 4 lease, 5 ms for which its holder may still append what came before, 6 '1' if this server has replicas.
-- Until left.lua says that it has stored them, the log remembers since when they may be missing.
-- Returns how many other processes heard the announcement, or nothing if the lease was not held any more. Redis does not count those that
-- hear it by a replica, so that there is one at least where there are replicas.
local lease, grace_ms, has_replicas = ARGV[4], ARGV[5], ARGV[6] == '1'
if redis.call('GET', P .. 'adopter') ~= lease then return false end
redis.call('SET', P .. 'leaving', lease, 'PX', grace_ms)
redis.call('DEL', P .. 'adopter')
local leased = redis.call('HGET', LOG, 'leased') or '0'
redis.call('HSET', LOG, 'leaving', leased, 'leased', int(math.floor(now() / 1000)), 'released', '1')
local others = redis.call('PUBLISH', P .. '#lease', '') - 1
if has_replicas then others = math.max(others, 1) end
-- Other processes hold messages from now on, and come first. Without others, a newcomer may take the lease at once.
if others > 0 then redis.call('PEXPIRE', P .. 'held', NEWCOMERS_WAIT) else redis.call('DEL', P .. 'held') end
return others
