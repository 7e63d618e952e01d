// The self-test's program: runs where a visitor's would, tries what must fail, and reports what it found. It changes nothing.
#include "probe.h"

#include <stdio.h>

int main(void) {
  report_self();
  report_files();
  report_reach();
  // The last line: a report without it was cut short, and fails.
  (void)puts("done yes");
  return fflush(stdout) == 0 ? 0 : 1;
}
