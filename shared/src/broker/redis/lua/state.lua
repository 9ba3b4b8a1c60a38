-- The state of the log.
-- No arguments of its own.
-- Returns { token, start, head, then each rollback as "restored:lifted" }.
local log = checked()
local state = { log.token, int(log.start), int(log.n) }
for _, range in ipairs(redis.call('LRANGE', P .. 'rollbacks', 0, -1)) do state[#state + 1] = range end
return state
