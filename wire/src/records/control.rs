//! The control records of KRaft's logs and snapshots.
//!
//! A key is a version and a type, two bytes each. A value is not preceded by a version: it is its own first field.

use crate::codec::{DecodeError, Reader, Uuid};
use crate::message::message;

/// The version of control records' keys.
const KEY_VERSION: i16 = 0;

/// What a control record says (`org.apache.kafka.common.record.ControlRecordType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum ControlRecordType {
    /// A transaction was aborted.
    Abort = 0,
    /// A transaction was committed.
    Commit = 1,
    /// [`LeaderChangeMessage`].
    LeaderChange = 2,
    /// [`SnapshotHeaderRecord`].
    SnapshotHeader = 3,
    /// [`SnapshotFooterRecord`].
    SnapshotFooter = 4,
    /// The quorum's own protocol version.
    KraftVersion = 5,
    /// The quorum's voters.
    KraftVoters = 6,
}

impl ControlRecordType {
    const ALL: [ControlRecordType; 7] = [
        ControlRecordType::Abort,
        ControlRecordType::Commit,
        ControlRecordType::LeaderChange,
        ControlRecordType::SnapshotHeader,
        ControlRecordType::SnapshotFooter,
        ControlRecordType::KraftVersion,
        ControlRecordType::KraftVoters,
    ];

    /// Reads a control record's key. A later version of the key may be longer, but begins alike.
    pub fn from_key(key: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(key);
        let version = reader.i16()?;
        if version < KEY_VERSION {
            return Err(DecodeError::Unknown { what: "control record key version", value: version.into() });
        }
        let found = reader.i16()?;
        let known = Self::ALL.into_iter().find(|&kind| kind as i16 == found);
        known.ok_or(DecodeError::Unknown { what: "control record type", value: found.into() })
    }

    /// A control record's key.
    pub fn to_key(self) -> [u8; 4] {
        let [version_high, version_low] = KEY_VERSION.to_be_bytes();
        let [type_high, type_low] = (self as i16).to_be_bytes();
        [version_high, version_low, type_high, type_low]
    }
}

message! {
    /// The first record of each leader epoch.
    pub struct LeaderChangeMessage: flexible 0.. {
        /// Version of this message.
        version: i16,
        /// Leader's node id, or −1 when unknown.
        leader_id: i32,
        /// The quorum.
        voters: Vec<Voter>,
        /// Those who voted for the leader.
        granting_voters: Vec<Voter>,
    }

    /// A voter of the quorum.
    pub struct Voter {
        /// The voter's node id.
        voter_id: i32,
        /// Directory in which the voter keeps the log.
        voter_directory_id: Uuid [1..],
    }
}

message! {
    /// The first record of a snapshot.
    pub struct SnapshotHeaderRecord: flexible 0.. {
        /// Version of this record.
        version: i16,
        /// When the last record in the snapshot was appended, in milliseconds since the epoch.
        last_contained_log_timestamp: i64,
    }
}

message! {
    /// The last record of a snapshot.
    pub struct SnapshotFooterRecord: flexible 0.. {
        /// Version of this record.
        version: i16,
    }
}
