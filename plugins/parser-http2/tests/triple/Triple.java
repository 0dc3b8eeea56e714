// A provider and a consumer of Apache Dubbo's Triple in one process; what dubbo-3.2-triple.pcap was made with:
//
//   mvn dependency:copy -Dartifact=org.apache.dubbo:dubbo:3.2.14 -DoutputDirectory=lib   (the same for netty-all 4.1.110.Final,
//       protobuf-java 3.25.5, hessian-lite 3.2.13, fastjson2 2.0.53, javassist 3.30.2-GA, slf4j-api 1.7.36 and netty's own parts)
//   javac -cp 'lib/*' Triple.java
//   tcpdump -i lo -U -w dubbo-3.2-triple.pcap tcp port 26050 &
//   java --add-opens java.base/java.lang=ALL-UNNAMED --add-opens java.base/java.math=ALL-UNNAMED -cp 'lib/*:.' Triple 26050
import java.util.*;
import org.apache.dubbo.config.*;
import org.apache.dubbo.rpc.RpcContext;

public class Triple {
  public static class Order implements java.io.Serializable {
    public String item;
    public int count;
  }

  public interface Shop {
    String greet(String name);
    Order buy(Order order, int[] counts);
    void fail(String why);
    List<Order> list(int count);
  }

  public static class Impl implements Shop {
    public String greet(String name) { return "hello " + name; }
    public Order buy(Order order, int[] counts) { return order; }
    public void fail(String why) { throw new IllegalStateException(why); }
    public List<Order> list(int count) {
      List<Order> all = new ArrayList<>();
      for (int i = 0; i < count; i++) { Order order = new Order(); order.item = "item " + i; all.add(order); }
      return all;
    }
  }

  static Shop shop(ApplicationConfig app, int port, String version, String group) {
    ReferenceConfig<Shop> reference = new ReferenceConfig<>();
    reference.setApplication(app);
    reference.setInterface(Shop.class);
    reference.setVersion(version);
    if (group != null) reference.setGroup(group);
    reference.setCheck(false);
    reference.setRetries(0);
    reference.setTimeout(20000);
    reference.setUrl("tri://127.0.0.1:" + port + "/Triple$Shop?serialization=hessian2");
    return reference.get();
  }

  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[0]);
    ApplicationConfig app = new ApplicationConfig("shop-provider");
    app.setQosEnable(false);
    ProtocolConfig protocol = new ProtocolConfig("tri", port);
    protocol.setHost("127.0.0.1");
    ServiceConfig<Shop> service = new ServiceConfig<>();
    service.setApplication(app);
    service.setRegistry(new RegistryConfig("N/A"));
    service.setProtocol(protocol);
    service.setInterface(Shop.class);
    service.setRef(new Impl());
    service.setVersion("1.0.0");
    service.setGroup("blue");
    service.export();
    Shop shop = shop(app, port, "1.0.0", "blue");
    RpcContext.getContext().setAttachment("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    System.out.println(shop.greet("w\u00f6rld"));
    Order order = new Order();
    order.item = "book";
    RpcContext.getContext().setAttachment("sw8", "1-YzgxNjRjYWU5MGU5NGZlNjg0OTNjMTA2ZWE5NWYxZWUuNjYuMTY2Njc5ODU0ODg1MTAwNjc=-YzgxNjRjYWU5MGU5NGZlNjg0OTNjMTA2ZWE5NWYxZWUuNjYuMTY2Njc5ODU0ODg1MTAwNjY=-3-c2hvcC13ZWI=-x-y-z");
    System.out.println(shop.buy(order, new int[] {1, 2, 3}).item);
    try { shop.fail("no stock"); } catch (Exception error) { System.out.println(error.getMessage()); }
    System.out.println(shop.list(20).size());
    RpcContext.getContext().setAttachment("X-B3-TraceId", "80f198ee56343ba864fe8b2a57d3eff7");
    RpcContext.getContext().setAttachment("X-B3-SpanId", "e457b5a2e4d86bd1");
    System.out.println(RpcContext.getContext().asyncCall(() -> shop.greet("later")).get());
    try { System.out.println(shop(app, port, "9.9.9", null).greet("nobody")); } catch (Exception error) { System.out.println(error); }
    Thread.sleep(500);
    System.exit(0);
  }
}
