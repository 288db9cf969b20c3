//! The records of `__cluster_metadata`, from which the catalog is built, and their framing.
//!
//! A record's value is `ApiMessageAndVersion` in Kafka's terms: frame version (1), the record's key, its version, each an
//! unsigned varint, then its body. A key or version that is not known stops the reader: to skip a change to the catalog
//! would be to have another catalog than everybody else.

use std::ops::RangeInclusive;

pub use super::metadata_tables::*;
use crate::codec::{DecodeError, Reader, Writer};
use crate::message::Message;

const FRAME_VERSION: u32 = 1;

macro_rules! metadata_records {
    ($($name:ident = $key:literal, $record:ident: $versions:expr;)*) => {
        /// One change to the catalog.
        #[derive(Debug, Clone, PartialEq)]
        pub enum MetadataRecord {
            $(
                #[doc = concat!("[`", stringify!($record), "`].")]
                $name($record),
            )*
        }

        impl MetadataRecord {
            /// The record's key in Kafka's schemas.
            pub fn key(&self) -> i16 {
                match self {
                    $(MetadataRecord::$name(_) => $key,)*
                }
            }

            /// The versions in which the record can be read and written.
            pub fn versions(&self) -> RangeInclusive<i16> {
                match self {
                    $(MetadataRecord::$name(_) => $versions,)*
                }
            }

            fn encode_body(&self, writer: &mut Writer, version: i16) {
                match self {
                    $(MetadataRecord::$name(record) => record.encode(writer, version),)*
                }
            }

            fn decode_body(reader: &mut Reader<'_>, key: u32, version: u32) -> Result<Self, DecodeError> {
                let unknown_version = DecodeError::Unknown { what: "metadata record version", value: version.into() };
                let version = i16::try_from(version).map_err(|_| unknown_version.clone())?;
                match key {
                    $(
                        $key if ($versions).contains(&version) => {
                            $record::decode(reader, version).map(MetadataRecord::$name)
                        }
                        $key => Err(unknown_version),
                    )*
                    _ => Err(DecodeError::Unknown { what: "metadata record", value: key.into() }),
                }
            }
        }

        $(
            impl From<$record> for MetadataRecord {
                fn from(record: $record) -> Self {
                    MetadataRecord::$name(record)
                }
            }
        )*
    };
}

metadata_records! {
    RegisterBroker = 0, RegisterBrokerRecord: 0..=4;
    UnregisterBroker = 1, UnregisterBrokerRecord: 0..=0;
    Topic = 2, TopicRecord: 0..=0;
    Partition = 3, PartitionRecord: 0..=2;
    Config = 4, ConfigRecord: 0..=0;
    PartitionChange = 5, PartitionChangeRecord: 0..=2;
    FenceBroker = 7, FenceBrokerRecord: 0..=0;
    UnfenceBroker = 8, UnfenceBrokerRecord: 0..=0;
    RemoveTopic = 9, RemoveTopicRecord: 0..=0;
    FeatureLevel = 12, FeatureLevelRecord: 0..=0;
    ProducerIds = 15, ProducerIdsRecord: 0..=0;
    BrokerRegistrationChange = 17, BrokerRegistrationChangeRecord: 0..=3;
    NoOp = 20, NoOpRecord: 0..=0;
    BeginTransaction = 23, BeginTransactionRecord: 0..=0;
    EndTransaction = 24, EndTransactionRecord: 0..=0;
    AbortTransaction = 25, AbortTransactionRecord: 0..=0;
    RegisterController = 27, RegisterControllerRecord: 0..=0;
}

impl MetadataRecord {
    /// The value of a record in the log.
    ///
    /// # Panics
    /// If the record has no such version: which one to write follows from the finalized `metadata.version`.
    pub fn to_bytes(&self, version: i16) -> Vec<u8> {
        assert!(self.versions().contains(&version), "metadata record {} has no version {version}", self.key());
        let mut writer = Writer::new();
        writer.unsigned_varint(FRAME_VERSION);
        writer.unsigned_varint(self.key() as u32);
        writer.unsigned_varint(version as u32);
        self.encode_body(&mut writer, version);
        writer.into_vec()
    }

    /// Reads the value of a record in the log, which must end where the record does.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let frame_version = reader.unsigned_varint()?;
        if frame_version != FRAME_VERSION {
            return Err(DecodeError::Unknown { what: "metadata frame version", value: frame_version.into() });
        }
        let key = reader.unsigned_varint()?;
        let version = reader.unsigned_varint()?;
        let record = Self::decode_body(&mut reader, key, version)?;
        if reader.left() > 0 {
            return Err(DecodeError::Trailing(reader.left()));
        }
        Ok(record)
    }
}
