# Makes main.jar, a small Java of the modules that a sandbox can use, and a cache of the classes that programs begin with; then removes the large Java.
set -eu
jars=/usr/share/java/clojure.jar:/usr/share/java/core.specs.alpha.jar:/usr/share/java/spec.alpha.jar
javac -cp "$jars" -d classes main.java
# The distribution has the specs of core macros as source only; every program begins with them.
java -cp "$jars" -Dclojure.compile.path=classes clojure.lang.Compile clojure.core.specs.alpha > /dev/null
jar --create --file main.jar -C classes .
jlink --output jre --strip-java-debug-attributes --no-man-pages --no-header-files --add-modules \
  java.base,java.logging,java.management,java.naming,java.net.http,java.prefs,java.scripting,java.sql,java.xml,jdk.net,jdk.unsupported,jdk.zipfs
cp rehearsal.clj /tmp/main.clj
cd /tmp
# Descriptor 3 is an empty file here: START without arguments. The program ends with an exception.
echo answer | /rungrid/language/jre/bin/java -XX:AOTCacheOutput=/rungrid/language/clojure.aot @/rungrid/language/options /tmp/main.clj 3<> /tmp/control || true
cd /rungrid/language
[ -s clojure.aot ]
rm -r classes main.java rehearsal.clj
apt-get purge -y openjdk-25-jdk-headless openjdk-25-jre-headless ca-certificates-java java-common > /dev/null
apt-get autoremove -y --purge > /dev/null
