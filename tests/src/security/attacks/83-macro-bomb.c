// expect: macros that grow without end meet the memory limit or the compile step's clock
// check: status=memory_limit|compile_error max_wall=14 after=co_tenant_ok,next_run_ok,no_orphans
#define A(x) x x x x x x x x x x
#define B(x) A(A(A(x)))
#define C(x) B(B(B(x)))
const char *bomb = C("0123456789");
