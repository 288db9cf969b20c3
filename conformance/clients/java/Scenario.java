import java.util.Map;
import java.util.TreeMap;

/**
 * Runs one scenario: {@code Scenario BOOTSTRAP NAME TOPIC}. Each makes its own topics, named with TOPIC as their beginning, and
 * throws at the first thing that is not as Kafka does it.
 */
public final class Scenario {
    /** One scenario's code. */
    interface Body {
        void run(Kafka kafka, String topic) throws Exception;
    }

    private static final Map<String, Body> ALL = new TreeMap<>();

    static {
        ALL.put("commit", Offsets::commit);
        ALL.put("group-admin-offsets", GroupAdmin::offsets);
        ALL.put("group-admin-describe", GroupAdmin::describe);
        ALL.put("group-admin-remove-members", GroupAdmin::removeMembers);
        ALL.put("list-offsets", Offsets::list);
        ALL.put("delete-records", Offsets::deleteRecords);
        ALL.put("log-append-time", Offsets::logAppendTime);
        ALL.put("record-too-large", Offsets::recordTooLarge);
        ALL.put("default-partitioner", Offsets::defaultPartitioner);
        ALL.put("topics", Topics::lifecycle);
        ALL.put("topics-refused", Topics::refused);
        ALL.put("create-partitions", Topics::createPartitions);
        ALL.put("configs", Topics::configs);
        ALL.put("cluster", Topics::cluster);
        ALL.put("auto-create", Topics::autoCreate);
    }

    private Scenario() {}

    public static void main(String[] args) throws Exception {
        Body body = ALL.get(args[1]);
        if (body == null) throw new IllegalArgumentException("no scenario " + args[1] + " among " + ALL.keySet());
        body.run(new Kafka(args[0]), args[2]);
    }
}
