// expect: endless warnings are cut at 64 KB and end with the compile step's clock; nobody's memory grows
// check: status=compile_error|memory_limit compile_bytes<70000 max_wall=14 after=rss_flat,no_orphans,next_run_ok
#pragma GCC warning "flood flood flood flood flood flood flood flood flood flood flood flood flood flood flood flood"
#include __FILE__
#include __FILE__
