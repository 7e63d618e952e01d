#!lua flags=allow-oom
-- Renews a worker's heartbeat, also when Redis has no memory left: a worker without one counts as dead, and its sandboxes are reaped.
-- KEYS 1 the worker's announcement, 2 set of worker ids
-- ARGV 1 the announcement, 2 its ttl ms, 3 the worker's id
-- Returns 1 when the last heartbeat had not expired, 0 otherwise.
local held = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[3])
return held
