// Compiles every source file in /tmp to main.jar, which names the class that holds main. Has compiled once before, so that it is warm.
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.classfile.ClassFile;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardLocation;
import javax.tools.ToolProvider;

public class Compiler {
    static final JavaCompiler TOOL = ToolProvider.getSystemJavaCompiler();
    static final String MAIN = "Main.java";

    public static void main(String[] args) throws IOException {
        var rehearsal = "public class Main { record P(int x) {} public static void main(String[] a) { for (var s : java.util.List.of(1, 2))"
            + " System.out.println(\"x\" + s + new P(s)); Runnable r = () -> {}; r.run(); } }";
        for (var i = 0; i < 3; i++) compile(List.of(new Source(MAIN, rehearsal)), new PrintWriter(PrintWriter.nullWriter()));
        // The first look at the program: a gate holds it until the program is there.
        if (!new File("/tmp/" + MAIN).exists()) System.exit(1);
        var sources = new ArrayList<Source>();
        try (var files = Files.newDirectoryStream(Path.of("/tmp"), "*.java")) {
            for (var file : files) sources.add(new Source(file.getFileName().toString(), Files.readString(file)));
        }
        sources.sort((a, b) -> a.name.compareTo(b.name));
        var classes = compile(sources, new PrintWriter(System.err, true));
        if (classes == null) System.exit(1);
        var holder = mainClass(classes);
        if (holder == null) {
            System.err.println("error: no class in " + MAIN + " has a main method");
            System.exit(1);
        }
        writeJar(classes, holder);
        // No other thread is waited for, and none matters.
        Runtime.getRuntime().halt(0);
    }

    /** A source file; its public class may have any name, as with `java Main.java`. */
    static class Source extends SimpleJavaFileObject {
        final String name;
        final String text;

        Source(String name, String text) {
            super(URI.create("string:///" + name), Kind.SOURCE);
            this.name = name;
            this.text = text;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
        }

        @Override
        public boolean isNameCompatible(String simpleName, Kind kind) {
            return kind == Kind.SOURCE && (name.equals(MAIN) || super.isNameCompatible(simpleName, kind));
        }

        @Override
        public String toString() {
            return name;
        }

        @Override
        public String getName() {
            return name;
        }
    }

    static class Output extends SimpleJavaFileObject {
        final java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();

        Output(String name) {
            super(URI.create("memory:///" + name.replace('.', '/') + ".class"), Kind.CLASS);
        }

        @Override
        public java.io.OutputStream openOutputStream() {
            return bytes;
        }
    }

    /** Classes by name in the order in which they were made; null: it does not compile. */
    static Map<String, byte[]> compile(List<Source> sources, PrintWriter diagnostics) throws IOException {
        var outputs = new LinkedHashMap<String, Output>();
        var standard = TOOL.getStandardFileManager(null, null, null);
        standard.setLocation(StandardLocation.CLASS_PATH, List.of());
        JavaFileManager manager = new ForwardingJavaFileManager<JavaFileManager>(standard) {
            @Override
            public JavaFileObject getJavaFileForOutput(Location location, String name, JavaFileObject.Kind kind, FileObject sibling) {
                return outputs.computeIfAbsent(name, Output::new);
            }
        };
        var options = List.of("-g", "-proc:none", "-implicit:none");
        if (!TOOL.getTask(diagnostics, manager, null, options, null, sources).call()) return null;
        var classes = new LinkedHashMap<String, byte[]>();
        outputs.forEach((name, output) -> classes.put(name, output.bytes.toByteArray()));
        return classes;
    }

    /** Main when it has a main method, else the first one of Main.java that has. */
    static String mainClass(Map<String, byte[]> classes) {
        String found = null;
        for (var entry : classes.entrySet()) {
            var model = ClassFile.of().parse(entry.getValue());
            var source = model.findAttribute(java.lang.classfile.Attributes.sourceFile()).map(a -> a.sourceFile().stringValue()).orElse("");
            var has = model.methods().stream().anyMatch(m -> m.methodName().equalsString("main")
                && (m.methodType().equalsString("([Ljava/lang/String;)V") || m.methodType().equalsString("()V")));
            if (!has || !source.equals(MAIN)) continue;
            if (entry.getKey().equals("Main")) return "Main";
            if (found == null) found = entry.getKey();
        }
        return found;
    }

    static void writeJar(Map<String, byte[]> classes, String holder) throws IOException {
        var manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().put(Attributes.Name.MAIN_CLASS, holder);
        try (var jar = new JarOutputStream(Files.newOutputStream(Path.of("/tmp/main.jar")), manifest)) {
            jar.setLevel(0);
            for (var entry : classes.entrySet()) {
                jar.putNextEntry(new JarEntry(entry.getKey().replace('.', '/') + ".class"));
                jar.write(entry.getValue());
            }
        }
    }
}
