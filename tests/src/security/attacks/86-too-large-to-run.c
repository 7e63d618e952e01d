// expect: a program that compiles and does not fit an address space is the program's end, not a fault of the sandbox
// check: status=compile_error|nonzero|signalled max_wall=12 after=next_run_ok
__asm__(".section .bss\n.globl big\nbig: .zero 0x7f0000000000\n.text\n");
int main(void) { return 0; }
