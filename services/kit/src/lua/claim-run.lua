#!lua flags=allow-oom
-- Claims a queued run for one worker and, where asked to, tells its gateway, in one step; takes the entry off the queue whatever the outcome.
-- KEYS 1 run hash, 2 queue stream, 3 reply stream of the gateway
-- ARGV 1 group, 2 entry id, 3 worker id, 4 run id, 5 worker's gRPC address, 6 longest reply stream, 7 whether to tell (1 or 0)
-- Returns the epoch of the claim, or 0: somebody else has it, or it was cancelled, or it is forgotten.
redis.call('XACK', KEYS[2], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[2], ARGV[2])
if redis.call('HGET', KEYS[1], 'state') ~= 'queued' then
  return 0
end
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'state', 'claimed', 'worker', ARGV[3])
if ARGV[7] == '1' then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'run', ARGV[4], 'epoch', epoch, 'worker', ARGV[3], 'address', ARGV[5])
  redis.call('PEXPIRE', KEYS[3], 60000)
end
return epoch
