-- The state of the log.
-- ARGV: 4 'read' if it may write nothing.
-- Returns { token, start, head, then each rollback as "restored:lifted" }.
READ_ONLY = ARGV[4] == 'read'
local log = checked()
local state = { log.token, int(log.start), int(log.n) }
for _, range in ipairs(redis.call('LRANGE', P .. 'rollbacks', 0, -1)) do state[#state + 1] = range end
return state
