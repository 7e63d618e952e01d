#!lua flags=allow-oom
-- Claims a queued run for one worker and, where asked to, notifies its gateway, in one step; takes the entry off the queue whatever the outcome.
-- KEYS 1 run hash, 2 queue stream, 3 reply stream of the gateway, 4 queued runs by address and site, 5 pace of claims
-- ARGV 1 group, 2 entry id, 3 worker id, 4 run id, 5 worker's gRPC address, 6 longest reply stream, 7 whether to notify (1 or 0),
-- 8 how long to remember which worker holds it, ms
-- Returns the epoch of the claim, or 0: another worker has it, or it was cancelled, or Redis has forgotten it.
redis.call('XACK', KEYS[2], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[2], ARGV[2])
local state, known, who, site = unpack(redis.call('HMGET', KEYS[1], 'state', 'epoch', 'who', 'site'))
if state ~= 'queued' then
  return 0
end
-- It is queued no more: see submit-run.
if who then
  for _, name in ipairs({ who, site or nil }) do
    if redis.call('HINCRBY', KEYS[4], name, -1) <= 0 then
      redis.call('HDEL', KEYS[4], name)
    end
  end
  redis.call('HDEL', KEYS[1], 'who', 'site')
end
-- How many were claimed in this stretch of five seconds, and in the one before.
local seconds = tonumber(redis.call('TIME')[1])
local since, now = unpack(redis.call('HMGET', KEYS[5], 'since', 'now'))
local elapsed = seconds - tonumber(since or '0')
if elapsed >= 0 and elapsed < 5 then
  redis.call('HINCRBY', KEYS[5], 'now', 1)
else
  local before = elapsed >= 5 and elapsed < 10 and now or 0
  redis.call('HSET', KEYS[5], 'since', seconds, 'now', 1, 'before', before)
  redis.call('PEXPIRE', KEYS[5], 60000)
end
-- By the clock as well as by count: a Redis that restarts with older data must not give out an epoch twice.
local epoch = math.max(tonumber(known or '0') + 1, seconds)
redis.call('HSET', KEYS[1], 'state', 'claimed', 'epoch', epoch, 'worker', ARGV[3], 'address', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[8])
if ARGV[7] == '1' then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'run', ARGV[4], 'epoch', epoch, 'worker', ARGV[3], 'address', ARGV[5])
  redis.call('PEXPIRE', KEYS[3], 60000)
end
return epoch
