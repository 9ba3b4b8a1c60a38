-- Forgets those of the given channels that hold no entries any more, and remembers the highest position among them: a reader
-- of a pattern that has not come that far may have missed entries.
-- ARGV: from 4 channels.
-- Returns how many were forgotten.
local CHANNELS = 4
open()
local gone, highest = 0, whole(redis.call('GET', P .. 'forgotten')) or 0
for i = CHANNELS, #ARGV do
  local channel = ARGV[i]
  if redis.call('EXISTS', P .. 'ch:' .. channel) == 0 then
    highest = math.max(highest, whole(redis.call('ZSCORE', NEWEST, channel)) or 0)
    gone = gone + redis.call('ZREM', NEWEST, channel)
    redis.call('HDEL', P .. 'reborn', channel)
  end
end
if gone > 0 then redis.call('SET', P .. 'forgotten', int(highest)) end
return gone
