-- Takes a token of a bucket. ARGV from 4: bucket, tokens when full, tokens per second. Key: rate:<bucket> (hash: tokens,
-- at in microseconds), gone when it would be full. Returns { 1 or 0, tokens left }.
local key, burst, rate = P .. 'rate:' .. ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local bucket = redis.call('HMGET', key, 'tokens', 'at')
local at = now()
local passed = math.max(0, at - (tonumber(bucket[2]) or at)) / 1000000
local tokens = math.min(burst, (tonumber(bucket[1]) or burst) + passed * rate)
local allowed = 0
if tokens >= 1 then
  allowed = 1
  tokens = tokens - 1
end
redis.call('HSET', key, 'tokens', tostring(tokens), 'at', int(at))
redis.call('PEXPIRE', key, int(math.ceil((burst - tokens) / rate * 1000) + 1000))
return { allowed, tostring(tokens) }
