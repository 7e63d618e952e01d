// Linked into every program in place of GHC's own main: the same, after Stdio.hs has prepared stdin and stdout.
#include <HsFFI.h>
#include <Rts.h>

extern StgClosure ZCMain_main_closure;
extern void rungrid_stdio(void);

int main(int argc, char **argv) {
  RtsConfig config = defaultRtsConfig;
  config.rts_hs_main = true;
  hs_init_ghc(&argc, &argv, config);
  rungrid_stdio();
  Capability *capability = rts_lock();
  rts_evalLazyIO(&capability, &ZCMain_main_closure, NULL);
  SchedulerStatus status = rts_getSchedStatus(capability);
  rts_unlock(capability);
  int code = EXIT_SUCCESS;
  switch (status) {
    case Success: break;
    case Killed:
      errorBelch("main thread exited (uncaught exception)");
      code = EXIT_KILLED;
      break;
    case Interrupted:
      errorBelch("interrupted");
      code = EXIT_INTERRUPTED;
      break;
    case HeapExhausted: code = EXIT_HEAPOVERFLOW; break;
    default: barf("main thread completed with invalid status");
  }
  shutdownHaskellAndExit(code, 0);
}
