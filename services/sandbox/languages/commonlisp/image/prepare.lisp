;;; Part of the core image: a prompt shows before its answer is read, and garbage is collected within the sandbox's memory.
(sb-ext:unlock-package "SB-IMPL")

;; As other languages on a terminal: a read of stdin first flushes what was printed.
(sb-int:encapsulate 'sb-impl::refill-input-buffer 'prompt
                    (lambda (refill stream)
                      (when (eq stream sb-impl::*stdin*)
                        (ignore-errors (force-output sb-impl::*stdout*)))
                      (funcall refill stream)))

(sb-ext:lock-package "SB-IMPL")

;; The default is a twentieth of the address space for objects: 400 MB of garbage before anything is collected.
(push (lambda () (setf (sb-ext:bytes-consed-between-gcs) (* 12 1024 1024)))
      sb-ext:*init-hooks*)
