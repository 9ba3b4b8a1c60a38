-- The log's own functions, put before every script. ARGV[1] key prefix "{ns}:", ARGV[2] the server's run_id as this
-- connection learned it, ARGV[3] in case the log must be created: a fresh random token of 8 and, right behind it, the
-- highest number that the caller has seen.
-- Keys, all under the prefix: log (hash: token start n run leased vacated), last (zset channel -> n of its newest entry),
-- ch:<channel> (stream, field d), forgotten (highest n of forgotten channels), reborn (hash channel -> forgotten when the
-- channel was made), rollbacks (list "restored:lifted"), writer:<id> (highest batch seq), adopter (lease), held (as long
-- as somebody has it, and NEWCOMERS_WAIT longer), leaving (the lease given back last), fence (counter).
-- Where other programs have written to them, scripts end with an error that names the key: UNUSABLE for a value of another
-- kind, LOGSTATE for numbers that mend.lua sets right.
-- A call of redis.call costs more than what it does: an entry is worth two, a batch seven.

local P = ARGV[1]
local LOG, LAST = P .. 'log', P .. 'last'

-- A failover's clock may be this much behind the old server's without two entries sharing a number.
local LIFT = 60000000

-- Ms for which a lease that fell free is left to the candidates that were listening by then.
local NEWCOMERS_WAIT = 1000

-- From 2^53 on, n + 1 may be n. The log's numbers get here in the year 2223.
local HIGHEST = 8000000000000000

local KINDS = {
  log = 'hash', last = 'zset', forgotten = 'string', reborn = 'hash', rollbacks = 'list', adopter = 'string',
  held = 'string', leaving = 'string', fence = 'string',
}

local function int(n) return string.format('%.0f', n) end

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

-- A number that the log can have written, or nil.
local function whole(text)
  local n = tonumber(text)
  return n and n >= 0 and n <= HIGHEST and n % 1 == 0 and n or nil
end

local function seen()
  return whole(string.sub(ARGV[3], 9)) or 0
end

