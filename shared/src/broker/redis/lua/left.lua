-- The holder that gave its lease back has stored all that it heard before, or has said what may be missing. ARGV[4]: the
-- lease.
if redis.call('GET', P .. 'leaving') == ARGV[4] then redis.call('HDEL', LOG, 'leaving') end
