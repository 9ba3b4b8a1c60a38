-- Tries whether the log could be written and read: each command that scripts and readers need, on keys that do not stay.
-- No arguments of its own.
-- Returns what the Redis user may not do, in words, such as 'run XADD'; empty if nothing is missing.
-- Errors: UNUSABLE or LOGSTATE if another program has written to a key of the log.
local K = P .. '#checkup:'
local tries = {
  { 'GET', K .. 's' }, { 'SET', K .. 's', '1', 'XX' }, { 'INCR', K .. 's' }, { 'EXISTS', K .. 's' }, { 'PTTL', K .. 's' },
  { 'PEXPIRE', K .. 's', '1000' }, { 'HSET', K .. 'h', 'f', '1' }, { 'HGET', K .. 'h', 'f' }, { 'HMGET', K .. 'h', 'f' },
  { 'HGETALL', K .. 'h' }, { 'HDEL', K .. 'h', 'g' }, { 'HINCRBY', K .. 'h', 'f', '1' }, { 'ZADD', K .. 'z', 'XX', '1', 'm' },
  { 'ZMSCORE', K .. 'z', 'm' }, { 'ZSCORE', K .. 'z', 'm' }, { 'ZCARD', K .. 'z' }, { 'ZREM', K .. 'z', 'm' },
  { 'ZRANGE', K .. 'z', '0', '-1' }, { 'ZRANGEBYSCORE', K .. 'z', '0', '1' }, { 'ZREMRANGEBYRANK', K .. 'z', '0', '-1' },
  { 'ZREVRANGEBYSCORE', K .. 'z', '1', '0' }, { 'RPUSH', K .. 'l', 'e' }, { 'LTRIM', K .. 'l', '0', '1' },
  { 'LRANGE', K .. 'l', '0', '1' }, { 'SADD', K .. 'm', 'e' }, { 'SREM', K .. 'm', 'e' }, { 'SMEMBERS', K .. 'm' },
  { 'XADD', K .. 'x', 'NOMKSTREAM', '*', 'd', '' }, { 'XDEL', K .. 'x', '1-1' }, { 'XLEN', K .. 'x' },
  { 'XRANGE', K .. 'x', '-', '+' }, { 'XREVRANGE', K .. 'x', '+', '-' }, { 'XTRIM', K .. 'x', 'MAXLEN', '1' },
  { 'XINFO', 'STREAM', K .. 'x' }, { 'MEMORY', 'USAGE', K .. 'x' }, { 'DEL', K .. 's', K .. 'h', K .. 'l', K .. 'm' },
  { ANNOUNCE, P .. '#checkup', '' }, { ANNOUNCE, P .. '#loss', '' },
}
local denied = {}
for _, command in ipairs(tries) do
  local reply = redis.pcall(unpack(command))
  local text = type(reply) == 'table' and reply.err or ''
  if string.find(text, 'user executing the script', 1, true) or string.find(text, 'ACL failure', 1, true) then
    local what = 'run ' .. command[1]
    if string.find(text, 'keys', 1, true) or string.find(text, 'key$') then what = 'use keys ' .. P .. '*' end
    if string.find(text, 'channel', 1, true) then what = 'publish on channels ' .. P .. '#*' end
    denied[#denied + 1] = what
  end
end
if #denied == 0 then checked() end
return denied
