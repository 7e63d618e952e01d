-- Queues a run again whose claim was lost, or that Redis has forgotten; does nothing while it is queued, was cancelled, or a later claim holds it.
-- KEYS 1 run hash, 2 queue stream
-- ARGV 1 request JSON, 2 run ttl ms, 3 epoch of the claim that is known to be lost (0: none)
-- Returns {epoch, worker, address} of a later claim, or nil.
local state, epoch, entry = unpack(redis.call('HMGET', KEYS[1], 'state', 'epoch', 'entry'))
local lost = tonumber(ARGV[3])
local known = tonumber(epoch or '0')
if state == 'cancelled' then
  return nil
elseif state == 'queued' and #redis.call('XRANGE', KEYS[2], entry, entry) == 1 then
  return nil
elseif state == 'claimed' and known > lost then
  local worker, address = unpack(redis.call('HMGET', KEYS[1], 'worker', 'address'))
  return { known, worker, address }
end
local again = redis.call('XADD', KEYS[2], '*', 'request', ARGV[1])
redis.call('HSET', KEYS[1], 'state', 'queued', 'epoch', math.max(known, lost), 'entry', again)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return nil
