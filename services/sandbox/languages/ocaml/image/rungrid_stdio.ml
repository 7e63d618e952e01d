(* Linked before every program: what is printed shows at once, and an uncaught exception names the lines that it came through. *)
let () =
  Out_channel.set_buffered stdout false;
  Printexc.record_backtrace true
