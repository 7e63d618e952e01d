#!lua
-- Accepts a run: checks the token's nonce, the address's rate, the expected wait and the shares of the queue, then queues it. All or nothing.
-- The nonce remembers its run, so that the same call sent again (a connection lost before the answer) is not taken for a replay.
-- KEYS 1 nonce, 2 rate counter, 3 queue stream, 4 run hash, 5 queued runs by address and site, 6 pace of claims
-- ARGV 1 nonce ttl ms, 2 runs allowed in the window, 3 window ms, 4 longest queue, 5 request JSON, 6 run ttl ms, 7 longest wait ms,
-- 8 who (hash of the address), 9 an address's share of the queue, 10 site (hash of the origin, or ''), 11 a site's share
-- Returns {'ok', position} | {'replayed', 0} | {'rate', ms to wait} | {'full', ms to wait} | {'share', ms to wait}

-- A head that waits for longer is a backlog: workers claim as fast as they can, so the pace of claims is their capacity.
local BACKLOG_MS = 500
local PACE_S = 5
-- When to retry where the pace is unknown, ms; and how many runs are never refused for their share.
local RETRY_MS = 2000
local FREE = 4

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
  return { 'full', RETRY_MS }
elseif length == 0 then
  -- Runs that Redis forgot were counted and never discounted: an empty queue resets the counts.
  redis.call('DEL', KEYS[5])
else
  local clock = redis.call('TIME')
  local seconds = tonumber(clock[1])
  local head = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1]
  local age = seconds * 1000 + tonumber(clock[2]) / 1000 - tonumber(string.match(head[1], '^%d+'))
  local since, now, before = unpack(redis.call('HMGET', KEYS[6], 'since', 'now', 'before'))
  local elapsed = seconds - tonumber(since or '0')
  if age > BACKLOG_MS and elapsed < 2 * PACE_S then
    local pace = (tonumber(now) + tonumber(before)) / (PACE_S + math.max(1, elapsed))
    local wait = length / pace * 1000
    local longest = tonumber(ARGV[7])
    if wait > longest then
      return { 'full', math.ceil(wait - longest) }
    end
    local room = pace * longest / 1000
    local who, site = unpack(redis.call('HMGET', KEYS[5], ARGV[8], ARGV[10]))
    if tonumber(who or '0') >= math.max(FREE, room * tonumber(ARGV[9])) then
      return { 'share', math.ceil(1000 / pace) }
    elseif ARGV[10] ~= '' and tonumber(site or '0') >= math.max(FREE, room * tonumber(ARGV[11])) then
      return { 'share', math.ceil(1000 / pace) }
    end
  end
  redis.call('HINCRBY', KEYS[5], ARGV[8], 1)
  redis.call('HSET', KEYS[4], 'who', ARGV[8])
  if ARGV[10] ~= '' then
    redis.call('HINCRBY', KEYS[5], ARGV[10], 1)
    redis.call('HSET', KEYS[4], 'site', ARGV[10])
  end
end

redis.call('SET', KEYS[1], KEYS[4], 'PX', ARGV[1])
if redis.call('INCR', KEYS[2]) == 1 then
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
local entry = redis.call('XADD', KEYS[3], '*', 'request', ARGV[5])
redis.call('HSET', KEYS[4], 'state', 'queued', 'epoch', '0', 'entry', entry)
redis.call('PEXPIRE', KEYS[4], ARGV[6])
return { 'ok', length }
