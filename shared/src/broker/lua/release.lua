-- Gives the adopter's lease back. ARGV[4]: the lease token. Returns 1 where it was still held.
if redis.call('GET', P .. 'adopter') ~= ARGV[4] then return 0 end
return redis.call('DEL', P .. 'adopter')
