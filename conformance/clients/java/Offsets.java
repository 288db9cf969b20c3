import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.record.TimestampType;

/** Offsets, timestamps and what a log holds. */
final class Offsets {
    private static final long FIRST_TIMESTAMP_MS = 1_700_000_000_000L;

    private Offsets() {}

    private static long offset(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
        return Kafka.get(admin.listOffsets(Map.of(partition, spec)).partitionResult(partition)).offset();
    }

    /** Earliest, latest, by timestamp and of the greatest timestamp, when times do not grow with offsets. */
    static void list(Kafka kafka, String topic) throws Exception {
        var partition = new TopicPartition(topic, 0);
        try (var admin = kafka.admin(); var producer = kafka.producer(); var consumer = kafka.consumer()) {
            Kafka.get(admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(Map.of("retention.ms", "-1")))).all());
            Kafka.equal("earliest of an empty log", 0L, offset(admin, partition, OffsetSpec.earliest()));
            Kafka.equal("latest of an empty log", 0L, offset(admin, partition, OffsetSpec.latest()));
            Kafka.equal("greatest timestamp of an empty log", -1L, offset(admin, partition, OffsetSpec.maxTimestamp()));
            Kafka.equal("by timestamp in an empty log", -1L, offset(admin, partition, OffsetSpec.forTimestamp(0)));
            // One batch each; the greatest is in the middle.
            long[] seconds = {10, 20, 20, 90, 30, 40};
            for (long second : seconds) {
                producer.send(new ProducerRecord<>(topic, 0, FIRST_TIMESTAMP_MS + second * 1000, null, new byte[1])).get();
            }
            Kafka.equal("earliest", 0L, offset(admin, partition, OffsetSpec.earliest()));
            Kafka.equal("latest", (long) seconds.length, offset(admin, partition, OffsetSpec.latest()));
            Kafka.equal("of the greatest timestamp", 3L, offset(admin, partition, OffsetSpec.maxTimestamp()));
            long[][] expected = {{0, 0}, {10, 0}, {11, 1}, {20, 1}, {21, 3}, {90, 3}, {91, -1}};
            for (long[] pair : expected) {
                OffsetSpec spec = OffsetSpec.forTimestamp(FIRST_TIMESTAMP_MS + pair[0] * 1000);
                Kafka.equal("first at or after second " + pair[0], pair[1], offset(admin, partition, spec));
            }
            var times = Map.of(partition, FIRST_TIMESTAMP_MS + 15_000);
            Kafka.equal("offsetsForTimes", 1L, consumer.offsetsForTimes(times).get(partition).offset());
            Kafka.equal("its timestamp", FIRST_TIMESTAMP_MS + 20_000, consumer.offsetsForTimes(times).get(partition).timestamp());
            Kafka.equal("beginningOffsets", 0L, consumer.beginningOffsets(List.of(partition)).get(partition));
            Kafka.equal("endOffsets", (long) seconds.length, consumer.endOffsets(List.of(partition)).get(partition));
            timestampsInsideABatch(kafka, admin, topic + "-batch");
            Kafka.get(admin.deleteTopics(List.of(topic, topic + "-batch")).all());
        }
    }

    /** The answer is a record's offset, not its batch's. */
    private static void timestampsInsideABatch(Kafka kafka, Admin admin, String topic) throws Exception {
        Kafka.get(admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(Map.of("retention.ms", "-1")))).all());
        var partition = new TopicPartition(topic, 0);
        try (var producer = kafka.producer("linger.ms", "1000")) {
            for (int i = 0; i < 10; i++) {
                producer.send(new ProducerRecord<>(topic, 0, FIRST_TIMESTAMP_MS + i * 1000, null, new byte[1]));
            }
            producer.flush();
        }
        Kafka.equal("inside a batch", 5L, offset(admin, partition, OffsetSpec.forTimestamp(FIRST_TIMESTAMP_MS + 4500)));
        Kafka.equal("greatest inside a batch", 9L, offset(admin, partition, OffsetSpec.maxTimestamp()));
    }

    /** Records before an offset go; readers below it start at the log's new beginning. */
    static void deleteRecords(Kafka kafka, String topic) throws Exception {
        var partition = new TopicPartition(topic, 0);
        try (var admin = kafka.admin(); var consumer = kafka.consumer()) {
            kafka.createTopic(admin, topic, 1);
            kafka.produceNumbers(topic, 1, 100);
            var deleted = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(40)));
            Kafka.equal("low watermark", 40L, Kafka.get(deleted.lowWatermarks().get(partition)).lowWatermark());
            Kafka.equal("earliest", 40L, offset(admin, partition, OffsetSpec.earliest()));
            var beyond = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(101)));
            Kafka.refused("beyond the end", OffsetOutOfRangeException.class, beyond.all());
            consumer.assign(List.of(partition));
            consumer.seek(partition, 10); // out of range: auto.offset.reset takes it to the earliest
            Kafka.equal("first record", 40L, Kafka.pollExactly(consumer, 60).get(0).offset());
            var all = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(-1)));
            Kafka.equal("all deleted", 100L, Kafka.get(all.lowWatermarks().get(partition)).lowWatermark());
            Kafka.equal("earliest of what is left", 100L, offset(admin, partition, OffsetSpec.earliest()));
            kafka.produceNumbers(topic, 1, 1);
            Kafka.equal("latest after one more", 101L, offset(admin, partition, OffsetSpec.latest()));
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }

    /** With message.timestamp.type=LogAppendTime the broker's clock counts, whatever the record says. */
    static void logAppendTime(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin(); var producer = kafka.producer(); var consumer = kafka.consumer()) {
            var configs = Map.of("message.timestamp.type", "LogAppendTime");
            Kafka.get(admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(configs))).all());
            long before = System.currentTimeMillis();
            var ack = producer.send(new ProducerRecord<>(topic, 0, FIRST_TIMESTAMP_MS, null, new byte[1])).get();
            long after = System.currentTimeMillis();
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            var record = Kafka.pollExactly(consumer, 1).get(0);
            Kafka.equal("type", TimestampType.LOG_APPEND_TIME, record.timestampType());
            Kafka.check(before <= record.timestamp() && record.timestamp() <= after, "not the time of the append: " + record);
            Kafka.equal("acknowledged timestamp", record.timestamp(), ack.timestamp());
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }

    /** A batch above max.message.bytes is refused with the error that says so; the next small one is taken. */
    static void recordTooLarge(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin(); var producer = kafka.producer()) {
            Kafka.get(admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(Map.of("max.message.bytes", "2000")))).all());
            Kafka.refused("3000 bytes", RecordTooLargeException.class, producer.send(new ProducerRecord<>(topic, new byte[3000])));
            Kafka.equal("offset of the next", 0L, Kafka.get(producer.send(new ProducerRecord<>(topic, new byte[1000]))).offset());
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }

    /** Nothing set at all, as most programs produce: one key stays in one partition, in order. */
    static void defaultPartitioner(Kafka kafka, String topic) throws Exception {
        int keys = 50, rounds = 40;
        try (var admin = kafka.admin(); var producer = kafka.producer(); var consumer = kafka.consumer("group.id", topic)) {
            kafka.createTopic(admin, topic, 4);
            for (int round = 0; round < rounds; round++) {
                for (int key = 0; key < keys; key++) {
                    producer.send(new ProducerRecord<>(topic, ("key" + key).getBytes(), Integer.toString(round).getBytes()));
                }
            }
            producer.flush();
            consumer.subscribe(List.of(topic));
            Map<String, Integer> partitionOf = new HashMap<>();
            Map<String, List<Integer>> roundsOf = new HashMap<>();
            for (var record : Kafka.pollExactly(consumer, keys * rounds)) {
                String key = new String(record.key());
                Integer known = partitionOf.put(key, record.partition());
                Kafka.check(known == null || known == record.partition(), key + " is in two partitions");
                roundsOf.computeIfAbsent(key, k -> new ArrayList<>()).add(Integer.parseInt(new String(record.value())));
            }
            Kafka.equal("keys", keys, roundsOf.size());
            for (var order : roundsOf.values()) Kafka.equal("rounds in order", order.stream().sorted().toList(), order);
            Kafka.check(partitionOf.values().stream().distinct().count() > 1, "all keys in one partition");
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }

    /** Commits with metadata are read back; what was never committed is absent; a commit may go back. */
    static void commit(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin(); var consumer = kafka.consumer("group.id", topic, "isolation.level", "read_committed")) {
            kafka.createTopic(admin, topic, 2);
            kafka.produceNumbers(topic, 2, 20);
            var first = new TopicPartition(topic, 0);
            var second = new TopicPartition(topic, 1);
            consumer.assign(List.of(first, second));
            Kafka.pollExactly(consumer, 20);
            consumer.commitSync(Map.of(first, new OffsetAndMetadata(7, "a note")));
            var committed = consumer.committed(Set.of(first, second));
            Kafka.equal("committed", 7L, committed.get(first).offset());
            Kafka.equal("metadata", "a note", committed.get(first).metadata());
            Kafka.check(committed.get(second) == null, "an offset never committed: " + committed.get(second));
            consumer.commitSync(Map.of(first, new OffsetAndMetadata(3), second, new OffsetAndMetadata(0)));
            try (var resumed = kafka.consumer("group.id", topic)) {
                resumed.assign(List.of(first));
                Kafka.equal("first offset after the commit", 3L, Kafka.pollExactly(resumed, 7).get(0).offset());
            }
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }
}
