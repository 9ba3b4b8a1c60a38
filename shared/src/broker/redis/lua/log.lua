-- The functions of the log, put before each of its scripts. Whatever a script changes, it changes as one step.
-- KEYS: 1 prefix of all keys, "{ns}:". It is declared as a key because a Redis Cluster sends a script by its keys, and there is no
-- such key: while the slot moves to another node key by key, a node refuses a script of which it lacks a key, before it has begun.
-- So none is ever done by halves, although keys that are not declared may be on the other node already.
-- ARGV: 1 the command that announces, PUBLISH, or SPUBLISH in a Cluster, 2 run_id of the server, as this connection has learned it,
-- 3 "<token><seen>:<stored>:<its token>": a random token of 8 characters, for a log that must be created, the highest position that this
-- process has seen, and the highest at which it knows an entry to have been stored, in the log with that token. From 4 on each script has
-- arguments of its own.
-- Keys, all with the prefix:
--   log           hash: token, start, n (the head), run (the server's run_id), form (of the keys), leased (up to when all that was published is
--                 stored, ms), vacated (`leased` of the lease before, if messages may be missing since then), released (the
--                 lease was given back), leaving (`leased` of a holder that gave it back and has not stored all yet), unsure (up to
--                 where the log was lifted last without a proof that entries were lost), lost (positions, with commas between
--                 them: entries after each are lost, and the next tick tells it)
--   newest        sorted set: channel -> position of its newest entry
--   last          a note, see `take_over`
--   ch:<channel>  stream: the entries of a channel, each a record in the field d
--   forgotten     the highest position of any channel that was forgotten
--   reborn        hash: channel -> what `forgotten` was when the channel was made
--   rollbacks     list: "restored:lifted", with ":lost" where entries after `lost` are known to be lost, see log-state.ts; ":-" where
--                 another item of the list says so
--   ahead         list: "<epoch ms>:<n>", how far the log was then, while positions are ahead of the clock, see times-ahead.ts
--   writer:<id>   the highest seq of a writer's batches
--   adopter       the lease: "<instance>:<fence>"
--   held          exists while there is a lease, and NEWCOMERS_WAIT longer: as long as candidates hold the messages that they hear
--   leaving       the lease that was given back last, while its holder may still append. (The field `leaving` of `log` stays until that
--                 holder has said that it has stored all: if this key is gone before, messages may be missing.)
--   fence         how many leases to adopt there have been (the fencing tokens of runs are no part of this)
-- If another program has written to a key, scripts end with an error that names it: UNUSABLE for a value of another kind,
-- LOGSTATE for numbers that mend.lua repairs.
-- A redis.call costs more time than what it does. An entry needs two of them, XADD and PUBLISH, and a third if it has an echo; a
-- batch needs seven, and up to four more in the minute after a failover.

local P, ANNOUNCE, RUN_ID = KEYS[1], ARGV[1], ARGV[2]
local FRESH_TOKEN = string.sub(ARGV[3], 1, 8)
local SHARDED = ANNOUNCE == 'SPUBLISH'
local LOG, NEWEST = P .. 'log', P .. 'newest'

-- Microseconds by which positions leap above the clock when the log is found on another server. So two entries share no position
-- even if the clock of the new server is a minute slower.
local LIFT = 60000000
-- Where positions are ahead of the clock they rise by one with each entry: this many may have been lost. So ten failovers in a
-- minute leave them a minute ahead of the clock, and not ten.
local MOST_LOST = 1000000

-- Where positions are ahead of the clock, the time is noted with the first entry after so many ms, and no sooner.
local NOTE_EVERY = 500
-- A failover leaves up to 120 of these notes, of a minute. Older ones are forgotten: times are then found up to a minute too early.
local MOST_NOTES = 2000

-- Ms for which a lease that fell free is left to candidates that were listening by then.
local NEWCOMERS_WAIT = 1000

-- From 2^53 on, n + 1 may equal n. Positions get here in the year 2223.
local HIGHEST = 8000000000000000

local KINDS = {
  log = 'hash', newest = 'zset', forgotten = 'string', reborn = 'hash', rollbacks = 'list', ahead = 'list', adopter = 'string',
  held = 'string', leaving = 'string', fence = 'string',
}

