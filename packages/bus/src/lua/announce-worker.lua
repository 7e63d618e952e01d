#!lua flags=allow-oom
-- Records a heartbeat, even when Redis is out of memory: a silent worker counts as dead, and its sandboxes as orphaned.
-- KEYS 1 what the worker says of itself, 2 set of worker ids
-- ARGV 1 its word, 2 how long that holds ms, 3 its id
-- Returns 1 when its last word held until now, 0 otherwise.
local held = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[3])
return held
