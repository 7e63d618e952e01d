// expect: the compile step's stdin is empty and is not the program's; devices and terminals give it nothing
// check: status=ok stdout~/^main ran$/ max_wall=12
#include "/dev/stdin"
#include "/dev/null"
#include "/proc/self/fd/0"
int puts(const char *);
int main(void) { return puts("main ran") < 0; }