local function int(n) return string.format('%.0f', n) end

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

-- The text as a number that the log can have written, or nil.
local function whole(text)
  local n = tonumber(text)
  return n and n >= 0 and n <= HIGHEST and n % 1 == 0 and n or nil
end

local function seen() return whole(string.match(ARGV[3], '^%d+', 9)) or 0 end
-- What was stored in another log says nothing of this one.
local function stored(token)
  local position, of = string.match(ARGV[3], ':(%d+):(%w*)$', 9)
  return of == token and whole(position) or 0
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

-- Before form 2 the log was announced on plain names, and `newest` was called `last`. The entries of a process of that time would be
-- taken for foreign messages today, and be stored a second time. With a text in the place of its sorted set Redis refuses such
-- a process: it writes nothing, and says WRONGTYPE or UNUSABLE, until it is updated.
local FORM = '2'
local function take_over()
  if redis.call('TYPE', P .. 'last').ok == 'zset' then redis.call('RENAME', P .. 'last', NEWEST) end
  redis.call('SET', P .. 'last', 'This log is of form ' .. FORM .. ': update the program that wants to write here.', 'NX')
  redis.call('HSET', LOG, 'form', FORM)
end

-- Positions go on after `lifted` now, and none between the two is of this log.
local function note_rollback(restored, lifted, lost)
  redis.call('RPUSH', P .. 'rollbacks', int(restored) .. ':' .. int(lifted) .. (lost and ':' .. int(lost) or ''))
  redis.call('LTRIM', P .. 'rollbacks', -64, -1)
end

-- A script that sets it runs also where Redis takes no writes. It ends with MUSTWRITE if the log has to be made or lifted first.
local READ_ONLY = false

local function push_note(ms, n)
  redis.call('RPUSH', P .. 'ahead', int(ms) .. ':' .. int(n))
  redis.call('LTRIM', P .. 'ahead', -MOST_NOTES, -1)
end

-- Notes that the log had come to `n` by now, if that is ahead of the clock.
local function note_time(n, clock)
  if n <= clock then return end
  local ms = math.floor(clock / 1000)
  local last = tonumber(string.match(redis.call('LINDEX', P .. 'ahead', -1) or '', '^%d+'))
  if last and last <= ms and ms < last + NOTE_EVERY then return end
  push_note(ms, n)
end

-- Has positions go on after `lifted`.
local function leap(restored, lifted, clock, lost)
  local ms = math.floor(clock / 1000)
  push_note(ms, restored)
  push_note(ms, lifted)
  note_rollback(restored, lifted, lost)
  redis.call('HSET', LOG, 'n', int(lifted))
end

-- Another process has lifted the log, and did not know what this one does: an entry was stored at a position that is of no entry now. By
-- now readers may have passed the place where that happened. So the next tick tells it at a new position, to all who pass that.
-- Returns the position after which entries are lost, or nothing.
local function find_loss(known_entry)
  for i, range in ipairs(redis.call('LRANGE', P .. 'rollbacks', 0, -1)) do
    local restored, lifted = string.match(range, '^(%d+):(%d+)$')
    if restored and tonumber(restored) < known_entry and known_entry < tonumber(lifted) then
      redis.call('LSET', P .. 'rollbacks', i - 1, range .. ':-')
      return restored
    end
  end
end

