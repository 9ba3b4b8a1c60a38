-- Gives the adopter's lease back. ARGV[4]: the lease token, ARGV[5]: ms during which its holder may still append what it
-- heard before. Announces it, so that every process knows by the order of its own subscription which messages are still
-- the holder's. Returns 1 where it was still held.
if redis.call('GET', P .. 'adopter') ~= ARGV[4] then return 0 end
redis.call('SET', P .. 'leaving', ARGV[4], 'PX', ARGV[5])
redis.call('DEL', P .. 'adopter')
redis.call('PUBLISH', P .. '#adopted', '')
return 1
