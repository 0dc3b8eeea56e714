// One tier in Java: requests are handed to a pool of threads. java Tier.java TRUTH HEADERS [HOST:PORT ...]; see tier.py.
import com.sun.net.httpserver.HttpServer;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.concurrent.Executors;

public class Tier {
    private static final SecureRandom RANDOM = new SecureRandom();

    private static String name(int bytes) {
        byte[] made = new byte[bytes];
        RANDOM.nextBytes(made);
        return HexFormat.of().formatHex(made);
    }

    public static void main(String[] words) throws Exception {
        Path truth = Path.of(words[0]);
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 256);
        server.setExecutor(Executors.newFixedThreadPool(16));
        server.createContext("/", exchange -> {
            String parent = exchange.getRequestURI().getPath().substring(1);
            String trace = exchange.getRequestHeaders().getFirst("X-B3-TraceId");
            for (int at = 2; at < words.length; at++) {
                String child = "id-" + name(6);
                Files.writeString(truth, parent + " " + child + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
                HttpURLConnection asked = (HttpURLConnection) URI.create("http://" + words[at] + "/" + child).toURL().openConnection();
                if (words[1].equals("b3") && trace != null) {
                    asked.setRequestProperty("X-B3-TraceId", trace);
                    asked.setRequestProperty("X-B3-ParentSpanId", exchange.getRequestHeaders().getFirst("X-B3-SpanId"));
                    asked.setRequestProperty("X-B3-SpanId", name(8));
                }
                asked.getInputStream().readAllBytes();
            }
            exchange.sendResponseHeaders(200, 2);
            exchange.getResponseBody().write("ok".getBytes());
            exchange.close();
        });
        server.start();
        System.out.println(server.getAddress().getPort());
    }
}
