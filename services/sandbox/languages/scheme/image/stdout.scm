;; Loaded before the program: what is printed shows at once on a pipe, as on a terminal.
(setvbuf (current-output-port) (quote none))
