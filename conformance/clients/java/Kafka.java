import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** One broker's address, and what every scenario does with it: clients, topics, checks that say what they saw. */
record Kafka(String bootstrap) {
    static final Duration PATIENCE = Duration.ofSeconds(120);
    static final Duration POLL = Duration.ofMillis(100);

    private static Properties properties(String... pairs) {
        Properties properties = new Properties();
        for (int i = 0; i < pairs.length; i += 2) properties.put(pairs[i], pairs[i + 1]);
        return properties;
    }

    /** A producer with Kafka's defaults (idempotent, acks=all, five in flight) but for `pairs`. */
    KafkaProducer<byte[], byte[]> producer(String... pairs) {
        Properties properties = properties(pairs);
        properties.put("bootstrap.servers", bootstrap);
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** A consumer that commits only when told to, but for `pairs`. */
    KafkaConsumer<byte[], byte[]> consumer(String... pairs) {
        Properties properties = properties(pairs);
        properties.putIfAbsent("auto.offset.reset", "earliest");
        properties.put("bootstrap.servers", bootstrap);
        properties.putIfAbsent("enable.auto.commit", "false");
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    Admin admin() {
        return Admin.create(properties("bootstrap.servers", bootstrap));
    }

    void createTopic(Admin admin, String topic, int partitions) throws Exception {
        get(admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all());
    }

    /** Sends `count` records with values `0`, `1`, … in turn to the partitions, and waits for all acks. */
    void produceNumbers(String topic, int partitions, int count) throws Exception {
        try (var producer = producer()) {
            List<Future<?>> sends = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                byte[] value = Integer.toString(i).getBytes();
                sends.add(producer.send(new ProducerRecord<>(topic, i % partitions, null, value)));
            }
            producer.flush();
            for (Future<?> send : sends) send.get();
        }
    }

    /** Polls until `count` records have come; more than `count` is a failure. */
    static List<ConsumerRecord<byte[], byte[]>> pollExactly(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        await(count + " records", () -> {
            consumer.poll(POLL).forEach(records::add);
            return records.size() >= count;
        });
        consumer.poll(POLL).forEach(records::add);
        equal("records read", count, records.size());
        return records;
    }

    static void await(String what, BooleanSupplier reached) {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!reached.getAsBoolean()) {
            check(System.nanoTime() < deadline, "not within " + PATIENCE.toSeconds() + " s: " + what);
        }
    }

    static void check(boolean holds, String otherwise) {
        if (!holds) throw new AssertionError(otherwise);
    }

    static void equal(String what, Object expected, Object actual) {
        check(expected.equals(actual), what + ": expected " + expected + ", got " + actual);
    }

    /** The answer, or the broker's own error. */
    static <T> T get(Future<T> future) throws Exception {
        try {
            return future.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }

    static void refused(String what, Class<? extends ApiException> error, Future<?> future) throws Exception {
        try {
            get(future);
        } catch (ApiException e) {
            equal(what, error, e.getClass());
            return;
        }
        throw new AssertionError(what + ": accepted, expected " + error.getSimpleName());
    }
}
