// expect: an endless file fills the compiler's memory: memory_limit, whatever the compiler driver says about it
// check: status=memory_limit max_wall=14 after=co_tenant_ok,next_run_ok,no_orphans
#include "/dev/zero"
