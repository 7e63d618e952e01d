// expect: memory that is not in the process's size (page tables: one page touched in every 2 MiB) is charged: memory_limit
// check: status=memory_limit max_wall=15 after=co_tenant_ok,next_run_ok,no_orphans
#include <sys/mman.h>
int main(void) {
  for (;;) {
    char *p = mmap(0, 1UL << 38, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) continue;
    for (unsigned long i = 0; i < 1UL << 38; i += 1UL << 21) p[i] = 1;
  }
}
