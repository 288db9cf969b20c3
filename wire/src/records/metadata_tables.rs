//! The tables of KRaft's metadata records, as in the schemas of Kafka 4.3.1; their framing is [`super::metadata`].

use crate::codec::Uuid;
use crate::message::message;

message! {
    /// A broker has registered with the controller.
    pub struct RegisterBrokerRecord: flexible 0.. {
        /// Broker id.
        broker_id: i32,
        /// A leftover of the migration from ZooKeeper.
        is_migrating_zk_broker: bool [2..],
        /// Random id of the broker's process.
        incarnation_id: Uuid,
        /// Broker epoch: the offset of its registration in the metadata log.
        broker_epoch: i64,
        /// The listeners.
        end_points: Vec<BrokerEndpoint>,
        /// The features that the node knows.
        features: Vec<BrokerFeature>,
        /// Rack, or null when none is set.
        rack: Option<String>,
        /// Whether the broker takes no part until it has caught up.
        fenced: bool = true,
        /// Whether the broker is shutting down.
        in_controlled_shutdown: bool [1..],
        /// Directories that the broker can write to.
        log_dirs: Vec<Uuid> [3.., tag 0],
        /// Directories that take no new partitions; null until the broker has told.
        cordoned_log_dirs: Option<Vec<Uuid>> [4.., tag 1],
    }

    /// A listener.
    pub struct BrokerEndpoint {
        /// Name of the listener.
        name: String,
        /// Host name.
        host: String,
        /// Port.
        port: u16,
        /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
        security_protocol: i16,
    }

    /// A feature and the levels that the node can act by.
    pub struct BrokerFeature {
        /// Feature name.
        name: String,
        /// Lowest level.
        min_supported_version: i16,
        /// Highest level.
        max_supported_version: i16,
    }
}

message! {
    /// A broker was removed for good.
    pub struct UnregisterBrokerRecord: flexible 0.. {
        /// Broker id.
        broker_id: i32,
        /// Broker epoch.
        broker_epoch: i64,
    }
}

message! {
    /// A topic was created.
    pub struct TopicRecord: flexible 0.. {
        /// Topic name.
        name: String,
        /// Topic id.
        topic_id: Uuid,
    }
}

message! {
    /// A partition was created.
    pub struct PartitionRecord: flexible 0.. {
        /// Partition index.
        partition_id: i32 = -1,
        /// Topic id.
        topic_id: Uuid,
        /// Replicas, the preferred leader first.
        replicas: Vec<i32>,
        /// In-sync replicas.
        isr: Vec<i32>,
        /// Replicas that are being removed.
        removing_replicas: Vec<i32>,
        /// Replicas that are being added.
        adding_replicas: Vec<i32>,
        /// Leader, or −1 for none.
        leader: i32 = -1,
        /// 1 while the leader recovers from an unclean election, else 0.
        leader_recovery_state: i8 [.., tag 0],
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 = -1,
        /// Grows by one with each change to the partition.
        partition_epoch: i32 = -1,
        /// Directory of each replica, in the order of `replicas`.
        directories: Vec<Uuid> [1..],
        /// Replicas that may lead though they have left the in-sync set (KIP-966).
        eligible_leader_replicas: Option<Vec<i32>> [2.., tag 1],
        /// Replicas that were eligible last.
        last_known_elr: Option<Vec<i32>> [2.., tag 2],
    }
}

message! {
    /// A dynamic setting was set or, with a null value, deleted.
    pub struct ConfigRecord: flexible 0.. {
        /// Kind of resource: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        resource_type: i8,
        /// Resource name.
        resource_name: String,
        /// Name of the setting.
        name: String,
        /// Value; null deletes the setting.
        value: Option<String>,
    }
}

