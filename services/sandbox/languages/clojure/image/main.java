// Comes before Clojure's own clojure.main in the class path, and does the same once it has reported READY and received START: stack traces are
// those of a plain start. A read of stdin first flushes what was printed, as on a terminal.
package clojure;

import clojure.lang.Compiler;
import clojure.lang.RT;
import clojure.lang.Symbol;
import clojure.lang.Var;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.io.Writer;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

public class main {
  static {
    // Before the first use of RT, which makes *in* of it.
    System.setIn(new Asking(System.in));
  }

  private static final Symbol CLOJURE_MAIN = Symbol.intern("clojure.main");
  private static final Var REQUIRE = RT.var("clojure.core", "require");
  private static final Var MAIN = RT.var("clojure.main", "main");
  // Reader, compiler, checks of macros, and what reports an uncaught exception are loaded and have run once.
  private static final String USUAL =
      "(require 'clojure.pprint) (with-out-str (let [[y] [{:z [1]}] {:keys [z]} y] (doseq [a z] (println (str a) a)))"
          + " (clojure.pprint/pprint (Throwable->map (ex-info \"\" {}))))";

  public static void main(String[] args) {
    RT.init();
    REQUIRE.invoke(CLOJURE_MAIN);
    MAIN.applyTo(RT.seq(started(args)));
  }

  private static String[] started(String[] args) {
    Compiler.load(new StringReader(USUAL));
    try {
      FileDescriptor control = descriptor(3);
      List<String> arguments = new ArrayList<>(List.of(args));
      try (FileInputStream in = new FileInputStream(control)) {
        new FileOutputStream(control).write((RT.var("clojure.core", "clojure-version").invoke() + "\n").getBytes());
        for (String word : new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\0")) {
          if (word.startsWith("A")) arguments.add(word.substring(1));
          else if (word.startsWith("E")) setVariable(word.substring(1));
        }
      }
      return arguments.toArray(new String[0]);
    } catch (IOException | ReflectiveOperationException error) {
      throw new IllegalStateException(error);
    }
  }

  private static FileDescriptor descriptor(int number) throws ReflectiveOperationException {
    var make = FileDescriptor.class.getDeclaredConstructor(int.class);
    make.setAccessible(true);
    return make.newInstance(number);
  }

  // The environment is a map that has no other way to be written.
  @SuppressWarnings("unchecked")
  private static void setVariable(String entry) throws ReflectiveOperationException {
    var field = Class.forName("java.lang.ProcessEnvironment").getDeclaredField("theEnvironment");
    field.setAccessible(true);
    int equals = entry.indexOf('=');
    ((Map<Object, Object>) field.get(null)).put(part("Variable", entry.substring(0, equals)), part("Value", entry.substring(equals + 1)));
  }

  private static Object part(String kind, String text) throws ReflectiveOperationException {
    Method valueOf = Class.forName("java.lang.ProcessEnvironment$" + kind).getDeclaredMethod("valueOf", String.class);
    valueOf.setAccessible(true);
    return valueOf.invoke(null, text);
  }

  private static final class Asking extends InputStream {
    private final InputStream in;

    Asking(InputStream in) {
      this.in = in;
    }

    private static void show() throws IOException {
      ((Writer) RT.OUT.getRawRoot()).flush();
    }

    @Override
    public int read() throws IOException {
      show();
      return in.read();
    }

    @Override
    public int read(byte[] bytes, int at, int length) throws IOException {
      show();
      return in.read(bytes, at, length);
    }

    @Override
    public int available() throws IOException {
      return in.available();
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}
