// A provider and a consumer of Apache Dubbo in one process: run by make_captures.py. Arguments: port, serialization.
import java.util.*;
import org.apache.dubbo.config.*;
import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.service.GenericService;

public class Peer {
  public static class Order implements java.io.Serializable {
    public String item; public int count; public List<String> tags = new ArrayList<>(List.of("new", "gift")); public Date at = new Date(1700000000000L);
    public Map<String, Object> more = new HashMap<>(Map.of("price", 9.5, "big", 1L << 40, "bytes", new byte[300]));
  }
  public interface Shop {
    String greet(String name); Order buy(Order order, int[] counts, double price); void fail(String why); String none(); List<Order> list(int count);
  }
  public static class Impl implements Shop {
    public String greet(String name) { return "hello " + name; }
    public Order buy(Order order, int[] counts, double price) { return order; }
    public void fail(String why) { throw new IllegalStateException(why); }
    public String none() { return null; }
    public List<Order> list(int count) { List<Order> all = new ArrayList<>(); for (int i = 0; i < count; i++) { Order o = new Order(); o.item = "item " + i; all.add(o); } return all; }
  }
  static void call(java.util.concurrent.Callable<Object> what) {
    try { System.out.println(what.call()); } catch (Exception error) { System.out.println(error.getClass().getSimpleName()); }
  }
  public static void main(String[] a) throws Exception {
    int port = Integer.parseInt(a[0]); String serialization = a[1];
    ServiceConfig<Shop> service = new ServiceConfig<>();
    ApplicationConfig app = new ApplicationConfig("shop-provider"); app.setQosEnable(false);
    service.setApplication(app); service.setRegistry(new RegistryConfig("N/A"));
    ProtocolConfig protocol = new ProtocolConfig("dubbo", port); protocol.setHost("127.0.0.1"); protocol.setSerialization(serialization); service.setProtocol(protocol);
    service.setInterface(Shop.class); service.setRef(new Impl()); service.setVersion("1.0.0"); service.setGroup("blue"); service.export();
    ReferenceConfig<Shop> reference = new ReferenceConfig<>();
    reference.setApplication(app); reference.setInterface(Shop.class); reference.setVersion("1.0.0"); reference.setGroup("blue"); reference.setCheck(false);
    reference.setUrl("dubbo://127.0.0.1:" + port + "/Peer$Shop?serialization=" + serialization + "&heartbeat=3000&prefer.serialization=" + serialization); reference.setTimeout(5000);
    Shop shop = reference.get();
    RpcContext.getContext().setAttachment("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    call(() -> shop.greet("w\u00f6rld"));
    Order order = new Order(); order.item = "book"; order.count = 3;
    RpcContext.getContext().clearAttachments(); RpcContext.getContext().setAttachment("sw8", "1-YzgxNjRjYWU5MGU5NGZlNjg0OTNjMTA2ZWE5NWYxZWUuNjYuMTY2Njc5ODU0ODg1MTAwNjc=-YzgxNjRjYWU5MGU5NGZlNjg0OTNjMTA2ZWE5NWYxZWUuNjYuMTY2Njc5ODU0ODg1MTAwNjY=-3-c2hvcC13ZWI=-x-y-z");
    call(() -> shop.buy(order, new int[] {1, 2, 3}, 9.5).item);
    call(() -> { shop.fail("no stock"); return null; });
    call(() -> shop.none());
    RpcContext.getContext().clearAttachments(); RpcContext.getContext().setAttachment("EagleEye-RpcID", "0.1.2"); RpcContext.getContext().setAttachment("EagleEye-TraceID", "0a5f1b2c15000000000001");
    call(() -> shop.list(60).size());
    RpcContext.getContext().clearAttachments(); RpcContext.getContext().setAttachment("X-B3-TraceId", "80f198ee56343ba864fe8b2a57d3eff7"); RpcContext.getContext().setAttachment("X-B3-SpanId", "e457b5a2e4d86bd1");
    call(() -> RpcContext.getContext().asyncCall(() -> shop.greet("later")).get());
    ReferenceConfig<Shop> wrong = new ReferenceConfig<>();
    wrong.setApplication(app); wrong.setInterface(Shop.class); wrong.setVersion("9.9.9"); wrong.setCheck(false); wrong.setRetries(0);
    wrong.setUrl("dubbo://127.0.0.1:" + port + "/Peer$Shop?serialization=" + serialization + "&prefer.serialization=" + serialization); wrong.setTimeout(2000);
    call(() -> wrong.get().greet("nobody"));
    if (a.length > 2) {
      ReferenceConfig<GenericService> generic = new ReferenceConfig<>();
      generic.setApplication(app); generic.setInterface("Peer$Shop"); generic.setVersion("1.0.0"); generic.setGroup("blue"); generic.setGeneric("true"); generic.setCheck(false);
      generic.setUrl("dubbo://127.0.0.1:" + port + "/Peer$Shop?serialization=" + serialization);
      System.out.println(generic.get().$invoke("greet", new String[] {"java.lang.String"}, new Object[] {"generic"}));
      RpcContext.getContext().setAttachment("return", "false");
      ReferenceConfig<Shop> silent = new ReferenceConfig<>();
      silent.setApplication(app); silent.setInterface(Shop.class); silent.setVersion("1.0.0"); silent.setGroup("blue"); silent.setCheck(false);
      MethodConfig method = new MethodConfig(); method.setName("greet"); method.setAsync(true); method.setReturn(false); silent.setMethods(List.of(method));
      silent.setUrl("dubbo://127.0.0.1:" + port + "/Peer$Shop?serialization=" + serialization);
      silent.get().greet("one way");
      Thread.sleep(8000);
    }
    Thread.sleep(500); System.exit(0);
  }
}
