import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.tools.consumer.group.ConsumerGroupCommand;

/**
 * Plays a transcript of {@code kafka-consumer-groups} and writes down what the tool prints: {@code GroupTool BOOTSTRAP SCRIPT OUT
 * FOLDER}. One process does it all, because a JVM for each command would take minutes. The members are real consumers.
 *
 * <p>A line is a comment, a command of the tool ({@code $ --list}), or one of {@link #step}'s verbs; indented lines are output, and
 * written anew. What differs from run to run is replaced by words, and lines whose order the tool does not fix are sorted.
 */
public final class GroupTool {
    private static final class Exited extends RuntimeException {
        final int status;

        Exited(int status) {
            super("exit " + status, null, false, false);
            this.status = status;
        }
    }

    private final Kafka kafka;
    private final Admin admin;
    private final Path folder;
    private final Map<String, KafkaConsumer<byte[], byte[]>> members = new LinkedHashMap<>();

    private GroupTool(Kafka kafka, Admin admin, Path folder) {
        this.kafka = kafka;
        this.admin = admin;
        this.folder = folder;
    }

    public static void main(String[] args) throws Exception {
        var kafka = new Kafka(args[0]);
        Exit.setExitProcedure((status, message) -> {
            throw new Exited(status);
        });
        List<String> transcript = new ArrayList<>();
        try (var admin = kafka.admin()) {
            var player = new GroupTool(kafka, admin, Path.of(args[3]));
            for (String line : Files.readAllLines(Path.of(args[1]))) {
                if (line.startsWith("  ")) continue;
                transcript.add(line);
                if (line.isBlank() || line.startsWith("#")) continue;
                player.step(line.split(" +")).forEach(printed -> transcript.add("  " + printed));
            }
            player.members.values().forEach(member -> member.close());
        } finally {
            Files.write(Path.of(args[2]), transcript);
        }
        Exit.resetExitProcedure();
    }

    /** One line of the script. Returns what is to be written under it. */
    private List<String> step(String[] words) throws Exception {
        String[] rest = Arrays.copyOfRange(words, 1, words.length);
        switch (words[0]) {
            case "$" -> {
                return tool(rest);
            }
            // topic NAME PARTITIONS
            case "topic" -> kafka.createTopic(admin, words[1], Integer.parseInt(words[2]));
            // produce TOPIC PARTITION COUNT AGO: one record a minute, the first so long ago
            case "produce" -> produce(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]), Duration.parse(words[4]));
            // member NAME GROUP TOPIC [KEY=VALUE…]: a consumer with these settings
            case "member" -> member(words[1], words[2], words[3], Arrays.copyOfRange(words, 4, words.length));
            // await MEMBER=PARTITIONS…: until the members have so many partitions each
            case "await" -> await(rest);
            // commit MEMBER PARTITION=OFFSET…
            case "commit" -> members.get(words[1]).commitSync(offsets(Arrays.copyOfRange(words, 2, words.length)));
            // alter GROUP PARTITION=OFFSET…: commits without being a member
            case "alter" -> {
                var offsets = offsets(Arrays.copyOfRange(words, 2, words.length));
                Kafka.get(admin.alterConsumerGroupOffsets(words[1], offsets).all());
            }
            // leave MEMBER…
            case "leave" -> List.of(rest).forEach(name -> members.remove(name).close());
            default -> throw new IllegalArgumentException("no verb " + words[0]);
        }
        return List.of();
    }

    private void produce(String topic, int partition, int count, Duration ago) throws Exception {
        long first = System.currentTimeMillis() - ago.toMillis();
        try (var producer = kafka.producer()) {
            for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, partition, first + 60_000L * i, null, new byte[1])).get();
        }
    }

    private void member(String name, String group, String topic, String[] settings) {
        List<String> pairs = new ArrayList<>(List.of("group.id", group, "client.id", name));
        for (String setting : settings) pairs.addAll(List.of(setting.split("=", 2)));
        var consumer = kafka.consumer(pairs.toArray(String[]::new));
        consumer.subscribe(List.of(topic.split(",")));
        members.put(name, consumer);
    }

    private void await(String[] wanted) {
        Map<String, Integer> sizes = new TreeMap<>();
        for (String word : wanted) sizes.put(word.split("=")[0], Integer.parseInt(word.split("=")[1]));
        Kafka.await("assignments of " + sizes, () -> {
            Map<String, Integer> actual = new TreeMap<>();
            for (String name : sizes.keySet()) {
                members.get(name).poll(Kafka.POLL);
                actual.put(name, members.get(name).assignment().size());
            }
            return actual.equals(sizes);
        });
    }

    private static Map<TopicPartition, OffsetAndMetadata> offsets(String[] words) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (String word : words) {
            int at = word.indexOf('='), dash = word.lastIndexOf('-', at);
            var partition = new TopicPartition(word.substring(0, dash), Integer.parseInt(word.substring(dash + 1, at)));
            offsets.put(partition, new OffsetAndMetadata(Long.parseLong(word.substring(at + 1))));
        }
        return offsets;
    }

    /** Runs the tool; {@code > NAME} keeps what it prints in a file of the folder, which {@code @NAME} names to it. */
    private List<String> tool(String[] words) throws Exception {
        List<String> args = new ArrayList<>(List.of("--bootstrap-server", kafka.bootstrap()));
        Path kept = null;
        for (int i = 0; i < words.length; i++) {
            if (words[i].equals(">")) kept = folder.resolve(words[++i]);
            else args.add(words[i].startsWith("@") ? folder.resolve(words[i].substring(1)).toString() : words[i]);
        }
        var out = new ByteArrayOutputStream();
        PrintStream before = System.out;
        int status = 0;
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        try {
            ConsumerGroupCommand.main(args.toArray(String[]::new));
        } catch (Exited exited) {
            status = exited.status;
        } finally {
            System.setOut(before);
        }
        String printed = out.toString(StandardCharsets.UTF_8);
        if (kept != null) Files.writeString(kept, printed);
        List<String> lines = normalized(printed, args.contains("--list"));
        if (status != 0) lines.add("(status " + status + ")");
        return lines;
    }

    private List<String> normalized(String printed, boolean isList) {
        String text = printed.replace(kafka.bootstrap(), "BOOTSTRAP").replace(folder.toString(), "FOLDER")
                .replaceAll("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID")
                .replaceAll("(?m)(^|[ ])[A-Za-z0-9_-]{22}(?=[ ])", "$1MEMBER-ID");
        // Where a group's epochs begin, and how many changes become one, is the broker's own affair.
        String epochs = "(?<= )\\d+(?= \\S+:\\d)|(?<=[a-z] )\\d+(?= \\d+ \\d+$)|(?<=EPOCH )\\d+(?= \\d+$)";
        List<String> lines = new ArrayList<>();
        for (String block : text.split("\n\\s*\n")) {
            List<String> own = new ArrayList<>();
            for (String line : block.split("\n")) if (!line.isBlank()) own.add(line.strip().replaceAll(" {2,}", " "));
            if (!own.isEmpty() && own.get(0).contains("-EPOCH ")) {
                own.replaceAll(line -> line.replaceAll(epochs, "EPOCH").replaceAll(epochs, "EPOCH"));
            }
            int heading = !own.isEmpty() && own.get(0).startsWith("GROUP ") ? 1 : 0;
            if (heading > 0 || isList) own.subList(heading, own.size()).sort(Comparator.naturalOrder());
            lines.addAll(own);
        }
        return lines;
    }
}
