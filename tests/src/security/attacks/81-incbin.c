// expect: the assembler can not put files of PID 1 into the program either
// check: status=compile_error compile!~/(?i)redis|secret|token/ max_wall=12
__asm__(".section .rodata\n.global stolen\nstolen:\n.incbin \"/proc/1/environ\"\n.incbin \"/proc/1/mem\"\n.incbin \"/etc/shadow\"\n.byte 0\n");
extern const char stolen[];
int puts(const char *);
int main(void) { return puts(stolen); }
