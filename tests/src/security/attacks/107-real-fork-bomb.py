# expect: the classic: whoever meets the limit dies of it, the others go on; it ends as process_limit within a second of the limit
# check: status=process_limit|output_limit max_wall=5 after=co_tenant_ok,no_orphans,next_run_ok
import os
while True:
    os.fork()
