#!lua flags=allow-oom
-- Reads an artifact, and notes its use. The bookkeeping of one whose time was up is put right.
-- KEYS 1 the artifact, 2 sorted set of names by last use, 3 hash of sizes by name, with their sum under 'total'
-- ARGV 1 its name, 2 now ms, 3 ttl ms
-- Returns its bytes | nil
local bytes = redis.call('GET', KEYS[1])
if bytes then
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return bytes
end
local size = redis.call('HGET', KEYS[3], ARGV[1])
if size then
  redis.call('HINCRBY', KEYS[3], 'total', -tonumber(size))
  redis.call('HDEL', KEYS[3], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return nil
