// expect: files named like the compiler's own parts are not taken for them, and arguments do not reach the compiler
// check: status=ok stdout~/^plain 3$/ stdout!~/CAUGHT/ compile!~/CAUGHT/ max_wall=12
// with: {"files":[{"name":"specs","content":"*cc1:\nCAUGHT\n"},{"name":"cc1","content":"#!/bin/sh\necho CAUGHT\n"},{"name":"as","content":"#!/bin/sh\necho CAUGHT\n"},{"name":"ld","content":"#!/bin/sh\necho CAUGHT\n"},{"name":"main","content":"#!/bin/sh\necho CAUGHT\n"},{"name":"stdio.h","content":"#error CAUGHT\n"},{"name":"main.c.gch","content":"CAUGHT"},{"name":"libm.so","content":"INPUT(/tmp/CAUGHT)"},{"name":"crt1.o","content":"CAUGHT"},{"name":"gcc","content":"CAUGHT"}],"args":["-fplugin=/tmp/CAUGHT.so","@/tmp/specs","-x"]}
#include <stdio.h>
int main(int argc, char **argv) { (void)argv; printf("plain %d\n", argc - 1); }
