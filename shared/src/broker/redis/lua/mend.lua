-- Repairs the numbers of the log after another program, or a bad restore, has changed them. A repaired position is above every
-- position that may have been given out, so that no two entries share one. A channel whose newest position is repaired then names one
-- that no entry has: its readers get a gap up to there, once, and its next entry has it as `prev`.
-- No arguments of its own.
-- Returns what it changed, in words; '' if nothing.
for name, kind in pairs(KINDS) do expect(P .. name, kind) end
local changes = {}
local function changed(key, what) changes[#changes + 1] = P .. key .. ' (' .. what .. ')' end

local s = redis.call('HMGET', LOG, 'token', 'start', 'n')
local start, n = whole(s[2]), whole(s[3])
local bound = { '0', 'WITHSCORES', 'LIMIT', 0, 1 }
local newest = whole(redis.call('ZREVRANGEBYSCORE', NEWEST, int(HIGHEST), unpack(bound))[2]) or 0
if not s[1] then
  n = HIGHEST
elseif not (start and is_token(s[1])) then
  -- Which log this was cannot be known any more. The next script begins another one, without the old entries.
  redis.call('DEL', LOG)
  changed('log', 'its token or start was none that the log gives: it begins anew, without its entries')
  n = HIGHEST
elseif not (n and n >= start and n >= newest) then
  local restored = math.max(start, newest)
  local clock = now()
  n = math.max(clock + LIFT, math.max(restored, seen()) + MOST_LOST)
  leap(restored, n, clock)
  changed('log', 'its n was no number that the log gives: it goes on above its newest entry')
end

local function mend_newest(from, to)
  for _, channel in ipairs(redis.call('ZRANGEBYSCORE', NEWEST, from, to)) do
    redis.call('ZADD', NEWEST, int(n), channel)
    changed('newest', 'the number of ' .. channel)
  end
end
mend_newest('-inf', '(0')
mend_newest('(' .. int(HIGHEST), '+inf')

local forgotten, fence = redis.call('GET', P .. 'forgotten'), redis.call('GET', P .. 'fence')
if forgotten and not (whole(forgotten) and whole(forgotten) <= n) then
  redis.call('SET', P .. 'forgotten', int(math.min(n, newest)))
  changed('forgotten', 'no number of an entry')
end
if fence and not whole(fence) then
  redis.call('DEL', P .. 'fence')
  changed('fence', 'no count')
end
for _, name in ipairs({ 'adopter', 'held' }) do
  if redis.call('PTTL', P .. name) == -1 then
    redis.call('PEXPIRE', P .. name, 3000)
    changed(name, 'a lease without an end')
  end
end
return table.concat(changes, ', ', 1, math.min(#changes, 5))
