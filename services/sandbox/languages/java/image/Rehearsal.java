// What almost every program does first, done once before there is one: its classes are loaded and its code is warm.
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Scanner;

public class Rehearsal {
    public static void run() throws Exception {
        var sink = new PrintStream(new ByteArrayOutputStream(), true, "UTF-8");
        var in = new Scanner(new ByteArrayInputStream("word 42\n".getBytes("UTF-8")));
        var counts = new HashMap<String, Integer>();
        counts.merge(in.next(), in.nextInt(), Integer::sum);
        var list = new ArrayList<String>();
        counts.forEach((word, count) -> list.add(word + " " + count + (count > 1 ? "s" : "")));
        for (var text : list) sink.printf("%s %d %.1f%n", text, list.size(), 1.5);
        sink.println(String.join(", ", list));
        try (var jar = new java.util.jar.JarFile("/rungrid/language/compiler.jar")) {
            jar.getManifest().getMainAttributes().getValue("Main-Class");
        }
    }
}
