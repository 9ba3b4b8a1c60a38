-- People, roles, API keys and sessions. Each step is whole: what it changes, the revision, the list of changes and the announcement.
-- ARGV: 1 what begins each key, "{ns}:auth", 2 the channel of announcements, 3 the highest revision that the caller has seen, 4 to 8
-- the bounds below, 9 the name of the role that manages people without a record, 10 the name of the step; from 11 on each step has
-- arguments of its own. KEYS: 1 "{ns}:", for the reason that log.lua gives.
-- Keys, all with the prefix:
--   (the prefix)         hash: revision; sessions, the revision from which on sessions count
--   :changes             sorted set: "<revision>:<principal>" by revision
--   :users :roles :keys  hashes: name, or the id of a key -> JSON
--   :key-digests         hash: digest -> id
--   :key-uses            hash: id -> when it was last used, ms
--   :keys-of:<user>      set of the ids of a person's keys; of service accounts, without a name
--   :session:<digest>    hash: json, seen (ms), revision; expires with the session
--   :sessions-of:<user>  sorted set: digests by when the session began
-- Answers with the revision and the step's own answer. Times are the caller's.

local P, CHANNEL, SEEN = ARGV[1], ARGV[2], tonumber(ARGV[3])
local MAX_CHANGES, MAX_KEYS, MAX_SESSIONS = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local IDLE_MS, NOTE_MS = tonumber(ARGV[7]), tonumber(ARGV[8])
local ADMIN_ROLE, STEP = ARGV[9], ARGV[10]

local CHANGES, USERS, ROLES, KEYS_BY_ID = P .. ':changes', P .. ':users', P .. ':roles', P .. ':keys'
local DIGESTS, USES = P .. ':key-digests', P .. ':key-uses'
local SESSION, SESSIONS_OF, KEYS_OF = P .. ':session:', P .. ':sessions-of:', P .. ':keys-of:'

local function revision()
  return tonumber(redis.call('HGET', P, 'revision') or 0)
end

local function text(number)
  return string.format('%.0f', number)
end

