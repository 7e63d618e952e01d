// expect: a fork bomb that never looks at errors does not crawl through EAGAIN: process_limit within a second of the limit
// check: status=process_limit max_wall=6 after=co_tenant_ok,no_orphans,next_run_ok
#include <unistd.h>
int main(void) { for (;;) fork(); }