local function expect(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then
    error({ err = 'UNUSABLE ' .. key .. ' holds a ' .. found .. ' of another program, not the ' .. kind .. ' of the log' })
  end
end

local function unsound(key)
  error({ err = 'LOGSTATE ' .. key .. ' holds what the log cannot have written' })
end

local function is_token(text) return string.match(text, '^%w+$') and #text == 8 end

-- The log's state, created or lifted where need be: { token, start, n }.
local function open()
  local s = redis.call('HMGET', LOG, 'token', 'start', 'n', 'run')
  if not s[1] then
    -- Streams of a log whose hash is gone would answer with entries of another numbering.
    for _, channel in ipairs(redis.call('ZRANGE', LAST, 0, -1)) do redis.call('DEL', P .. 'ch:' .. channel) end
    redis.call('DEL', LAST, P .. 'forgotten', P .. 'reborn', P .. 'rollbacks')
    -- Above whatever living processes have seen of the log before, also where that was ahead of the clock.
    local token = string.sub(ARGV[3], 1, 8)
    local start = math.max(now(), seen() + 1)
    redis.call('HSET', LOG, 'token', token, 'start', int(start), 'n', int(start), 'run', ARGV[2])
    return { token = token, start = start, n = start }
  end
  local start, n = whole(s[2]), whole(s[3])
  if not (start and n and start <= n and is_token(s[1])) then unsound(LOG) end
  if s[4] ~= ARGV[2] then
    -- Another server process: what it restored may lack a tail that readers have seen. Cursors in between prove it.
    -- Above what the caller has seen too: where the clock is behind the numbers, the same state restored twice would
    -- else be lifted to the same place.
    local lifted = math.max(n, now(), seen()) + LIFT
    redis.call('RPUSH', P .. 'rollbacks', int(n) .. ':' .. int(lifted))
    redis.call('LTRIM', P .. 'rollbacks', -64, -1)
    redis.call('HSET', LOG, 'n', int(lifted), 'run', ARGV[2])
    n = lifted
  end
  return { token = s[1], start = start, n = n }
end

-- The same after a look at all that the log keeps beside its channels. Once a second and before history is read, so that
-- nobody takes a log that can keep nothing for a ready one.
local function checked()
  for name, kind in pairs(KINDS) do expect(P .. name, kind) end
  local log = open()
  local outside = redis.call('ZCOUNT', LAST, '(' .. int(log.n), '+inf') + redis.call('ZCOUNT', LAST, '-inf', '(0')
  if outside > 0 then unsound(LAST) end
  local forgotten, fence = redis.call('GET', P .. 'forgotten'), redis.call('GET', P .. 'fence')
  if forgotten and not (whole(forgotten) and whole(forgotten) <= log.n) then unsound(P .. 'forgotten') end
  if fence and not whole(fence) then unsound(P .. 'fence') end
  -- Without an end, each of these would keep everybody from adopting.
  for _, name in ipairs({ 'adopter', 'held' }) do
    if redis.call('PTTL', P .. name) == -1 then unsound(P .. name) end
  end
  return log
end

-- Whether a writer's batch has been taken before; '' is nobody's.
local function repeated(writer, seq)
  return writer ~= '' and seq <= (whole(redis.call('GET', P .. 'writer:' .. writer)) or 0)
end

local function remember(writer, seq)
  if writer ~= '' then redis.call('SET', P .. 'writer:' .. writer, int(seq), 'EX', 86400) end
end

-- The batch that begins at ARGV[at] and takes all the rest: number of channels, then name, maxlen, ttl ms for each, then
-- channel index, body without its '{' for each entry. Returns the channels and where the entries begin; they stay in
-- ARGV, since a table for each would cost as much as storing it.
local function batch(at)
  local channels = {}
  local count = tonumber(ARGV[at])
  at = at + 1
  for i = 1, count do
    channels[i] = { name = ARGV[at], key = P .. 'ch:' .. ARGV[at], maxlen = ARGV[at + 1], ttl = ARGV[at + 2] }
    at = at + 3
  end
  return channels, at
end

-- A channel's entries live for its ttl after the newest, and up to two seconds longer: it is set anew once a second, by
-- the numbers, or always where these are ahead of the clock and hardly rise.
local function outlive(channel, before, n, clock)
  local part = math.min(channel.ttl * 1000 / 16, 1000000)
  local ahead = n > clock + part
  if not (channel.made or ahead) and math.floor(before / part) == math.floor(n / part) then return end
  redis.call('PEXPIRE', channel.key, int(channel.ttl + 2 * part / 1000))
end

-- Takes back the entries first..last of a batch, of which Redis has refused one. Their numbers are not given again.
local function take_back(log, channels, at, first, last, reply)
  for n = first, last do
    local c = channels[tonumber(ARGV[at + 2 * (n - first)])]
    redis.call('XDEL', c.key, int(math.floor(n / 1000)) .. '-' .. int(n))
    if c.fresh and redis.call('XLEN', c.key) == 0 then redis.call('DEL', c.key) end
  end
  if last >= first then redis.call('HSET', LOG, 'n', int(last)) end
  return nil, redis.error_reply(reply)
end

-- Without the right to run a command no channel can be written; anything else concerns this one.
local function refusal(key, reply)
  local code = string.find(reply.err, ' run ', 1, true) and 'NOPERM ' or 'UNUSABLE '
  return code .. key .. ': ' .. reply.err
end

-- Appends a batch whose entries begin at ARGV[at], then announces it. announce(channel, record) publishes one stored
-- record by pcall and returns the reply. Returns the first entry's n, or nil and an error reply.
local function append(log, channels, at, max_channels, announce)
  local names = {}
  for i, c in ipairs(channels) do names[i] = c.name end
  local prev = redis.call('ZMSCORE', LAST, unpack(names))
  local fresh = 0
  for i = 1, #names do
    if not prev[i] then
      fresh = fresh + 1
    elseif tonumber(prev[i]) < 0 or tonumber(prev[i]) > log.n then
      unsound(LAST)
    end
  end
  if fresh > 0 and redis.call('ZCARD', LAST) + fresh > max_channels then
    return nil, redis.error_reply('TOOMANYCHANNELS the log holds its limit of channels')
  end
  -- Nothing tells a new channel from one that was forgotten: its first entry has no prev.
  local forgotten = fresh > 0 and redis.call('GET', P .. 'forgotten')
  local before = {}
  for i = 1, #names do
    if forgotten and not prev[i] then redis.call('HSET', P .. 'reborn', names[i], forgotten) end
    before[i] = tonumber(prev[i] or '0')
    channels[i].fresh = not prev[i]
    channels[i].made = before[i] == 0
    prev[i] = int(before[i])
  end

  local try, format, floor = redis.pcall, string.format, math.floor
  local clock = now()
  local n = math.max(log.n, clock - 1)
  local first = n + 1
  local middle = '","log":"' .. log.token .. '","prev":'
  local ms, ms_text = -1, ''
  local records = {}
  for k = at, #ARGV, 2 do
    local i = tonumber(ARGV[k])
    local c = channels[i]
    n = n + 1
    local text = format('%.0f', n)
    if floor(n / 1000) ~= ms then
      ms = floor(n / 1000)
      ms_text = format('%.0f', ms) .. '-'
    end
    local id = ms_text .. text
    local record = '{"id":"' .. id .. middle .. prev[i] .. ',' .. ARGV[k + 1]
    -- Deleted or evicted since its last entry: a new stream has no time to live.
    local added = not c.made and try('XADD', c.key, 'NOMKSTREAM', 'MAXLEN', '~', c.maxlen, id, 'd', record)
    if not added then
      c.made = true
      added = try('XADD', c.key, 'MAXLEN', '~', c.maxlen, id, 'd', record)
    end
    if added.err then return take_back(log, channels, at, first, n - 1, refusal(c.key, added)) end
    records[#records + 1] = record
    prev[i] = text
  end
  for k, record in ipairs(records) do
    local c = channels[tonumber(ARGV[at + 2 * k - 2])]
    local heard = announce(c, record)
    if type(heard) == 'table' then return take_back(log, channels, at, first, n, refusal(c.name, heard)) end
  end

  local scores = {}
  for i, c in ipairs(channels) do
    scores[#scores + 1] = prev[i]
    scores[#scores + 1] = c.name
    outlive(c, before[i], n, clock)
  end
  redis.call('ZADD', LAST, unpack(scores))
  redis.call('HSET', LOG, 'n', int(n))
  log.n = n
  return first
end
