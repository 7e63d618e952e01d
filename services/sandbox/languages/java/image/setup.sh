# The launcher, the compiler that waits, and archives of the classes that both begin with.
set -eu
home=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
gcc -O2 -Wall -Wextra -Werror -o launcher launcher.c -I"$home/include" -I"$home/include/linux" \
  -L"$home/lib/server" -ljvm -Wl,-rpath,"$home/lib/server" -lpthread
mkdir classes
javac -d classes Compiler.java Rehearsal.java
jar --create --file compiler.jar -C classes .
cd /tmp
echo 'public class Main { public static void main(String[] a) { System.out.printf("%s %d%n", "x", 1); } }' > Main.java
java -XX:ArchiveClassesAtExit=/rungrid/language/compile.jsa -XX:+UseSerialGC -cp /rungrid/language/compiler.jar Compiler
rm -f main.jar Main.java
cd /rungrid/language
rm -r classes launcher.c Compiler.java Rehearsal.java
# Tools that neither step uses.
apt-get purge -y gcc libc6-dev > /dev/null
apt-get autoremove -y > /dev/null
rm -rf "$home"/bin/j[d-s]* "$home/lib/src.zip" "$home/jmods" "$home/lib/ct.sym"
