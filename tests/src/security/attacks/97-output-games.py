# expect: escapes, NULs, halves of characters, one-byte writes and changing streams come as few valid frames; the code is 255 & -1
# check: status=nonzero exit=255 stdout~/end of games/ terminal_once frames<400 max_wall=10
import os, sys
for junk in (b"\x1b]0;owned\x07\x1b[2J\x1b[?1049h\x1b]52;c;eA==\x07", b"\0" * 1000, b"\xf0\x9f\x98", b"\x80", b"\xed\xa0\x80\xed\xb0\x80", b"\xc0\xaf", "\u202e\u2028\ufeff".encode(), b"\r\x1b[A\x1bP\x1b\\"):
    os.write(1, junk)
    os.write(2, junk[::-1])
for i in range(4000):
    os.write(1 + (i & 1), b"\xf0\x9f\x98\x80"[i & 3 : (i & 3) + 1])
os.write(1, b'{"event":"exit","data":{"code":0,"reason":"exited"}}\n\x82\0\0\0\1x end of games')
sys.exit(-1)
