//! Where everything is: brokers' addresses, topics, leaders, coordinators. Learnt by the run's control thread, read by workers.
//!
//! A worker that is told that it is wrong asks for a newer topology and goes by the generation.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wire::Uuid;

/// A topic of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id; zero when the broker is too old to tell.
    pub id: Uuid,
    /// Node id of each partition's leader; none while there is no one.
    pub leaders: Vec<Option<i32>>,
}

/// Where everything is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// Brokers' addresses by node id.
    pub brokers: BTreeMap<i32, SocketAddr>,
    /// The run's topics.
    pub topics: Vec<Topic>,
    /// Coordinators of groups, by the group's id at the broker.
    pub coordinators: BTreeMap<String, i32>,
}

impl Topology {
    /// The leader of a partition, if there is one.
    pub fn leader(&self, topic: usize, partition: usize) -> Option<i32> {
        *self.topics.get(topic)?.leaders.get(partition)?
    }
}

/// The topology that all workers share.
#[derive(Debug, Default)]
pub struct SharedTopology {
    current: Mutex<Arc<Topology>>,
    generation: AtomicU64,
    is_stale: AtomicBool,
}

impl SharedTopology {
    /// Shares a topology.
    pub fn new(topology: Topology) -> SharedTopology {
        SharedTopology { current: Mutex::new(Arc::new(topology)), ..SharedTopology::default() }
    }

    /// The newest one.
    pub fn current(&self) -> Arc<Topology> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Grows with each change.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts a newer one in place.
    pub fn publish(&self, topology: Topology) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(topology);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Asks for a newer one.
    pub fn ask(&self) {
        self.is_stale.store(true, Ordering::Release);
    }

    /// Whether somebody has asked since the last time.
    pub fn take_asked(&self) -> bool {
        self.is_stale.swap(false, Ordering::AcqRel)
    }
}
