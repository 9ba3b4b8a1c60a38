-- Gives the adopter's lease back. ARGV[4]: the lease token, ARGV[5]: ms during which its holder may still append what it
-- heard before. Announces it, so that every process knows by the order of its own subscription which messages are still
-- the holder's. Returns how many others heard that, or nothing where the lease was not held any more.
if redis.call('GET', P .. 'adopter') ~= ARGV[4] then return false end
redis.call('SET', P .. 'leaving', ARGV[4], 'PX', ARGV[5])
redis.call('DEL', P .. 'adopter')
local others = redis.call('PUBLISH', P .. '#adopted', '') - 1
-- Where nobody else listens, nobody has held anything that a newcomer does not have.
if others > 0 then redis.call('PEXPIRE', P .. 'held', NEWCOMERS_WAIT) else redis.call('DEL', P .. 'held') end
return others
