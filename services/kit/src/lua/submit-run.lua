#!lua
-- Accepts a run: checks the token's nonce, the address's rate and the queue's length, then queues it. All or nothing.
-- The nonce remembers its run, so that the same call sent again (a connection lost before the answer) is not taken for a replay.
-- KEYS 1 nonce, 2 rate counter, 3 queue stream, 4 run hash
-- ARGV 1 nonce ttl ms, 2 runs allowed in the window, 3 window ms, 4 longest queue, 5 request JSON, 6 gateway id, 7 run ttl ms
-- Returns {'ok', position} | {'replayed', 0} | {'rate', ms to wait} | {'full', length}
local spent = redis.call('GET', KEYS[1])
if spent == KEYS[4] then
  return { 'ok', redis.call('XLEN', KEYS[3]) }
elseif spent then
  return { 'replayed', 0 }
end
local used = tonumber(redis.call('GET', KEYS[2]) or '0')
if used >= tonumber(ARGV[2]) then
  return { 'rate', math.max(1, redis.call('PTTL', KEYS[2])) }
end
local length = redis.call('XLEN', KEYS[3])
if length >= tonumber(ARGV[4]) then
  return { 'full', length }
end
redis.call('SET', KEYS[1], KEYS[4], 'PX', ARGV[1])
if redis.call('INCR', KEYS[2]) == 1 then
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
local entry = redis.call('XADD', KEYS[3], '*', 'request', ARGV[5])
redis.call('HSET', KEYS[4], 'state', 'queued', 'epoch', '0', 'gateway', ARGV[6], 'entry', entry)
redis.call('PEXPIRE', KEYS[4], ARGV[7])
return { 'ok', length }
