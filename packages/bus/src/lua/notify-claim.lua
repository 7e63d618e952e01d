#!lua flags=allow-oom
-- Sends a claim notice to a gateway whose stream to the worker was lost.
-- KEYS 1 reply stream of the gateway
-- ARGV 1 run id, 2 epoch, 3 worker id, 4 worker's gRPC address, 5 longest reply stream
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], '*', 'run', ARGV[1], 'epoch', ARGV[2], 'worker', ARGV[3], 'address', ARGV[4])
redis.call('PEXPIRE', KEYS[1], 60000)
