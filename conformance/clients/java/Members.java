import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;

/**
 * Hosts group members: {@code Members BOOTSTRAP}, one command a line on standard input, one event a line on standard output, both
 * JSON; suite/members.py says what each command does. A thread a member, so that a JVM serves many tests.
 */
public final class Members {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, String> ASSIGNORS = Map.of(
            "range", "org.apache.kafka.clients.consumer.RangeAssignor",
            "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
            "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    private Members() {}

    public static void main(String[] args) throws Exception {
        Map<String, Member> members = new HashMap<>();
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            JsonNode command = JSON.readTree(line);
            String name = command.get("member").asText();
            if (command.get("do").asText().equals("join")) {
                members.put(name, new Member(name, new Kafka(args[0]), command));
                new Thread(members.get(name), name).start();
            } else {
                members.get(name).commands.add(command);
            }
        }
        Runtime.getRuntime().halt(0);
    }

    private static synchronized void print(Map<String, Object> event) {
        try {
            System.out.println(JSON.writeValueAsString(event));
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** One consumer and its thread; everything but {@code commands} belongs to that thread. */
    private static final class Member implements Runnable, ConsumerRebalanceListener {
        private static final Duration POLL = Duration.ofMillis(50);

        private final Queue<JsonNode> commands = new ConcurrentLinkedQueue<>();
        private final String name;
        private final Kafka kafka;
        private final JsonNode join;
        private final boolean commitsEach;
        private final Map<TopicPartition, Long> uncommitted = new HashMap<>();
        private KafkaConsumer<byte[], byte[]> consumer;

        Member(String name, Kafka kafka, JsonNode join) {
            this.name = name;
            this.kafka = kafka;
            this.join = join;
            commitsEach = text("commit").equals("each");
        }

        private String text(String field) {
            return join.path(field).asText("");
        }

        private KafkaConsumer<byte[], byte[]> consumer() {
            List<String> pairs = new ArrayList<>(List.of(
                    "group.id", text("group"), "group.protocol", text("protocol"), "auto.offset.reset", text("reset"),
                    "metadata.max.age.ms", text("metadata_ms"), "max.poll.interval.ms", text("max_poll_ms"),
                    "enable.auto.commit", Boolean.toString(text("commit").equals("auto")), "auto.commit.interval.ms", "50",
                    "fetch.max.wait.ms", "100"));
            if (text("protocol").equals("consumer")) {
                pairs.addAll(List.of("group.remote.assignor", text("assignor")));
            } else {
                pairs.addAll(List.of("partition.assignment.strategy", ASSIGNORS.get(text("assignor")),
                        "session.timeout.ms", text("session_ms"), "heartbeat.interval.ms", text("heartbeat_ms")));
            }
            if (!text("instance").isEmpty()) pairs.addAll(List.of("group.instance.id", text("instance")));
            return kafka.consumer(pairs.toArray(String[]::new));
        }

        private void subscribe() {
            String pattern = text("pattern");
            List<String> topics = new ArrayList<>();
            join.path("topics").forEach(topic -> topics.add(topic.asText()));
            if (pattern.isEmpty()) {
                consumer.subscribe(topics, this);
            } else if (text("protocol").equals("consumer")) {
                consumer.subscribe(new SubscriptionPattern(pattern), this); // the broker's own regular expressions
            } else {
                consumer.subscribe(java.util.regex.Pattern.compile(pattern), this);
            }
        }

        @Override
        public void run() {
            try (var made = consumer()) {
                consumer = made;
                subscribe();
                while (turn()) {}
            } catch (Exception e) {
                say("error", "error", e.getClass().getSimpleName());
            }
            say("closed", "end", "");
        }

        /** A command, or a poll; false when it was told to close. */
        private boolean turn() throws InterruptedException {
            JsonNode command = commands.poll();
            if (command == null) {
                poll();
                return true;
            }
            switch (command.get("do").asText()) {
                case "commit" -> commit(uncommitted, command.path("metadata").asText(""));
                case "commit-async" -> consumer.commitAsync(offsets(uncommitted, ""), (offsets, error) -> committed(offsets, error));
                case "seek" -> {
                    consumer.seek(partitions(command).get(0), command.get("offset").asLong());
                    say("sought", "end", "");
                }
                case "pause" -> {
                    consumer.pause(partitions(command));
                    say("paused", "end", "");
                }
                case "resume" -> consumer.resume(partitions(command));
                case "sleep" -> Thread.sleep(command.get("ms").asLong());
                case "close" -> {
                    return false;
                }
                default -> throw new IllegalArgumentException("no command " + command);
            }
            return true;
        }

        private void poll() {
            for (var record : consumer.poll(POLL)) {
                print(event("record", "topic", record.topic(), "partition", record.partition(), "offset", record.offset(),
                        "value", new String(record.value(), StandardCharsets.UTF_8)));
                uncommitted.put(new TopicPartition(record.topic(), record.partition()), record.offset() + 1);
            }
            if (commitsEach) commit(uncommitted, "");
        }

        private static List<TopicPartition> partitions(JsonNode command) {
            List<TopicPartition> found = new ArrayList<>();
            command.get("partitions").forEach(number -> found.add(new TopicPartition(command.get("topic").asText(), number.asInt())));
            return found;
        }

        private static Map<TopicPartition, OffsetAndMetadata> offsets(Map<TopicPartition, Long> positions, String metadata) {
            Map<TopicPartition, OffsetAndMetadata> found = new HashMap<>();
            positions.forEach((partition, offset) -> found.put(partition, new OffsetAndMetadata(offset, metadata)));
            return found;
        }

        private void commit(Map<TopicPartition, Long> positions, String metadata) {
            if (positions.isEmpty()) return;
            var offsets = offsets(positions, metadata);
            try {
                consumer.commitSync(offsets);
                committed(offsets, null);
            } catch (Exception e) {
                committed(offsets, e);
            }
        }

        private void committed(Map<TopicPartition, OffsetAndMetadata> offsets, Exception error) {
            if (error != null) {
                say("commit-failed", "error", error.getClass().getSimpleName());
                return;
            }
            List<List<Object>> done = new ArrayList<>();
            offsets.forEach((partition, offset) -> {
                done.add(List.of(partition.topic(), partition.partition(), offset.offset()));
                uncommitted.remove(partition, offset.offset());
            });
            say("committed", "offsets", done);
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            say("assigned", partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            if (commitsEach) {
                Map<TopicPartition, Long> going = new HashMap<>(uncommitted);
                going.keySet().retainAll(partitions);
                commit(going, "");
            }
            uncommitted.keySet().removeAll(partitions);
            say("revoked", partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            uncommitted.keySet().removeAll(partitions);
            say("lost", partitions);
        }

        private void say(String event, Collection<TopicPartition> partitions) {
            if (partitions.isEmpty()) return; // none are not worth a line
            say(event, "partitions", partitions.stream().map(partition -> List.of(partition.topic(), partition.partition())).toList());
        }

        private void say(String event, String field, Object value) {
            print(event(event, field, value));
        }

        private Map<String, Object> event(String event, Object... fields) {
            Instant now = Instant.now();
            Map<String, Object> made = new HashMap<>(Map.of("member", name, "event", event,
                    "at", now.getEpochSecond() * 1e3 + now.getNano() / 1e6));
            for (int i = 0; i < fields.length; i += 2) made.put((String) fields[i], fields[i + 1]);
            return made;
        }
    }
}
