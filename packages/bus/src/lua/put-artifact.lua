#!lua
-- Keeps an artifact, and takes the least recently used off the books until all of them fit. Their bytes are the caller's to delete: a script
-- may touch declared keys only, and which ones go is known in here.
-- KEYS 1 the artifact, 2 sorted set of names by last use, 3 hash of sizes by name, with their sum under 'total'
-- ARGV 1 its name, 2 its bytes, 3 now ms, 4 ttl ms, 5 most bytes of all
-- Returns the names of those that went, at most 64: the rest goes with later ones
local size = string.len(ARGV[2])
local function forget(name)
  local old = redis.call('HGET', KEYS[3], name)
  if old then
    redis.call('HINCRBY', KEYS[3], 'total', -tonumber(old))
    redis.call('HDEL', KEYS[3], name)
  end
  redis.call('ZREM', KEYS[2], name)
end
if size > tonumber(ARGV[5]) then
  return {}
end
forget(ARGV[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], size)
local total = redis.call('HINCRBY', KEYS[3], 'total', size)
local evicted = {}
while total > tonumber(ARGV[5]) and #evicted < 64 do
  local name = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if not name or name == ARGV[1] then
    break
  end
  forget(name)
  evicted[#evicted + 1] = name
  total = tonumber(redis.call('HGET', KEYS[3], 'total'))
end
return evicted
