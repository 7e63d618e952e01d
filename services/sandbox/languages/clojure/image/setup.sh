# An archive of the classes that every program begins with.
set -eu
echo '(println 1)' > /tmp/main.clj
java -XX:ArchiveClassesAtExit=/rungrid/language/clojure.jsa -Xmx64m -XX:+UseSerialGC \
  -cp /usr/share/java/clojure.jar:/usr/share/java/core.specs.alpha.jar:/usr/share/java/spec.alpha.jar clojure.main /tmp/main.clj > /dev/null
