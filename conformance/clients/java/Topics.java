import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Topics, their partitions and configs, and the cluster, through the admin client. */
final class Topics {
    private Topics() {}

    private static TopicDescription describe(Admin admin, String topic) throws Exception {
        return Kafka.get(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
    }

    private static void delete(Admin admin, String topic) throws Exception {
        Kafka.get(admin.deleteTopics(List.of(topic)).all());
    }

    /** Created, listed, described by name and id, deleted by id, created anew with another id. */
    static void lifecycle(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin()) {
            var created = admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1).configs(Map.of("retention.ms", "1234567"))));
            Kafka.get(created.all());
            var id = created.topicId(topic).get();
            Kafka.equal("partitions in the answer", 3, created.numPartitions(topic).get());
            Kafka.equal("replication in the answer", 1, created.replicationFactor(topic).get());
            Kafka.equal("config in the answer", "1234567", created.config(topic).get().get("retention.ms").value());
            Kafka.check(Kafka.get(admin.listTopics().names()).contains(topic), "not listed");
            var description = describe(admin, topic);
            Kafka.equal("id", id, description.topicId());
            Kafka.equal("partitions", List.of(0, 1, 2), description.partitions().stream().map(info -> info.partition()).toList());
            for (var info : description.partitions()) {
                Kafka.equal("replicas", List.of(info.leader()), info.replicas());
                Kafka.equal("in-sync replicas", List.of(info.leader()), info.isr());
            }
            var byId = Kafka.get(admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds());
            Kafka.equal("name by id", topic, byId.get(id).name());
            Kafka.get(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all());
            Kafka.check(!Kafka.get(admin.listTopics().names()).contains(topic), "listed although deleted");
            var unknown = admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds();
            Kafka.refused("the id of a deleted topic", UnknownTopicIdException.class, unknown);
            kafka.createTopic(admin, topic, 1);
            Kafka.check(!describe(admin, topic).topicId().equals(id), "a new topic with an old one's id");
            delete(admin, topic);
        }
    }

    private static void refused(Admin admin, String what, Class<? extends ApiException> error, NewTopic topic)
            throws Exception {
        Kafka.refused(what, error, admin.createTopics(List.of(topic)).all());
    }

    /** What Kafka does not create, and does not delete. */
    static void refused(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin()) {
            short one = 1;
            kafka.createTopic(admin, topic, 1);
            refused(admin, "created twice", TopicExistsException.class, new NewTopic(topic, 1, one));
            delete(admin, topic);
            refused(admin, "no partitions", InvalidPartitionsException.class, new NewTopic(topic, 0, one));
            refused(admin, "three replicas of one broker", InvalidReplicationFactorException.class, new NewTopic(topic, 1, (short) 3));
            refused(admin, "a slash", InvalidTopicException.class, new NewTopic("a/b", 1, one));
            refused(admin, "two dots", InvalidTopicException.class, new NewTopic("..", 1, one));
            refused(admin, "250 characters", InvalidTopicException.class, new NewTopic("t".repeat(250), 1, one));
            refused(admin, "an unknown config", InvalidConfigurationException.class,
                    new NewTopic(topic, 1, one).configs(Map.of("retention.mz", "1")));
            refused(admin, "a config of the wrong type", InvalidConfigurationException.class,
                    new NewTopic(topic, 1, one).configs(Map.of("retention.ms", "soon")));
            var dryRun = new CreateTopicsOptions().validateOnly(true);
            Kafka.get(admin.createTopics(List.of(new NewTopic(topic, 1, one)), dryRun).all());
            Kafka.refused("deleted before it is there", UnknownTopicOrPartitionException.class, admin.deleteTopics(List.of(topic)).all());
            Kafka.refused("described before it is there", UnknownTopicOrPartitionException.class,
                    admin.describeTopics(List.of(topic)).allTopicNames());
            // The broker's defaults: num.partitions and default.replication.factor.
            Kafka.get(admin.createTopics(List.of(new NewTopic(topic, Optional.empty(), Optional.empty()))).all());
            Kafka.equal("default partitions", 1, describe(admin, topic).partitions().size());
            delete(admin, topic);
        }
    }

    /** Partitions are added, never taken; what was written stays, and the new ones take records. */
    static void createPartitions(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin(); var consumer = kafka.consumer()) {
            kafka.createTopic(admin, topic, 1);
            kafka.produceNumbers(topic, 1, 10);
            Kafka.get(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all());
            Kafka.equal("partitions", 4, describe(admin, topic).partitions().size());
            for (int count : new int[] {4, 3, 0}) {
                Kafka.refused("from 4 to " + count, InvalidPartitionsException.class,
                        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(count))).all());
            }
            Kafka.refused("of no topic", UnknownTopicOrPartitionException.class,
                    admin.createPartitions(Map.of(topic + "-none", NewPartitions.increaseTo(4))).all());
            kafka.produceNumbers(topic, 4, 40);
            consumer.assign(IntStream.range(0, 4).mapToObj(partition -> new TopicPartition(topic, partition)).toList());
            Kafka.pollExactly(consumer, 50);
            delete(admin, topic);
        }
    }

    private static Config config(Admin admin, ConfigResource resource) throws Exception {
        return Kafka.get(admin.describeConfigs(List.of(resource)).all()).get(resource);
    }

    private static void alter(Admin admin, ConfigResource resource, AlterConfigOp.OpType operation, String name, String value)
            throws Exception {
        Collection<AlterConfigOp> operations = List.of(new AlterConfigOp(new ConfigEntry(name, value), operation));
        Kafka.get(admin.incrementalAlterConfigs(Map.of(resource, operations)).all());
    }

    private static void refusedConfig(Admin admin, ConfigResource resource, String name, String value) throws Exception {
        try {
            alter(admin, resource, AlterConfigOp.OpType.SET, name, value);
        } catch (InvalidConfigurationException expected) {
            return;
        }
        throw new AssertionError(name + "=" + value + " was accepted");
    }

    /** A topic's configs: defaults, set, deleted, refused; the broker's own are described. */
    static void configs(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin()) {
            kafka.createTopic(admin, topic, 1);
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            var retention = config(admin, resource).get("retention.ms");
            Kafka.equal("default", "604800000", retention.value());
            Kafka.check(retention.isDefault(), "not said to be the default: " + retention);
            alter(admin, resource, AlterConfigOp.OpType.SET, "retention.ms", "5000");
            alter(admin, resource, AlterConfigOp.OpType.SET, "segment.bytes", "2097152");
            retention = config(admin, resource).get("retention.ms");
            Kafka.equal("set", "5000", retention.value());
            Kafka.equal("source", ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.source());
            alter(admin, resource, AlterConfigOp.OpType.DELETE, "retention.ms", null);
            Kafka.equal("deleted", "604800000", config(admin, resource).get("retention.ms").value());
            Kafka.equal("the other one", "2097152", config(admin, resource).get("segment.bytes").value());
            refusedConfig(admin, resource, "retention.mz", "1");
            refusedConfig(admin, resource, "segment.bytes", "many");
            refusedConfig(admin, resource, "segment.bytes", "1000"); // below Kafka 4's minimum of 1 MiB
            String node = Kafka.get(admin.describeCluster().nodes()).iterator().next().idString();
            var broker = config(admin, new ConfigResource(ConfigResource.Type.BROKER, node));
            Kafka.equal("broker's num.partitions", "1", broker.get("num.partitions").value());
            var unknown = new ConfigResource(ConfigResource.Type.TOPIC, topic + "-none");
            Kafka.refused("configs of no topic", UnknownTopicOrPartitionException.class, admin.describeConfigs(List.of(unknown)).all());
            delete(admin, topic);
        }
    }

    /** One node, which is the controller, under a cluster id that stays. */
    static void cluster(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin()) {
            var cluster = admin.describeCluster();
            var nodes = Kafka.get(cluster.nodes());
            Kafka.equal("nodes", 1, nodes.size());
            var node = nodes.iterator().next();
            Kafka.equal("address", kafka.bootstrap(), node.host() + ":" + node.port());
            Kafka.equal("controller", node.id(), Kafka.get(cluster.controller()).id());
            Kafka.check(!Kafka.get(cluster.clusterId()).isEmpty(), "no cluster id");
            Kafka.equal("cluster id, asked again", Kafka.get(cluster.clusterId()), Kafka.get(admin.describeCluster().clusterId()));
        }
    }

    /** A topic that nobody created is there once somebody produces to it (auto.create.topics.enable). */
    static void autoCreate(Kafka kafka, String topic) throws Exception {
        try (var admin = kafka.admin(); var producer = kafka.producer(); var consumer = kafka.consumer("group.id", topic)) {
            Kafka.equal("offset of the first", 0L, producer.send(new ProducerRecord<>(topic, new byte[1])).get().offset());
            Kafka.equal("partitions", 1, describe(admin, topic).partitions().size());
            consumer.subscribe(List.of(topic));
            Kafka.pollExactly(consumer, 1);
            delete(admin, topic);
        }
    }
}
