//! What a record's bytes say: text, or one of the record kinds that brokers write.

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};
use wire::batch::Record;
use wire::records::Persisted;
use wire::records::consumer_groups::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataValue,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataValue,
};
use wire::records::consumer_offsets::{GroupMetadataValue, OffsetCommitValue, OffsetsKey};
use wire::records::control::ControlRecordType;
use wire::records::metadata::MetadataRecord;

/// How to read records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Decoder {
    /// As text, or hexadecimal digits where they are none
    Raw,
    /// As KRaft's metadata records
    Metadata,
    /// As committed offsets and groups
    Offsets,
}

impl Decoder {
    /// What a segment holds, by the name of its folder.
    pub(super) fn for_segment(path: &Path) -> Decoder {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = canonical.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        match folder.rsplit_once('-') {
            Some(("__cluster_metadata", _)) => Decoder::Metadata,
            Some(("__consumer_offsets", _)) => Decoder::Offsets,
            _ => Decoder::Raw,
        }
    }

    /// Key and value.
    pub(super) fn decode(self, record: &Record<'_>) -> (Value, Value) {
        match self {
            Decoder::Raw => (raw(record.key), raw(record.value)),
            Decoder::Metadata => (raw(record.key), typed(record.value, MetadataRecord::from_bytes)),
            Decoder::Offsets => offsets(record),
        }
    }
}

fn offsets(record: &Record<'_>) -> (Value, Value) {
    let Some(Ok(key)) = record.key.map(OffsetsKey::from_bytes) else {
        return (raw(record.key), raw(record.value));
    };
    let bytes = record.value;
    let value = match &key {
        OffsetsKey::OffsetCommit(_) => versioned::<OffsetCommitValue>(bytes),
        OffsetsKey::GroupMetadata(_) => versioned::<GroupMetadataValue>(bytes),
        OffsetsKey::ConsumerGroupMetadata(_) => versioned::<ConsumerGroupMetadataValue>(bytes),
        OffsetsKey::ConsumerGroupMemberMetadata(_) => versioned::<ConsumerGroupMemberMetadataValue>(bytes),
        OffsetsKey::ConsumerGroupTargetAssignmentMetadata(_) => {
            versioned::<ConsumerGroupTargetAssignmentMetadataValue>(bytes)
        }
        OffsetsKey::ConsumerGroupTargetAssignmentMember(_) => {
            versioned::<ConsumerGroupTargetAssignmentMemberValue>(bytes)
        }
        OffsetsKey::ConsumerGroupCurrentMemberAssignment(_) => {
            versioned::<ConsumerGroupCurrentMemberAssignmentValue>(bytes)
        }
        OffsetsKey::ConsumerGroupRegularExpression(_) => versioned::<ConsumerGroupRegularExpressionValue>(bytes),
    };
    (debug(&key), value)
}

/// Key and value of a control record.
pub(super) fn control(record: &Record<'_>) -> (Value, Value) {
    (typed(record.key, ControlRecordType::from_key), raw(record.value))
}

/// Bytes as text, hexadecimal digits or null.
pub(super) fn raw(bytes: Option<&[u8]>) -> Value {
    match bytes {
        None => Value::Null,
        Some(bytes) => match str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
        },
    }
}

fn typed<T: std::fmt::Debug, E: std::fmt::Display>(
    bytes: Option<&[u8]>,
    read: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Value {
    match bytes.map(read) {
        None => Value::Null,
        Some(Ok(record)) => debug(&record),
        Some(Err(error)) => json!({ "unreadable": error.to_string(), "bytes": raw(bytes) }),
    }
}

fn versioned<T: Persisted + std::fmt::Debug>(bytes: Option<&[u8]>) -> Value {
    typed(bytes, T::from_versioned_bytes)
}

fn debug(value: &impl std::fmt::Debug) -> Value {
    format!("{value:?}").into()
}

/// A field as a line of text has it: texts without quotes, the rest as JSON.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
