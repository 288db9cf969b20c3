import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ClassicGroupState;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.UnknownMemberIdException;

/** What the admin client says and does about groups. */
final class GroupAdmin {
    private GroupAdmin() {}

    private static Set<String> names(Admin admin, ListGroupsOptions options, String prefix) throws Exception {
        var listed = Kafka.get(admin.listGroups(options).all());
        return listed.stream().map(group -> group.groupId()).filter(group -> group.startsWith(prefix))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static KafkaConsumer<byte[], byte[]> join(Kafka kafka, String topic, String group, String... settings) {
        String[] pairs = java.util.Arrays.copyOf(settings, settings.length + 2);
        pairs[settings.length] = "group.id";
        pairs[settings.length + 1] = group;
        var consumer = kafka.consumer(pairs);
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    private static void awaitShares(Collection<KafkaConsumer<byte[], byte[]>> members, int partitions) {
        Kafka.await("every partition has its member", () -> {
            for (var member : members) member.poll(Kafka.POLL);
            return members.stream().allMatch(member -> !member.assignment().isEmpty())
                    && members.stream().mapToInt(member -> member.assignment().size()).sum() == partitions;
        });
    }

    /** Offsets are altered from outside, and those of many groups are listed in one call, in both ways to ask. */
    static void offsets(Kafka kafka, String topic) throws Exception {
        var first = new TopicPartition(topic, 0);
        var second = new TopicPartition(topic, 1);
        try (var admin = kafka.admin()) {
            kafka.createTopic(admin, topic, 2);
            List<String> groups = List.of(topic + "-a", topic + "-b", topic + "-c");
            for (int i = 0; i < groups.size(); i++) {
                var offsets = Map.of(first, new OffsetAndMetadata(i, "note " + i), second, new OffsetAndMetadata(10 + i));
                Kafka.get(admin.alterConsumerGroupOffsets(groups.get(i), offsets).all());
            }
            var nowhere = new TopicPartition(topic, 9);
            var refused = admin.alterConsumerGroupOffsets(groups.get(0), Map.of(nowhere, new OffsetAndMetadata(1)));
            Kafka.refused("a partition that is not there",
                    org.apache.kafka.common.errors.UnknownTopicOrPartitionException.class, refused.partitionResult(nowhere));
            var some = new ListConsumerGroupOffsetsSpec().topicPartitions(List.of(second, nowhere));
            var asked = Map.of(groups.get(0), new ListConsumerGroupOffsetsSpec(), groups.get(1), some, groups.get(2),
                    new ListConsumerGroupOffsetsSpec(), topic + "-nobody", new ListConsumerGroupOffsetsSpec());
            var listed = Kafka.get(admin.listConsumerGroupOffsets(asked).all());
            Kafka.equal("metadata of one", "note 0", listed.get(groups.get(0)).get(first).metadata());
            Kafka.equal("second of the second group", 11L, listed.get(groups.get(1)).get(second).offset());
            Kafka.check(listed.get(groups.get(1)).get(nowhere) == null, "an offset never committed");
            Kafka.equal("all of the third", Set.of(first, second), listed.get(groups.get(2)).keySet());
            Kafka.equal("of a group that is not there", Map.of(), listed.get(topic + "-nobody"));
            Kafka.get(admin.deleteConsumerGroups(groups).all());
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }

    /** Groups are listed by state, type and protocol, and described both as classic groups and as whatever they are. */
    static void describe(Kafka kafka, String topic) throws Exception {
        String active = topic + "-active", simple = topic + "-simple", nobody = topic + "-nobody";
        try (var admin = kafka.admin(); var member = join(kafka, topic, active, "client.id", "describes")) {
            kafka.createTopic(admin, topic, 2);
            awaitShares(List.of(member), 2);
            Kafka.get(admin.alterConsumerGroupOffsets(simple, Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(1))).all());
            var all = new ListGroupsOptions();
            Kafka.equal("all", Set.of(active, simple), names(admin, all, topic));
            Kafka.equal("stable", Set.of(active), names(admin, new ListGroupsOptions().inGroupStates(Set.of(GroupState.STABLE)), topic));
            Kafka.equal("empty or dead", Set.of(simple),
                    names(admin, new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY, GroupState.DEAD)), topic));
            Kafka.equal("classic", Set.of(active, simple), names(admin, new ListGroupsOptions().withTypes(Set.of(GroupType.CLASSIC)), topic));
            Kafka.equal("consumer", Set.of(), names(admin, new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER)), topic));
            Kafka.equal("by protocol", Set.of(active), names(admin, new ListGroupsOptions().withProtocolTypes(Set.of("consumer")), topic));
            Kafka.equal("for consumers", Set.of(active, simple), names(admin, ListGroupsOptions.forConsumerGroups(), topic));
            var described = Kafka.get(admin.describeConsumerGroups(List.of(active, simple)).all());
            Kafka.equal("state", GroupState.STABLE, described.get(active).groupState());
            Kafka.equal("type", GroupType.CLASSIC, described.get(active).type());
            Kafka.equal("assignor", "range", described.get(active).partitionAssignor());
            var seen = described.get(active).members().iterator().next();
            Kafka.equal("client", "describes", seen.clientId());
            Kafka.equal("assignment", member.assignment(), seen.assignment().topicPartitions());
            Kafka.check(described.get(simple).isSimpleConsumerGroup(), "a group that only commits is simple");
            var classic = Kafka.get(admin.describeClassicGroups(List.of(active, simple)).all());
            Kafka.equal("protocol", "consumer", classic.get(active).protocol());
            Kafka.equal("protocol data", "range", classic.get(active).protocolData());
            Kafka.equal("simple state", ClassicGroupState.EMPTY, classic.get(simple).state());
            Kafka.refused("not there", GroupIdNotFoundException.class, admin.describeConsumerGroups(List.of(nobody)).all());
            Kafka.refused("not there", GroupIdNotFoundException.class, admin.describeClassicGroups(List.of(nobody)).all());
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }

    /** Static members are removed by their names, then all that are left; who is not there is said. */
    static void removeMembers(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin()) {
            kafka.createTopic(admin, topic, 3);
            var first = join(kafka, topic, topic, "group.instance.id", "first");
            var second = join(kafka, topic, topic, "group.instance.id", "second");
            var dynamic = join(kafka, topic, topic);
            awaitShares(List.of(first, second, dynamic), 3);
            first.close(); // which, as a static member, it tells nobody
            var gone = new MemberToRemove("first");
            Kafka.get(admin.removeMembersFromConsumerGroup(topic, new RemoveMembersFromConsumerGroupOptions(Set.of(gone))).all());
            awaitShares(List.of(second, dynamic), 3);
            var again = admin.removeMembersFromConsumerGroup(topic, new RemoveMembersFromConsumerGroupOptions(Set.of(gone)));
            Kafka.refused("one that is gone", UnknownMemberIdException.class, again.memberResult(gone));
            second.close();
            dynamic.close();
            Kafka.get(admin.removeMembersFromConsumerGroup(topic, new RemoveMembersFromConsumerGroupOptions()).all());
            var described = Kafka.get(admin.describeConsumerGroups(List.of(topic)).all()).get(topic);
            Kafka.equal("state once all are removed", GroupState.EMPTY, described.groupState());
            Kafka.get(admin.deleteConsumerGroups(List.of(topic)).all());
            Kafka.get(admin.deleteTopics(List.of(topic)).all());
        }
    }
}
