// Writes kafka-4.3.1.txt: random groups, and what Kafka's own assignors make of them.
//   java -cp "$JARS/*" Cases.java > kafka-4.3.1.txt     (JARS: the jars of Kafka 4.3.1)
// Four cases in five follow from the one before, as groups do: its assignment is what members have, and somebody
// joins, leaves or subscribes to something else, or a topic grows.

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.GroupSpec;
import org.apache.kafka.coordinator.group.api.assignor.MemberAssignment;
import org.apache.kafka.coordinator.group.api.assignor.MemberSubscription;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.MemberAssignmentImpl;

class Cases {
    record Member(Optional<String> instanceId, Set<Uuid> subscribedTopicIds, Map<Uuid, Set<Integer>> partitions)
            implements MemberSubscription {
        public Optional<String> rackId() {
            return Optional.empty();
        }
    }

    record Group(Map<String, Member> members) implements GroupSpec {
        public Collection<String> memberIds() {
            return members.keySet();
        }

        public SubscriptionType subscriptionType() {
            Set<Set<Uuid>> subscriptions = new HashSet<>();
            members.values().forEach(member -> subscriptions.add(member.subscribedTopicIds()));
            return subscriptions.size() == 1 ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
        }

        public boolean isPartitionAssigned(Uuid topic, int partition) {
            return members.values().stream()
                .anyMatch(member -> member.partitions().getOrDefault(topic, Set.of()).contains(partition));
        }

        public boolean isPartitionAssignable(Uuid topic, int partition) {
            return true;
        }

        public MemberSubscription memberSubscription(String memberId) {
            return members.get(memberId);
        }

        public MemberAssignment memberAssignment(String memberId) {
            return new MemberAssignmentImpl(Collections.unmodifiableMap(members.get(memberId).partitions()));
        }
    }

    record Topics(Map<Uuid, Integer> partitions) implements SubscribedTopicDescriber {
        public int numPartitions(Uuid topic) {
            return partitions.getOrDefault(topic, -1);
        }

        public Set<String> racksForPartition(Uuid topic, int partition) {
            return Set.of();
        }
    }

    final Random random = new Random(848);
    final Map<Uuid, Integer> topics = new TreeMap<>();
    final Map<String, Member> members = new TreeMap<>();
    int nextMember = 0;

    static String name(Uuid topic) {
        return "t" + topic.getLeastSignificantBits();
    }

    Set<Uuid> subscription(boolean isHomogeneous) {
        Set<Uuid> subscription = new TreeSet<>();
        for (Uuid topic : topics.keySet()) {
            if (isHomogeneous || random.nextInt(3) > 0) subscription.add(topic);
        }
        return subscription;
    }

    void join(boolean isHomogeneous) {
        int number = nextMember++;
        boolean isStatic = random.nextInt(4) == 0;
        Optional<String> instanceId = isStatic ? Optional.of("i" + number * 7537 % 1000) : Optional.empty();
        members.put("m" + number * 7919 % 1000, new Member(instanceId, subscription(isHomogeneous), Map.of()));
    }

    void start(boolean isHomogeneous) {
        topics.clear();
        members.clear();
        for (int i = 1 + random.nextInt(4); i > 0; i--) topics.put(new Uuid(0, i), 1 + random.nextInt(7));
        for (int i = 1 + random.nextInt(6); i > 0; i--) join(isHomogeneous);
    }

    void change(boolean isHomogeneous) {
        List<String> memberIds = new ArrayList<>(members.keySet());
        String chosen = memberIds.get(random.nextInt(memberIds.size()));
        switch (random.nextInt(5)) {
            case 0 -> { }
            case 1 -> join(isHomogeneous);
            case 2 -> {
                if (members.size() > 1) members.remove(chosen);
            }
            case 3 -> topics.compute(new Uuid(0, 1), (topic, partitions) -> partitions + 1);
            default -> {
                Member member = members.get(chosen);
                if (!isHomogeneous) {
                    members.put(chosen, new Member(member.instanceId(), subscription(false), member.partitions()));
                }
            }
        }
    }

    String text(Map<Uuid, Set<Integer>> partitions) {
        if (partitions.isEmpty()) return "-";
        List<String> parts = new ArrayList<>();
        new TreeMap<>(partitions).forEach((topic, indexes) -> {
            List<String> numbers = new TreeSet<>(indexes).stream().map(String::valueOf).toList();
            parts.add(name(topic) + ":" + String.join(",", numbers));
        });
        return String.join(";", parts);
    }

    void run(ConsumerGroupPartitionAssignor assignor) {
        StringBuilder header = new StringBuilder(assignor.name());
        topics.forEach((topic, partitions) -> header.append(' ').append(name(topic)).append('=').append(partitions));
        System.out.println(header);
        Map<String, MemberAssignment> assigned = assignor.assign(new Group(members), new Topics(topics)).members();
        for (Map.Entry<String, Member> entry : members.entrySet()) {
            Member member = entry.getValue();
            MemberAssignment assignment = assigned.get(entry.getKey());
            Map<Uuid, Set<Integer>> partitions = assignment == null ? Map.of() : assignment.partitions();
            List<String> subscribed = member.subscribedTopicIds().stream().map(Cases::name).toList();
            System.out.printf("  %s %s [%s] %s -> %s%n", entry.getKey(), member.instanceId().orElse("-"),
                String.join(" ", subscribed), text(member.partitions()), text(partitions));
            entry.setValue(new Member(member.instanceId(), member.subscribedTopicIds(), partitions));
        }
    }

    public static void main(String[] args) {
        Cases cases = new Cases();
        for (ConsumerGroupPartitionAssignor assignor : List.of(new RangeAssignor(), new UniformAssignor())) {
            int rounds = assignor instanceof RangeAssignor ? 16 : 80;
            for (int round = 0; round < rounds; round++) {
                boolean isHomogeneous = round % 2 == 0;
                cases.start(isHomogeneous);
                cases.run(assignor);
                for (int step = 0; step < 4; step++) {
                    cases.change(isHomogeneous);
                    cases.run(assignor);
                }
            }
        }
    }
}