-- Revisions are times in microseconds, so that a store that was put back to an older state never gives out one that it had before.
local function changed(principals)
  local time = redis.call('TIME')
  local now = math.max(revision() + 1, SEEN + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
  redis.call('HSET', P, 'revision', text(now))
  for _, principal in ipairs(principals) do
    redis.call('ZADD', CHANGES, text(now), text(now) .. ':' .. principal)
  end
  redis.call('ZREMRANGEBYRANK', CHANGES, 0, -1 - MAX_CHANGES)
  redis.call('PUBLISH', CHANNEL, text(now))
end

-- The caller has seen changes that are not here: an older state was restored, or a replica took over. Sessions that had been ended
-- may be back, so all that began before end.
if revision() < SEEN then
  changed({ '*' })
  redis.call('HSET', P, 'sessions', text(revision()))
end

local function decoded(json)
  local ok, value = pcall(cjson.decode, json or '')
  return ok and type(value) == 'table' and value or nil
end

local function endOne(user, digest, principals)
  redis.call('ZREM', SESSIONS_OF .. user, digest)
  if redis.call('DEL', SESSION .. digest) == 1 then
    table.insert(principals, 'session:' .. string.sub(digest, 1, 16))
  end
end

local function endAll(user, except, principals)
  for _, digest in ipairs(redis.call('ZRANGE', SESSIONS_OF .. user, 0, -1)) do
    if string.sub(digest, 1, 16) ~= except then endOne(user, digest, principals) end
  end
end

local function keysOf(user, principals)
  for _, id in ipairs(redis.call('SMEMBERS', KEYS_OF .. user)) do
    table.insert(principals, 'key:' .. id)
  end
end

-- Nil if it is over.
local function session(digest)
  local json, seen, begun = unpack(redis.call('HMGET', SESSION .. digest, 'json', 'seen', 'revision'))
  local since = tonumber(redis.call('HGET', P, 'sessions') or 0)
  if not json or tonumber(begun) < since then return nil end
  return { json, seen }
end

local function expire(digest, seen, expires)
  redis.call('PEXPIREAT', SESSION .. digest, text(math.min(tonumber(expires), tonumber(seen) + IDLE_MS + 1)))
end

-- A person's session by its id, the first 16 digits of the digest.
local function digestOf(user, id)
  for _, digest in ipairs(redis.call('ZRANGE', SESSIONS_OF .. user, 0, -1)) do
    if string.sub(digest, 1, 16) == id then return digest end
  end
end

-- The session is over at `ends` at the latest.
local function shorten(user, id, ends)
  local digest = digestOf(user, id)
  local one = digest and session(digest)
  local record = one and decoded(one[1])
  if not record then return end
  record.expires = math.min(record.expires, tonumber(ends))
  redis.call('HSET', SESSION .. digest, 'json', cjson.encode(record))
  expire(digest, one[2], record.expires)
end

local function managesPeople(role)
  if type(role) ~= 'string' then return false end
  if role == ADMIN_ROLE then return true end
  local grants = (decoded(redis.call('HGET', ROLES, role)) or {}).grants
  return type(grants) == 'table' and grants.admin == true
end

local function isAdmin(user)
  return not user.disabled and managesPeople(user.role)
end

-- Whether somebody is an admin for whom `counts` is true. It reads everybody, so the steps ask only when an admin would be taken.
local function hasAdmin(counts)
  for _, json in ipairs(redis.call('HVALS', USERS)) do
    local user = decoded(json)
    if user and counts(user) and isAdmin(user) then return true end
  end
  return false
end

local function hasOtherAdmin(name)
  return hasAdmin(function(user) return user.name ~= name end)
end

local TAKES_LAST_ADMIN = -1

local function removeKey(id, key)
  redis.call('HDEL', KEYS_BY_ID, id)
  redis.call('HDEL', DIGESTS, key.digest)
  redis.call('HDEL', USES, id)
  redis.call('SREM', KEYS_OF .. (key.user or ''), id)
end

local steps = {}

steps.add_user = function(name, json)
  if redis.call('HSETNX', USERS, name, json) == 0 then return 0 end
  changed({ 'user:' .. name })
  return 1
end

steps.change_user = function(force, name, json, leaving, ends, if_hash)
  local before = redis.call('HGET', USERS, name)
  local user, principals = decoded(before), {}
  if not user then return 0 end
  local hash, role, disabled, was_admin = user.passwordHash, user.role, user.disabled, isAdmin(user)
  if if_hash ~= '' and hash ~= if_hash then return 0 end
  for field, value in pairs(cjson.decode(json)) do user[field] = value end
  if force == '0' and was_admin and not isAdmin(user) and not hasOtherAdmin(name) then return TAKES_LAST_ADMIN end
  redis.call('HSET', USERS, name, cjson.encode(user))
  if user.role ~= role or user.disabled ~= disabled then
    principals[1] = 'user:' .. name
    keysOf(name, principals)
  end
  if user.disabled then
    endAll(name, '', principals)
  elseif user.passwordHash ~= hash then
    endAll(name, leaving, principals)
    shorten(name, leaving, ends)
  end
  if #principals > 0 then changed(principals) end
  return 1
end

steps.delete_user = function(force, name)
  local user = decoded(redis.call('HGET', USERS, name))
  if force == '0' and user and isAdmin(user) and not hasOtherAdmin(name) then return TAKES_LAST_ADMIN end
  if redis.call('HDEL', USERS, name) == 0 then return 0 end
  local principals = { 'user:' .. name }
  keysOf(name, principals)
  for _, id in ipairs(redis.call('SMEMBERS', KEYS_OF .. name)) do
    removeKey(id, decoded(redis.call('HGET', KEYS_BY_ID, id)) or { digest = '', user = name })
  end
  endAll(name, '', principals)
  changed(principals)
  return 1
end

steps.set_role = function(force, name, json)
  if redis.call('HGET', ROLES, name) == json then return 1 end
  if force == '0' and managesPeople(name) and not cjson.decode(json).grants.admin then
    local has = function(user) return user.role == name end
    local has_another = function(user) return user.role ~= name end
    if hasAdmin(has) and not hasAdmin(has_another) then return TAKES_LAST_ADMIN end
  end
  redis.call('HSET', ROLES, name, json)
  changed({ '*' })
  return 1
end

steps.delete_role = function(name)
  for _, json in ipairs(redis.call('HVALS', USERS)) do
    if (decoded(json) or {}).role == name then return 0 end
  end
  if redis.call('HDEL', ROLES, name) == 0 then return 0 end
  changed({ '*' })
  return 1
end

steps.add_key = function(id, digest, user, used, json)
  if redis.call('SCARD', KEYS_OF .. user) >= MAX_KEYS then return 0 end
  if redis.call('HSETNX', KEYS_BY_ID, id, json) == 0 then return 0 end
  redis.call('HSET', DIGESTS, digest, id)
  redis.call('SADD', KEYS_OF .. user, id)
  if tonumber(used) > 0 then redis.call('HSET', USES, id, used) end
  changed({ 'added:key:' .. id })
  return 1
end

steps.key_by_digest = function(digest)
  local id = redis.call('HGET', DIGESTS, digest)
  if not id then return false end
  return { redis.call('HGET', KEYS_BY_ID, id), redis.call('HGET', USES, id) or '0' }
end

steps.revoke_key = function(id)
  local key = decoded(redis.call('HGET', KEYS_BY_ID, id))
  if not key then return 0 end
  removeKey(id, key)
  changed({ 'key:' .. id })
  return 1
end

steps.key_used = function(id, now)
  if redis.call('HEXISTS', KEYS_BY_ID, id) == 0 then return 0 end
  if tonumber(now) - tonumber(redis.call('HGET', USES, id) or 0) < NOTE_MS then return 0 end
  return redis.call('HSET', USES, id, now)
end

steps.add_session = function(digest, user, created, seen, expires, json)
  local others = SESSIONS_OF .. user
  for _, other in ipairs(redis.call('ZRANGE', others, 0, -1)) do
    if not session(other) then redis.call('ZREM', others, other) end
  end
  local ended = {}
  for _, oldest in ipairs(redis.call('ZRANGE', others, 0, -MAX_SESSIONS)) do endOne(user, oldest, ended) end
  if #ended > 0 then changed(ended) end
  redis.call('HSET', SESSION .. digest, 'json', json, 'seen', seen, 'revision', text(revision()))
  expire(digest, seen, expires)
  redis.call('ZADD', others, created, digest)
  -- Nobody else's session begins later than this one ends; without a new one the list is not needed any longer.
  redis.call('PEXPIREAT', others, expires, 'NX')
  redis.call('PEXPIREAT', others, expires, 'GT')
  return 1
end

steps.session = function(digest)
  return session(digest) or false
end

steps.session_used = function(digest, now)
  local found = session(digest)
  if not found or tonumber(now) - tonumber(found[2]) < NOTE_MS then return 0 end
  redis.call('HSET', SESSION .. digest, 'seen', now)
  expire(digest, now, decoded(found[1]).expires)
  return 1
end

steps.session_of = function(user, id)
  local digest = digestOf(user, id)
  return digest and session(digest) or false
end

steps.sessions_of = function(user)
  local found = {}
  for _, digest in ipairs(redis.call('ZREVRANGE', SESSIONS_OF .. user, 0, -1)) do
    local one = session(digest)
    if one then table.insert(found, one) end
  end
  return found
end

steps.end_session = function(user, id)
  local digest, ended = digestOf(user, id), {}
  if digest then endOne(user, digest, ended) end
  if #ended > 0 then changed(ended) end
  return #ended
end

steps.end_sessions = function(user, except)
  local ended = {}
  endAll(user, except, ended)
  if #ended > 0 then changed(ended) end
  return #ended
end

steps.revision = function()
  return 0
end

-- A revision is known while one of its changes is in the list.
steps.changes_since = function(since)
  if tonumber(since) == revision() then return {} end
  if redis.call('ZCOUNT', CHANGES, since, since) == 0 then return { '*' } end
  local principals = {}
  for _, change in ipairs(redis.call('ZRANGEBYSCORE', CHANGES, '(' .. since, '+inf')) do
    table.insert(principals, string.match(change, '^%d+:(.*)$'))
  end
  return principals
end

local answer = steps[STEP](unpack(ARGV, 11))
return { text(revision()), answer }
