-- Takes a token of a bucket. ARGV from 4: bucket, tokens when full, tokens per second. Key: rate:<bucket> (hash: tokens,
-- at in microseconds), gone when it would be full. Returns { 1 or 0, tokens left }.
local key, burst, rate = P .. 'rate:' .. ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
expect(key, 'hash')
local bucket = redis.call('HMGET', key, 'tokens', 'at')
local at = now()
local tokens, since = tonumber(bucket[1]), whole(bucket[2])
-- A bucket from the future, or with what is no number of tokens, would stay shut for ever.
if not (tokens and tokens >= 0 and since and since <= at) then tokens, since = burst, at end
tokens = math.min(burst, tokens + (at - since) / 1000000 * rate)
local allowed = 0
if tokens >= 1 then
  allowed = 1
  tokens = tokens - 1
end
redis.call('HSET', key, 'tokens', tostring(tokens), 'at', int(at))
redis.call('PEXPIRE', key, int(math.ceil((burst - tokens) / rate * 1000) + 1000))
return { allowed, tostring(tokens) }
