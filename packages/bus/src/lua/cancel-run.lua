#!lua flags=allow-oom
-- Cancels a run that no worker has claimed.
-- KEYS 1 run hash, 2 queue stream, 3 queued runs by address and site
-- ARGV 1 group
-- Returns 1 when it was still queued and is cancelled now, 0 otherwise.
if redis.call('HGET', KEYS[1], 'state') ~= 'queued' then
  return 0
end
redis.call('HSET', KEYS[1], 'state', 'cancelled')
for _, name in ipairs(redis.call('HMGET', KEYS[1], 'who', 'site')) do
  if name and redis.call('HINCRBY', KEYS[3], name, -1) <= 0 then
    redis.call('HDEL', KEYS[3], name)
  end
end
local entry = redis.call('HGET', KEYS[1], 'entry')
pcall(redis.call, 'XACK', KEYS[2], ARGV[1], entry)
redis.call('XDEL', KEYS[2], entry)
return 1
