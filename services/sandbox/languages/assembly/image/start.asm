; Linked into a program that has main and no _start: calls main as C does; stdin and stdout behave as on a terminal (see languages/c).
default rel

section .text
global _start
extern main, __libc_start_main, setvbuf, stdin, stdout

_start:
  xor ebp, ebp
  mov r9, rdx ; what the dynamic linker wants to be called at the end
  pop rsi     ; argc
  mov rdx, rsp
  and rsp, -16
  push rax
  push rsp
  xor r8d, r8d
  xor ecx, ecx
  lea rdi, [main]
  call __libc_start_main wrt ..plt
  hlt

like_a_terminal:
  sub rsp, 8
  mov rax, [stdout wrt ..got]
  call line_buffered
  mov rax, [stdin wrt ..got]
  call line_buffered
  add rsp, 8
  ret

; setvbuf(*rax, NULL, _IOLBF, BUFSIZ)
line_buffered:
  sub rsp, 8
  mov rdi, [rax]
  xor esi, esi
  mov edx, 1
  mov ecx, 8192
  call setvbuf wrt ..plt
  add rsp, 8
  ret

section .init_array align=8
  dq like_a_terminal

section .note.GNU-stack noalloc noexec nowrite progbits