-- The log's { token, start, n, lost }, the last as it is kept. Creates the log if there is none, and lifts its positions on another server.
local function open()
  local s = redis.call('HMGET', LOG, 'token', 'start', 'n', 'run', 'form', 'unsure', 'lost')
  if READ_ONLY and (s[5] ~= FORM or not s[1] or s[4] ~= RUN_ID) then error({ err = 'MUSTWRITE' }) end
  if s[5] ~= FORM then take_over() end
  if not s[1] then
    -- Streams may be left from a log whose hash is gone. Their entries have positions that this log may give again.
    for _, channel in ipairs(redis.call('ZRANGE', NEWEST, 0, -1)) do redis.call('DEL', P .. 'ch:' .. channel) end
    redis.call('DEL', NEWEST, P .. 'forgotten', P .. 'reborn', P .. 'rollbacks', P .. 'ahead')
    -- Above every position that this process has seen of the log before, even if those were ahead of the clock. Another process may
    -- have seen more, in the last moment before the loss.
    local start = math.max(now(), seen() + 1)
    redis.call('HSET', LOG, 'token', FRESH_TOKEN, 'start', int(start), 'n', int(start), 'run', RUN_ID)
    return { token = FRESH_TOKEN, start = start, n = start }
  end
  local start, n, lost = whole(s[2]), whole(s[3]), s[7]
  local known_entry = stored(s[1])
  if not (start and n and start <= n and is_token(s[1])) then unsound(LOG) end
  if s[4] ~= RUN_ID then
    -- Another server process: the copy that it restored may lack the newest entries, which readers have seen. Their cursors
    -- then lie between n and lifted, where no entry is, and prove the loss. For example n is 4000 and the clock 5200: with
    -- a LIFT of 60 the next entry gets 5261, and a cursor of 4700 is known to be of lost entries.
    -- `seen` counts, too, as far as this one process knows: if the clock is slower than the positions, and the same copy is restored twice, both would
    -- otherwise be lifted to the same position.
    local clock = now()
    local lifted = math.max(clock + LIFT, math.max(n, seen()) + MOST_LOST)
    local is_lossy = known_entry > n
    leap(n, lifted, clock, is_lossy and n)
    redis.call('HSET', LOG, 'run', RUN_ID)
    if not is_lossy then redis.call('HSET', LOG, 'unsure', int(lifted)) end
    n = lifted
  end
  if s[6] and not READ_ONLY and known_entry > 0 and known_entry < (tonumber(s[6]) or 0) then
    local found = find_loss(known_entry)
    if found then
      lost = lost and lost .. ',' .. found or found
      redis.call('HSET', LOG, 'lost', lost)
    end
  end
  return { token = s[1], start = start, n = n, lost = lost }
end

-- The same as `open`, after a check of all keys beside the channels' streams. It runs once a second and before history is
-- read, so that a log whose keys another program has taken is not reported as ready.
local function checked()
  for name, kind in pairs(KINDS) do expect(P .. name, kind) end
  local log = open()
  local outside = redis.call('ZCOUNT', NEWEST, '(' .. int(log.n), '+inf') + redis.call('ZCOUNT', NEWEST, '-inf', '(0')
  if outside > 0 then unsound(NEWEST) end
  local forgotten, fence = redis.call('GET', P .. 'forgotten'), redis.call('GET', P .. 'fence')
  if forgotten and not (whole(forgotten) and whole(forgotten) <= log.n) then unsound(P .. 'forgotten') end
  if fence and not whole(fence) then unsound(P .. 'fence') end
  -- Without an end, each of these would keep everybody from adopting.
  for _, name in ipairs({ 'adopter', 'held' }) do
    if redis.call('PTTL', P .. name) == -1 then unsound(P .. name) end
  end
  return log
end

-- Whether this writer's batch was stored before. A batch without a writer ('') never was.
local function repeated(writer, seq)
  if writer == '' then return false end
  local key = P .. 'writer:' .. writer
  local newest = redis.pcall('GET', key)
  if type(newest) == 'table' then
    expect(key, 'string')
    error(newest)
  end
  return seq <= (whole(newest) or 0)
end

local function remember(writer, seq)
  if writer ~= '' then redis.call('SET', P .. 'writer:' .. writer, int(seq), 'EX', 86400) end
end

-- Reads the batch that fills ARGV from `at` on: the number of channels; for each channel its name, most entries, ms to live,
-- the plain Redis channel on which its entries are repeated ('' for none), and how many channels the log may have with it, if it
-- has to be made; for each entry the index of its channel and its body
-- without the first '{'. Entries are announced on the Redis channel `announce_prefix .. name`; in a Cluster, where no pattern
-- subscribes to such channels, on the channel of a partition, with the name and a line feed in front. keys.ts derives the same.
-- Returns the channels, and where the entries begin. Entries stay in ARGV, since a table for each would cost as much time as
-- storing it.
local function batch(at, announce_prefix)
  local channels = {}
  local count = tonumber(ARGV[at])
  at = at + 1
  for i = 1, count do
    local name, echo = ARGV[at], ARGV[at + 3]
    channels[i] = {
      name = name, key = P .. 'ch:' .. name, maxlen = ARGV[at + 1], ttl = ARGV[at + 2],
      announced = announce_prefix .. (SHARDED and string.sub(redis.sha1hex(name), 1, 1) or name),
      echo = echo ~= '' and echo, places = tonumber(ARGV[at + 4]),
    }
    at = at + 5
  end
  return channels, at
