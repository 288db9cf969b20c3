//! The tables of KRaft's metadata records, as in the schemas of Kafka 4.3.1; their framing is [`super::metadata`].

use crate::codec::Uuid;
use crate::message::message;

message! {
    /// A broker has registered with the controller.
    pub struct RegisterBrokerRecord: flexible 0.. {
        /// Broker id.
        broker_id: i32,
        /// True if the broker is a ZK broker in migration mode.
        is_migrating_zk_broker: bool [2..],
        /// Incarnation ID of the broker process.
        incarnation_id: Uuid,
        /// Broker epoch assigned by the controller.
        broker_epoch: i64,
        /// Endpoints that can be used to communicate with this broker.
        end_points: Vec<BrokerEndpoint>,
        /// Features on this broker.
        features: Vec<BrokerFeature>,
        /// Rack, or null when none is set.
        rack: Option<String>,
        /// True if the broker is fenced.
        fenced: bool = true,
        /// True if the broker is in controlled shutdown.
        in_controlled_shutdown: bool [1..],
        /// Log directories configured in this broker which are available.
        log_dirs: Vec<Uuid> [3.., tag 0],
        /// Log directories that are cordoned.
        cordoned_log_dirs: Option<Vec<Uuid>> [4.., tag 1],
    }

    /// Endpoints that can be used to communicate with this broker.
    pub struct BrokerEndpoint {
        /// Name of the endpoint.
        name: String,
        /// Host name.
        host: String,
        /// Port.
        port: u16,
        /// Security protocol.
        security_protocol: i16,
    }

    /// Features on this broker.
    pub struct BrokerFeature {
        /// Feature name.
        name: String,
        /// Minimum supported feature level.
        min_supported_version: i16,
        /// Maximum supported feature level.
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
        /// Partition id.
        partition_id: i32 = -1,
        /// Topic id.
        topic_id: Uuid,
        /// Replicas of this partition, sorted by preferred order.
        replicas: Vec<i32>,
        /// In-sync replicas of this partition.
        isr: Vec<i32>,
        /// Replicas that we are in the process of removing.
        removing_replicas: Vec<i32>,
        /// Replicas that we are in the process of adding.
        adding_replicas: Vec<i32>,
        /// Lead replica, or -1 if there is no leader.
        leader: i32 = -1,
        /// 1 if the partition is recovering from an unclean leader election; 0 otherwise.
        leader_recovery_state: i8 [.., tag 0],
        /// Leader epoch, or −1 when unknown.
        leader_epoch: i32 = -1,
        /// Epoch that gets incremented each time we change anything in the partition.
        partition_epoch: i32 = -1,
        /// Log directory hosting each replica, sorted in the same exact order as the Replicas field.
        directories: Vec<Uuid> [1..],
        /// Eligible leader replicas of this partition.
        eligible_leader_replicas: Option<Vec<i32>> [2.., tag 1],
        /// Last known eligible leader replicas of this partition.
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
        /// Name of the configuration key.
        name: String,
        /// Value of the configuration, or null if the it should be deleted.
        value: Option<String>,
    }
}

message! {
    /// A partition has changed; null and the like mean "as before".
    pub struct PartitionChangeRecord: flexible 0.. {
        /// Partition id.
        partition_id: i32 = -1,
        /// Topic id.
        topic_id: Uuid,
        /// Null if the ISR didn't change; the new in-sync replicas otherwise.
        isr: Option<Vec<i32>> [.., tag 0],
        /// -1 if there is now no leader; -2 if the leader didn't change; the new leader otherwise.
        leader: i32 [.., tag 1] = -2,
        /// Null if the replicas didn't change; the new replicas otherwise.
        replicas: Option<Vec<i32>> [.., tag 2],
        /// Null if the removing replicas didn't change; the new removing replicas otherwise.
        removing_replicas: Option<Vec<i32>> [.., tag 3],
        /// Null if the adding replicas didn't change; the new adding replicas otherwise.
        adding_replicas: Option<Vec<i32>> [.., tag 4],
        /// -1 if it didn't change; 0 if the leader was elected from the ISR or recovered from an unclean election;
        /// 1 if the leader that was elected using unclean leader election and it is still recovering.
        leader_recovery_state: i8 [.., tag 5] = -1,
        /// Null if the ELR didn't change; the new eligible leader replicas otherwise.
        eligible_leader_replicas: Option<Vec<i32>> [2.., tag 6],
        /// Null if the LastKnownElr didn't change; the last known eligible leader replicas otherwise.
        last_known_elr: Option<Vec<i32>> [2.., tag 7],
        /// Null if the log dirs didn't change; the new log directory for each replica otherwise.
        directories: Option<Vec<Uuid>> [1.., tag 8],
    }
}

message! {
    /// A broker was fenced.
    pub struct FenceBrokerRecord: flexible 0.. {
        /// Broker ID to fence.
        id: i32,
        /// Epoch of the broker to fence.
        epoch: i64,
    }
}

message! {
    /// A broker was unfenced.
    pub struct UnfenceBrokerRecord: flexible 0.. {
        /// Broker ID to unfence.
        id: i32,
        /// Epoch of the broker to unfence.
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
        /// Current finalized feature level of this feature for the cluster, a value of 0 means feature not
        /// supported.
        feature_level: i16,
    }
}

message! {
    /// A block of producer ids was handed to a broker.
    pub struct ProducerIdsRecord: flexible 0.. {
        /// Broker id.
        broker_id: i32,
        /// Epoch of the requesting broker.
        broker_epoch: i64 = -1,
        /// Next producerId that will be assigned (i.e. the first producerId in the next assigned block).
        next_producer_id: i64,
    }
}

message! {
    /// A broker's registration has changed.
    pub struct BrokerRegistrationChangeRecord: flexible 0.. {
        /// Broker id.
        broker_id: i32,
        /// Broker epoch assigned by the controller.
        broker_epoch: i64,
        /// -1 if the broker has been unfenced, 0 if no change, 1 if the broker has been fenced.
        fenced: i8 [.., tag 0],
        /// 0 if no change, 1 if the broker is in controlled shutdown.
        in_controlled_shutdown: i8 [1.., tag 1],
        /// Log directories configured in this broker which are available.
        log_dirs: Vec<Uuid> [2.., tag 2],
        /// Log directories that are cordoned or null if no change.
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
        /// Optional textual description of this transaction.
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
        /// Optional textual description of why the transaction was aborted.
        reason: Option<String> [.., tag 0],
    }
}

message! {
    /// A controller has registered.
    pub struct RegisterControllerRecord: flexible 0.. {
        /// Controller id.
        controller_id: i32,
        /// Incarnation ID of the controller process.
        incarnation_id: Uuid,
        /// Set if the required configurations for ZK migration are present.
        zk_migration_ready: bool,
        /// Endpoints that can be used to communicate with this controller.
        end_points: Vec<ControllerEndpoint>,
        /// Features on this controller.
        features: Vec<ControllerFeature>,
    }

    /// Endpoints that can be used to communicate with this controller.
    pub struct ControllerEndpoint {
        /// Name of the endpoint.
        name: String,
        /// Host name.
        host: String,
        /// Port.
        port: u16,
        /// Security protocol.
        security_protocol: i16,
    }

    /// Features on this controller.
    pub struct ControllerFeature {
        /// Feature name.
        name: String,
        /// Minimum supported feature level.
        min_supported_version: i16,
        /// Maximum supported feature level.
        max_supported_version: i16,
    }
}
