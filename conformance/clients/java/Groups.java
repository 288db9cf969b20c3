import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;

/**
 * Classic consumer groups. The members of a scenario live in one thread that polls them in turn; their heartbeats have threads of
 * their own.
 */
final class Groups {
    private Groups() {}

    private static KafkaConsumer<byte[], byte[]> join(Kafka kafka, String topic, String group) {
        var consumer = kafka.consumer("group.id", group, "heartbeat.interval.ms", "300");
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    /** Polls all in turn until the sizes of their assignments, sorted, are `sizes`. Returns how many records that read. */
    private static int awaitAssignment(List<KafkaConsumer<byte[], byte[]>> members, List<Integer> sizes) {
        int[] records = {0};
        Kafka.await("assignments of " + sizes, () -> {
            for (var member : members) records[0] += member.poll(Kafka.POLL).count();
            return members.stream().map(member -> member.assignment().size()).sorted().toList().equals(sizes);
        });
        Set<TopicPartition> owned = new HashSet<>();
        for (var member : members) {
            for (TopicPartition partition : member.assignment()) Kafka.check(owned.add(partition), "two owners: " + partition);
        }
        return records[0];
    }

    /** Two members share the partitions, and see each record once; a second group sees all of them again. */
    static void share(Kafka kafka, String topic) throws Exception {
        int partitions = 4, count = 1000;
        try (var admin = kafka.admin(); var first = join(kafka, topic, topic + "-a"); var second = join(kafka, topic, topic + "-a")) {
            kafka.createTopic(admin, topic, partitions);
            Kafka.equal("records in an empty topic", 0, awaitAssignment(List.of(first, second), List.of(2, 2)));
            kafka.produceNumbers(topic, partitions, count);
            Set<String> seen = new HashSet<>();
            int[] shares = new int[2];
            Kafka.await(count + " records", () -> {
                int member = 0;
                for (var consumer : List.of(first, second)) {
                    for (var record : consumer.poll(Kafka.POLL)) {
                        Kafka.check(seen.add(new String(record.value())), "read twice: " + new String(record.value()));
                        shares[member]++;
                    }
                    member++;
                }
                return seen.size() == count;
            });
            Kafka.equal("the first member's share", count / 2, shares[0]);
            try (var again = join(kafka, topic, topic + "-b")) {
                Kafka.pollExactly(again, count);
            }
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }

    /** One member more than partitions idles; when another leaves, it steps up and goes on at the committed offset. */
    static void idleMember(Kafka kafka, String topic) throws Exception {
        int partitions = 2, count = 100;
        try (var admin = kafka.admin()) {
            kafka.createTopic(admin, topic, partitions);
            List<KafkaConsumer<byte[], byte[]>> members = new ArrayList<>();
            for (int i = 0; i <= partitions; i++) members.add(join(kafka, topic, topic));
            awaitAssignment(members, List.of(0, 1, 1));
            kafka.produceNumbers(topic, partitions, count);
            int[] read = {0};
            Kafka.await(count + " records", () -> {
                for (var member : members) read[0] += member.poll(Kafka.POLL).count();
                return read[0] == count;
            });
            for (var member : members) if (!member.assignment().isEmpty()) member.commitSync();
            var leaving = members.stream().filter(member -> !member.assignment().isEmpty()).findFirst().orElseThrow();
            members.remove(leaving);
            leaving.close();
            int reread = awaitAssignment(members, List.of(1, 1));
            kafka.produceNumbers(topic, partitions, count);
            Set<Long> offsets = new HashSet<>();
            Kafka.await(count + " more records", () -> {
                for (var member : members) {
                    for (var record : member.poll(Kafka.POLL)) offsets.add(record.partition() * 1_000_000L + record.offset());
                }
                return offsets.size() >= count;
            });
            Kafka.equal("records read again", 0, reread);
            Kafka.equal("records read after the change", count, offsets.size());
            for (long offset : offsets) Kafka.check(offset % 1_000_000 >= count / 2, "read before the committed offset: " + offset);
            for (var member : members) member.close();
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }

    /** A group without commits starts where auto.offset.reset says: earliest, latest, or not at all. */
    static void reset(Kafka kafka, String topic) throws Exception {
        int count = 10;
        try (var admin = kafka.admin()) {
            kafka.createTopic(admin, topic, 1);
            kafka.produceNumbers(topic, 1, count);
            var partition = new TopicPartition(topic, 0);
            try (var latest = kafka.consumer("group.id", topic + "-latest", "auto.offset.reset", "latest")) {
                latest.subscribe(List.of(topic));
                awaitAssignment(List.of(latest), List.of(1));
                Kafka.equal("position by latest", (long) count, latest.position(partition));
                kafka.produceNumbers(topic, 1, count);
                Kafka.equal("first offset by latest", (long) count, Kafka.pollExactly(latest, count).get(0).offset());
            }
            try (var earliest = join(kafka, topic, topic + "-earliest")) {
                Kafka.equal("first offset by earliest", 0L, Kafka.pollExactly(earliest, 2 * count).get(0).offset());
            }
            try (var none = kafka.consumer("group.id", topic + "-none", "auto.offset.reset", "none")) {
                none.subscribe(List.of(topic));
                try {
                    awaitAssignment(List.of(none), List.of(1));
                    none.position(partition);
                } catch (NoOffsetForPartitionException expected) {
                    Kafka.get(admin.deleteTopics(List.of(topic)).all());
                    return;
                }
                throw new AssertionError("a position although nothing is committed");
            }
        }
    }

    /** A static member that comes back in time causes no rebalance; a second one with its id fences the first. */
    static void staticMember(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin()) {
            kafka.createTopic(admin, topic, 2);
            var revocations = new int[1];
            var stays = kafka.consumer("group.id", topic, "group.instance.id", "stays", "heartbeat.interval.ms", "300");
            stays.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    if (!partitions.isEmpty()) revocations[0]++;
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
            });
            var leaves = kafka.consumer("group.id", topic, "group.instance.id", "leaves", "heartbeat.interval.ms", "300");
            leaves.subscribe(List.of(topic));
            awaitAssignment(List.of(stays, leaves), List.of(1, 1));
            Set<TopicPartition> before = leaves.assignment();
            int generation = leaves.groupMetadata().generationId();
            int revoked = revocations[0];
            leaves.close(); // a static member does not say that it leaves
            var returns = kafka.consumer("group.id", topic, "group.instance.id", "leaves", "heartbeat.interval.ms", "300");
            returns.subscribe(List.of(topic));
            awaitAssignment(List.of(stays, returns), List.of(1, 1));
            Kafka.equal("assignment after the return", before, returns.assignment());
            Kafka.equal("generation after the return", generation, returns.groupMetadata().generationId());
            Kafka.equal("revocations", revoked, revocations[0]);
            var second = kafka.consumer("group.id", topic, "group.instance.id", "leaves", "heartbeat.interval.ms", "300");
            second.subscribe(List.of(topic));
            awaitFenced(returns, second);
            for (var consumer : List.of(stays, returns, second)) consumer.close();
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }

    private static void awaitFenced(KafkaConsumer<byte[], byte[]> first, KafkaConsumer<byte[], byte[]> second) {
        Kafka.await("the first member is fenced", () -> {
            second.poll(Kafka.POLL);
            try {
                first.poll(Kafka.POLL);
                return false;
            } catch (FencedInstanceIdException expected) {
                return true;
            }
        });
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
