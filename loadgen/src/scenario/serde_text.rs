//! How values that are no plain TOML types are written: `rate`, `acks`, `compression`.

use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// How fast producers write.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// As fast as the broker takes it: a closed loop, whose latencies are those of a full queue.
    Max,
    /// Records a second; open loop.
    PerSecond(f64),
}

impl Rate {
    /// Records a second, if that is settled.
    pub fn per_second(self) -> Option<f64> {
        match self {
            Rate::Max => None,
            Rate::PerSecond(rate) => Some(rate),
        }
    }
}

const MAX: &str = "max";

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Rate::Max => serializer.serialize_str(MAX),
            Rate::PerSecond(rate) => serializer.serialize_f64(*rate),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RateVisitor;
        impl Visitor<'_> for RateVisitor {
            type Value = Rate;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("records a second, or \"max\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Rate, E> {
                if text == MAX { Ok(Rate::Max) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
            }
            fn visit_f64<E: de::Error>(self, rate: f64) -> Result<Rate, E> {
                Ok(Rate::PerSecond(rate))
            }
            fn visit_i64<E: de::Error>(self, rate: i64) -> Result<Rate, E> {
                Ok(Rate::PerSecond(rate as f64))
            }
            fn visit_u64<E: de::Error>(self, rate: u64) -> Result<Rate, E> {
                Ok(Rate::PerSecond(rate as f64))
            }
        }
        deserializer.deserialize_any(RateVisitor)
    }
}

/// "0", "1", "all"; the numbers 0, 1 and −1 are read too.
pub(super) mod acks {
    use super::*;
    use crate::client::Acks;

    pub fn serialize<S: Serializer>(acks: &Acks, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match acks {
            Acks::None => "0",
            Acks::Leader => "1",
            Acks::All => "all",
        })
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Acks, D::Error> {
        struct AcksVisitor;
        impl Visitor<'_> for AcksVisitor {
            type Value = Acks;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("\"0\", \"1\" or \"all\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Acks, E> {
                match text {
                    "0" => Ok(Acks::None),
                    "1" => Ok(Acks::Leader),
                    "all" | "-1" => Ok(Acks::All),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Acks, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Acks, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(AcksVisitor)
    }
}

/// Kafka's names of codecs.
pub(super) mod compression {
    use super::*;
    use wire::compression::Compression;

    pub fn serialize<S: Serializer>(codec: &Compression, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(codec.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Compression, D::Error> {
        let name = String::deserialize(deserializer)?;
        Compression::from_name(&name)
            .ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&name), &"none, gzip, snappy, lz4 or zstd"))
    }
}
