// What Kafka's own clients say: run by make_captures.py against its broker.
import java.util.*; import java.time.Duration;
import org.apache.kafka.clients.admin.*; import org.apache.kafka.clients.producer.*; import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.header.internals.*; import org.apache.kafka.common.*; import org.apache.kafka.common.serialization.*;
public class Drive {
  static Map<String,Object> base(String id){ Map<String,Object> m=new HashMap<>(); m.put("bootstrap.servers","127.0.0.1:29192"); m.put("client.id",id); return m; }
  public static void main(String[] a) throws Exception {
    try (Admin admin=Admin.create(base("admin-1"))) {
      admin.createTopics(List.of(new NewTopic("orders",2,(short)1), new NewTopic("payments",1,(short)1))).all().get();
      try { admin.createTopics(List.of(new NewTopic("orders",2,(short)1))).all().get(); } catch(Exception e){ System.out.println(e.getCause().getClass().getSimpleName()); }
      System.out.println(admin.describeTopics(List.of("orders")).allTopicNames().get().keySet());
      admin.describeCluster().nodes().get(); admin.listConsumerGroups().all().get();
      admin.describeConfigs(List.of(new org.apache.kafka.common.config.ConfigResource(org.apache.kafka.common.config.ConfigResource.Type.TOPIC,"orders"))).all().get();
    }
    int n=0;
    for (String c: new String[]{"none","gzip","snappy","lz4","zstd"}) {
      Map<String,Object> m=base("producer-"+c); m.put("compression.type",c); m.put("key.serializer",StringSerializer.class); m.put("value.serializer",StringSerializer.class); m.put("linger.ms",20);
      try (KafkaProducer<String,String> p=new KafkaProducer<>(m)) { for(int i=0;i<3;i++){ n++; var r=new ProducerRecord<String,String>("orders",0,"k"+i,"value of the order ".repeat(10)+i);
        r.headers().add("traceparent",("00-4bf92f3577b34da6a3ce929d0e0e47"+String.format("%02d",n)+"-00f067aa0ba902b7-01").getBytes()); p.send(r);} p.flush(); }
    }
    { Map<String,Object> m=base("producer-acks0"); m.put("acks","0"); m.put("enable.idempotence",false); m.put("key.serializer",StringSerializer.class); m.put("value.serializer",StringSerializer.class);
      try (KafkaProducer<String,String> p=new KafkaProducer<>(m)) { p.send(new ProducerRecord<>("payments","fire and forget")); p.flush(); } }
    { Map<String,Object> m=base("producer-tx"); m.put("transactional.id","tx-7"); m.put("key.serializer",StringSerializer.class); m.put("value.serializer",StringSerializer.class);
      try (KafkaProducer<String,String> p=new KafkaProducer<>(m)) { p.initTransactions(); p.beginTransaction(); p.send(new ProducerRecord<>("payments","paid"));
        p.sendOffsetsToTransaction(Map.of(new TopicPartition("orders",0), new OffsetAndMetadata(1)), new ConsumerGroupMetadata("billing")); p.commitTransaction(); } }
    for (String proto: new String[]{"classic","consumer"}) {
      Map<String,Object> m=base("consumer-"+proto); m.put("group.id","billing-"+proto); m.put("group.protocol",proto); m.put("auto.offset.reset","earliest"); m.put("key.deserializer",StringDeserializer.class); m.put("value.deserializer",StringDeserializer.class); m.put("fetch.max.wait.ms",100);
      try (KafkaConsumer<String,String> c=new KafkaConsumer<>(m)) { c.subscribe(List.of("orders","payments")); int got=0; long end=System.currentTimeMillis()+15000;
        while(got<n+2 && System.currentTimeMillis()<end) got+=c.poll(Duration.ofMillis(200)).count(); c.commitSync(); System.out.println(proto+" "+got); }
    }
    try (Admin admin=Admin.create(base("admin-2"))) { try { admin.deleteConsumerGroups(List.of("nobody")).all().get(); } catch(Exception e){ System.out.println(e.getCause().getClass().getSimpleName()); }
      admin.deleteTopics(List.of("payments")).all().get(); }
  }
}
