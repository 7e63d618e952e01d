// expect: the compiler's messages show no secret of the node, the worker or PID 1, however a file is named in an include
// check: status=compile_error compile!~/(?i)redis|secret|token|docker\.sock|_KEY/ max_wall=12
#include "/proc/1/environ"
#include "/proc/self/environ"
#include "/proc/1/maps"
#include "/proc/1/root/etc/shadow"
#include "/etc/shadow"
#include "/proc/self/mountinfo"
#include "/proc/cmdline"
#include "/run/secrets/key"
#include "/var/run/docker.sock"
#include "../../../../proc/1/fd/0"
