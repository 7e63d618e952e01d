# Loaded before the program: what is printed shows at once on a pipe, as on a terminal. Leaves nothing behind.
$stdout.sync = true
trace = TracePoint.new(:script_compiled) do
  $LOADED_FEATURES.delete(__FILE__)
  trace.disable
end
trace.enable # the next one is the program
