;; Loaded by the warm guile before the program (-l): reports READY, waits for START, and compiles the program as guile does by default.
(let* ((control (fdopen 3 "r+b"))
       (compile-file (@ (system base compile) compile-file))
       (program "/tmp/main.scm"))

  ;; The default compiles at level 2, which takes ten times as long; at level 1 errors name their lines just as well.
  (define (compile)
    (compile-file program #:env (current-module) #:optimization-level 1 #:opts %auto-compilation-options))

  ;; What stands before each NUL.
  (define (words text)
    (let loop ((rest (string-split text #\nul)) (found '()))
      (if (null? (cdr rest))
          (reverse found)
          (loop (cdr rest) (cons (car rest) found)))))

  ;; Compiler and usual libraries are loaded and have run once.
  (for-each resolve-interface '((ice-9 rdelim) (ice-9 format) (ice-9 match) (srfi srfi-1)))
  (let ((scratch "/tmp/main.go"))
    (call-with-output-file program
      (lambda (port)
        (write '(use-modules (ice-9 rdelim) (ice-9 format) (srfi srfi-1)) port)
        (write '(define (f x) (let loop ((i x)) (if (zero? i) (map f '()) (loop (- i 1))))) port)
        (write '(format #t "~a" (f 1)) port)))
    (compile-file program #:optimization-level 1 #:opts %auto-compilation-options #:output-file scratch)
    (delete-file scratch)
    (delete-file program))

  (display (string-append (version) "\n") control)
  (force-output control)
  (set-port-encoding! control "UTF-8")
  (set-port-conversion-strategy! control 'escape)
  (for-each
   (lambda (word)
     (let ((rest (substring word 1)))
       (if (char=? (string-ref word 0) #\A)
           (set-program-arguments (append (program-arguments) (list rest)))
           (putenv rest))))
   (words ((@ (ice-9 textual-ports) get-string-all) control)))
  (close-port control)
  ;; What is printed shows at once on a pipe, as on a terminal.
  (setvbuf (current-output-port) 'none)
  ;; The load that follows reports an error, as for any program.
  (false-if-exception (compile)))