end

-- The entries of a channel live for its ttl after the newest one, and up to two seconds longer: not each entry sets the
-- expiry anew, but the first of each second, by the positions. If these are ahead of the clock they hardly rise, and each does.
local function outlive(channel, before, n, clock)
  local part = math.min(channel.ttl * 1000 / 16, 1000000)
  local ahead = n > clock + part
  if not (channel.made or ahead) and math.floor(before / part) == math.floor(n / part) then return end
  redis.call('PEXPIRE', channel.key, int(channel.ttl + 2 * part / 1000))
end

-- Redis has refused an entry of a batch: removes its entries first..last. Their positions are not given again.
local function take_back(log, channels, at, first, last, reply)
  for n = first, last do
    local c = channels[tonumber(ARGV[at + 2 * (n - first)])]
    redis.call('XDEL', c.key, int(math.floor(n / 1000)) .. '-' .. int(n))
    if c.fresh and redis.call('XLEN', c.key) == 0 then redis.call('DEL', c.key) end
  end
  if last >= first then redis.call('HSET', LOG, 'n', int(last)) end
  return nil, redis.error_reply(reply)
end

-- A user who may not run a command can write no channel. Any other refusal concerns this channel.
local function refusal(key, reply)
  local code = string.find(reply.err, ' run ', 1, true) and 'NOPERM ' or 'UNUSABLE '
  return code .. key .. ': ' .. reply.err
end

-- Stores a batch whose entries begin at ARGV[at], then announces it. Returns the position of the first entry, or nil and an error
-- reply. An announcement that ends with a line feed has an echo, right behind it: nothing else can come in between, and by that
-- gateways know it. An echo that the user may not publish is left out, since only plain subscribers miss it.
-- The prev of an entry is the position of the entry before it on its channel. An example: `newest` says that a is at 101, and
-- the head is 103. A batch of two entries on a and one on the new channel b gets
--   a 104 (prev 101), a 105 (prev 104), b 106 (prev 0), and afterwards `newest` says a 105, b 106.
local function append(log, channels, at)
  local names = {}
  for i, c in ipairs(channels) do names[i] = c.name end
  local prev = redis.call('ZMSCORE', NEWEST, unpack(names))
  local fresh, held, refused = 0, nil, {}
  for i = 1, #names do
    if not prev[i] then
      held = held or redis.call('ZCARD', NEWEST)
      if held + fresh < channels[i].places then fresh = fresh + 1 else refused[#refused + 1] = i end
    elseif tonumber(prev[i]) < 0 or tonumber(prev[i]) > log.n then
      unsound(NEWEST)
    end
  end
  if #refused > 0 then
    return nil, redis.error_reply('TOOMANYCHANNELS ' .. table.concat(refused, ',') .. ' of the batch: the log holds its limit of channels')
  end
  -- The first entry of a channel has prev 0, also if an earlier channel of the same name was forgotten. `reborn` lets a
  -- reader know that entries of that one may be missing.
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
  note_time(log.n, clock)
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
    -- No stream: it was deleted or evicted after its last entry. `made` has the new one's time to live set.
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
    local text = c.echo and record .. '\n' or record
    local reply = try(ANNOUNCE, c.announced, SHARDED and c.name .. '\n' .. text or text)
    if type(reply) == 'table' then return take_back(log, channels, at, first, n, refusal(c.name, reply)) end
    if c.echo then try('PUBLISH', c.echo, record) end
  end

  local scores = {}
  for i, c in ipairs(channels) do
    scores[#scores + 1] = prev[i]
    scores[#scores + 1] = c.name
    outlive(c, before[i], n, clock)
  end
  redis.call('ZADD', NEWEST, unpack(scores))
  redis.call('HSET', LOG, 'n', int(n))
  log.n = n
  return first
end