message! {
    /// A partition has changed; null and the like mean "as before".
    pub struct PartitionChangeRecord: flexible 0.. {
        /// Partition index.
        partition_id: i32 = -1,
        /// Topic id.
        topic_id: Uuid,
        /// In-sync replicas; null: as before.
        isr: Option<Vec<i32>> [.., tag 0],
        /// New leader; −1: none; −2: as before.
        leader: i32 [.., tag 1] = -2,
        /// Replicas, the preferred leader first; null: as before.
        replicas: Option<Vec<i32>> [.., tag 2],
        /// Replicas that are being removed; null: as before.
        removing_replicas: Option<Vec<i32>> [.., tag 3],
        /// Replicas that are being added; null: as before.
        adding_replicas: Option<Vec<i32>> [.., tag 4],
        /// 1 while the leader recovers from an unclean election, 0 once it has; −1: as before.
        leader_recovery_state: i8 [.., tag 5] = -1,
        /// Eligible leader replicas; null: as before.
        eligible_leader_replicas: Option<Vec<i32>> [2.., tag 6],
        /// Replicas that were eligible last; null: as before.
        last_known_elr: Option<Vec<i32>> [2.., tag 7],
        /// Directory of each replica, in the order of the replicas; null: as before.
        directories: Option<Vec<Uuid>> [1.., tag 8],
    }
}

message! {
    /// A broker was fenced.
    pub struct FenceBrokerRecord: flexible 0.. {
        /// Broker id.
        id: i32,
        /// Broker epoch.
        epoch: i64,
    }
}

message! {
    /// A broker was unfenced.
    pub struct UnfenceBrokerRecord: flexible 0.. {
        /// Broker id.
        id: i32,
        /// Broker epoch.
        epoch: i64,
    }
}

message! {
    /// A topic was deleted.
    pub struct RemoveTopicRecord: flexible 0.. {
        /// Topic id.
        topic_id: Uuid,
    }
}

message! {
    /// A feature was finalized at a level.
    pub struct FeatureLevelRecord: flexible 0.. {
        /// Feature name.
        name: String,
        /// Level that all nodes act by; 0: the feature is off.
        feature_level: i16,
    }
}

message! {
    /// A block of producer ids was handed to a broker.
    pub struct ProducerIdsRecord: flexible 0.. {
        /// Broker id.
        broker_id: i32,
        /// Epoch of the broker that got the block.
        broker_epoch: i64 = -1,
        /// First id after the block.
        next_producer_id: i64,
    }
}

message! {
    /// A broker's registration has changed.
    pub struct BrokerRegistrationChangeRecord: flexible 0.. {
        /// Broker id.
        broker_id: i32,
        /// Broker epoch: the offset of its registration in the metadata log.
        broker_epoch: i64,
        /// 1 fenced, −1 unfenced, 0 as before.
        fenced: i8 [.., tag 0],
        /// 1 when the broker has begun to shut down, 0 as before.
        in_controlled_shutdown: i8 [1.., tag 1],
        /// Directories that the broker can write to.
        log_dirs: Vec<Uuid> [2.., tag 2],
        /// Directories that take no new partitions; null: as before.
        cordoned_log_dirs: Option<Vec<Uuid>> [3.., tag 3],
    }
}

message! {
    /// Nothing: keeps the log moving, so that followers see a live leader.
    pub struct NoOpRecord: flexible 0.. {
    }
}

message! {
    /// Begins a metadata transaction (KIP-868).
    pub struct BeginTransactionRecord: flexible 0.. {
        /// What the transaction is for, or null.
        name: Option<String> [.., tag 0],
    }
}

message! {
    /// Commits the metadata transaction.
    pub struct EndTransactionRecord: flexible 0.. {
    }
}

message! {
    /// Drops the metadata transaction.
    pub struct AbortTransactionRecord: flexible 0.. {
        /// Why, or null.
        reason: Option<String> [.., tag 0],
    }
}

message! {
    /// A controller has registered.
    pub struct RegisterControllerRecord: flexible 0.. {
        /// Controller id.
        controller_id: i32,
        /// Random id of the controller's process.
        incarnation_id: Uuid,
        /// A leftover of the migration from ZooKeeper.
        zk_migration_ready: bool,
        /// The listeners.
        end_points: Vec<ControllerEndpoint>,
        /// The features that the node knows.
        features: Vec<ControllerFeature>,
    }

    /// A listener.
    pub struct ControllerEndpoint {
        /// Name of the listener.
        name: String,
        /// Host name.
        host: String,
        /// Port.
        port: u16,
        /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
        security_protocol: i16,
    }

    /// A feature and the levels that the node can act by.
    pub struct ControllerFeature {
        /// Feature name.
        name: String,
        /// Lowest level.
        min_supported_version: i16,
        /// Highest level.
        max_supported_version: i16,
    }
}
