#!lua flags=allow-oom
-- Notifies a gateway of a claim that it may not know of: its stream to the worker was lost.
-- KEYS 1 reply stream of the gateway
-- ARGV 1 run id, 2 epoch, 3 worker id, 4 worker's gRPC address, 5 longest reply stream
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], '*', 'run', ARGV[1], 'epoch', ARGV[2], 'worker', ARGV[3], 'address', ARGV[4])
redis.call('PEXPIRE', KEYS[1], 60000)
