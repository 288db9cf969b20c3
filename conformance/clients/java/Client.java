import java.io.BufferedWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * What every client of the suite can do, with Kafka's own: `Client BOOTSTRAP VERB ARGS…`.
 *
 * <pre>
 * create TOPIC PARTITIONS
 * delete TOPIC
 * produce TOPIC CODEC FILE [PROPERTY=VALUE…]
 * consume TOPIC COUNT OUT                 every partition, assigned by hand, from the beginning
 * group TOPIC GROUP COUNT OUT leave|die   subscribes, reads COUNT records, commits them, then closes or is gone without a word
 * </pre>
 */
public final class Client {
    private final Kafka kafka;

    private Client(Kafka kafka) {
        this.kafka = kafka;
    }

    public static void main(String[] args) throws Exception {
        Client client = new Client(new Kafka(args[0]));
        switch (args[1]) {
            case "create" -> client.create(args[2], Integer.parseInt(args[3]));
            case "delete" -> client.delete(args[2]);
            case "produce" -> client.produce(args[2], args[3], Path.of(args[4]), List.of(args).subList(5, args.length));
            case "consume" -> client.consume(args[2], Integer.parseInt(args[3]), Path.of(args[4]));
            case "group" -> client.group(args[2], args[3], Integer.parseInt(args[4]), Path.of(args[5]), args[6].equals("die"));
            default -> throw new IllegalArgumentException("no verb " + args[1]);
        }
    }

    private void create(String topic, int partitions) throws Exception {
        try (var admin = kafka.admin()) {
            // Records with timestamps of years ago are to stay.
            NewTopic created = new NewTopic(topic, partitions, (short) 1).configs(Map.of("retention.ms", "-1"));
            Kafka.get(admin.createTopics(List.of(created)).all());
        }
    }

    private void delete(String topic) throws Exception {
        try (var admin = kafka.admin()) {
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }

    private void produce(String topic, String codec, Path file, List<String> properties) throws Exception {
        List<String> pairs = new ArrayList<>(List.of("compression.type", codec));
        for (String property : properties) pairs.addAll(List.of(property.split("=", 2)));
        boolean acknowledged = !properties.contains("acks=0");
        try (var producer = kafka.producer(pairs.toArray(String[]::new))) {
            Map<Integer, Long> next = new HashMap<>();
            List<Future<RecordMetadata>> sends = new ArrayList<>();
            for (var record : Records.load(topic, file)) sends.add(producer.send(record));
            producer.flush();
            for (Future<RecordMetadata> send : sends) {
                RecordMetadata ack = Kafka.get(send);
                if (!acknowledged) continue;
                long expected = next.merge(ack.partition(), 1L, Long::sum) - 1;
                Kafka.equal("acknowledged offset in partition " + ack.partition(), expected, ack.offset());
            }
        }
    }

    private void consume(String topic, int count, Path out) throws Exception {
        try (var consumer = kafka.consumer(); var lines = Files.newBufferedWriter(out)) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            for (var record : Kafka.pollExactly(consumer, count)) Records.write(lines, record);
        }
    }

    private void group(String topic, String group, int count, Path out, boolean die) throws Exception {
        var consumer = kafka.consumer("group.id", group, "session.timeout.ms", "10000", "heartbeat.interval.ms", "1000");
        consumer.subscribe(List.of(topic));
        try (var lines = Files.newBufferedWriter(out)) {
            readAndCommit(consumer, count, lines);
        }
        if (die) {
            // Reads on without committing: those records belong to the next member.
            consumer.poll(Kafka.POLL);
            Runtime.getRuntime().halt(0);
        }
        consumer.close();
    }

    private static void readAndCommit(KafkaConsumer<byte[], byte[]> consumer, int count, BufferedWriter lines) {
        Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
        int[] left = {count};
        Kafka.await(count + " records", () -> {
            for (var record : consumer.poll(Kafka.POLL)) {
                if (left[0] == 0) break;
                left[0]--;
                Records.write(lines, record);
                done.put(new TopicPartition(record.topic(), record.partition()),
                        new OffsetAndMetadata(record.offset() + 1, record.leaderEpoch(), ""));
            }
            return left[0] == 0;
        });
        consumer.commitSync(done);
    }
}
