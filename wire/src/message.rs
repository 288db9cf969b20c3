//! The table that each message is: its fields, the versions that have them, and what follows from them.
//!
//! ```text
//! message! {
//!     /// What it is for.
//!     pub struct FetchRequest: flexible 12.. {          // the message; `flexible never` where no version is
//!         /// The follower's id; −1 for a consumer.
//!         replica_id: i32 [..=14] = -1,                 // up to v14; its default where it is not zero
//!         topics: Vec<FetchTopic>,                      // all versions
//!         rack_id: String [11..],                       // since v11
//!         replica_state: ReplicaState [15.., tag 1],    // a tagged field
//!     }
//!     /// A struct within it.
//!     pub struct FetchTopic {
//!         name: Option<String> [..=12, nullable 10..],  // null is allowed since v10 only
//!     }
//! }
//! ```
//!
//! Invariants: a field that a version lacks is skipped on encode and has its default after decode. A tagged field that
//! has its default value is omitted (librdkafka before 2.2.0 cannot read it). A null in a version without null for that
//! field becomes the empty value. Tags ascend within a struct.
//!
//! Messages own what they hold: groups and the catalog keep their strings long after the frame's buffer went back to its
//! pool. Only [`Records`](crate::codec::Records) may share the frame, when the reader says so.
//!
//! Deviation: the default of a nullable field is null unless the table says otherwise (Kafka's generated classes use the
//! empty value), so that an error message nobody has set does not travel as an empty one.

use std::ops::{RangeBounds, RangeInclusive};

use crate::codec::{DecodeError, Reader, Writer};

/// A versioned message: a request, a response or a persisted record.
pub trait Message: Sized {
    /// Its name in Kafka's schema.
    const NAME: &'static str;
    /// First version with compact lengths and tagged fields; `i16::MAX` when no version has them.
    const FLEXIBLE: i16;

    /// Reads the message in the given version, which the caller has found to be a known one.
    fn decode(reader: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError>;

    /// Appends the message in the given version.
    fn encode(&self, writer: &mut Writer, version: i16);
}

/// An API, declared on its request.
pub trait Api: Message {
    /// Its key.
    const KEY: i16;
    /// The versions that are served.
    const VERSIONS: RangeInclusive<i16>;
    /// The versions that ApiVersions announces, where they differ.
    const ADVERTISED: RangeInclusive<i16> = Self::VERSIONS;
    /// What answers it.
    type Response: Message;
}

/// True when a version lies in a field's range.
pub(crate) fn covers(versions: impl RangeBounds<i16>, version: i16) -> bool {
    versions.contains(&version)
}

/// Declares a message and its nested structs; see the module's page.
macro_rules! message {
    (
        $(#[$meta:meta])*
        pub struct $name:ident: flexible $flexible:tt $(..)? { $($fields:tt)* }
        $($nested:tt)*
    ) => {
        $crate::message::message! { @struct $(#[$meta])* pub struct $name { $($fields)* } }
        $crate::message::message! { @nested $($nested)* }

        impl $crate::message::Message for $name {
            const NAME: &'static str = stringify!($name);
            const FLEXIBLE: i16 = $crate::message::message!(@flexible $flexible);

            fn decode(
                reader: &mut $crate::codec::Reader<'_>,
                version: i16,
            ) -> Result<Self, $crate::codec::DecodeError> {
                let form = $crate::codec::Form { version, flexible: version >= Self::FLEXIBLE };
                $crate::codec::Field::decode(reader, form)
            }

            fn encode(&self, writer: &mut $crate::codec::Writer, version: i16) {
                let form = $crate::codec::Form { version, flexible: version >= Self::FLEXIBLE };
                $crate::codec::Field::encode(self, writer, form);
            }
        }
    };

    (@flexible never) => { i16::MAX };
    (@flexible $version:literal) => { $version };

    (@nested $($(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* })*) => {
        $($crate::message::message! { @struct $(#[$meta])* pub struct $name { $($fields)* } })*
    };

    (@struct
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[$doc:meta])*
                $field:ident: $type:ty
                $([$versions:expr $(, nullable $nullable:expr)? $(, tag $tag:expr)?])?
                $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $crate::message::message!(@default $($default)?),)* }
            }
        }

        #[cfg(test)]
        impl $crate::random::Random for $name {
            #[allow(unused_variables, reason = "some records are empty")]
            fn random(source: &mut $crate::random::Source) -> Self {
                $name { $($field: source.value(),)* }
            }
        }

        impl $crate::codec::Nullable for $name {
            fn decode_nullable(
                reader: &mut $crate::codec::Reader<'_>,
                form: $crate::codec::Form,
            ) -> Result<Option<Self>, $crate::codec::DecodeError> {
                if reader.i8()? < 0 {
                    return Ok(None);
                }
                $crate::codec::Field::decode(reader, form).map(Some)
            }

            fn encode_nullable(value: Option<&Self>, writer: &mut $crate::codec::Writer, form: $crate::codec::Form) {
                writer.i8(if value.is_some() { 1 } else { -1 });
                if let Some(value) = value {
                    $crate::codec::Field::encode(value, writer, form);
                }
            }
        }

        impl $crate::codec::Field for $name {
            fn decode(
                reader: &mut $crate::codec::Reader<'_>,
                form: $crate::codec::Form,
            ) -> Result<Self, $crate::codec::DecodeError> {
                #[allow(unused_mut, reason = "some records are empty")]
                let mut value = Self::default();
                $($crate::message::message! {
                    @decode value.$field, reader, form $([$versions $(, nullable $nullable)? $(, tag $tag)?])?
                })*
                if form.flexible {
                    for _ in 0..reader.tag_count()? {
                        #[allow(unused_mut, unused_variables, reason = "structs without tagged fields only skip")]
                        let (tag, mut field) = reader.tagged_field()?;
                        $($($($crate::message::message! {
                            @decode_tagged value.$field, tag, field, form [$versions, tag $tag]
                        })?)?)*
                    }
                }
                Ok(value)
            }

            fn encode(&self, writer: &mut $crate::codec::Writer, form: $crate::codec::Form) {
                $($crate::message::message! {
                    @encode self.$field, writer, form $([$versions $(, nullable $nullable)? $(, tag $tag)?])?
                })*
                if form.flexible {
                    writer
                        .tagged_section()
                        $($($(.field($tag, $versions, &self.$field, &Self::default().$field, form))?)?)*
                        .close();
                }
            }
        }
    };

    (@default) => { Default::default() };
    (@default $default:expr) => { $default };

    (@decode $value:ident.$field:ident, $reader:ident, $form:ident $([$versions:expr])?) => {
        if true $(&& $crate::message::covers($versions, $form.version))? {
            $value.$field = $crate::codec::Field::decode($reader, $form)?;
        }
    };
    (@decode $value:ident.$field:ident, $reader:ident, $form:ident [$versions:expr, nullable $nullable:expr]) => {
        if $crate::message::covers($versions, $form.version) {
            $value.$field = if $crate::message::covers($nullable, $form.version) {
                $crate::codec::Field::decode($reader, $form)?
            } else {
                $crate::codec::decode_required($reader, $form)?
            };
        }
    };
    (@decode $value:ident.$field:ident, $reader:ident, $form:ident [$versions:expr, tag $tag:expr]) => {};

    (@decode_tagged $value:ident.$field:ident, $found:ident, $reader:ident, $form:ident
        [$versions:expr, tag $tag:expr]
    ) => {
        if $found == $tag && $crate::message::covers($versions, $form.version) {
            $value.$field = $crate::codec::Field::decode(&mut $reader, $form)?;
            if $reader.left() != 0 {
                return Err($crate::codec::DecodeError::TagSize { tag: $tag, left: $reader.left() });
            }
        }
    };

    (@encode $value:ident.$field:ident, $writer:ident, $form:ident $([$versions:expr])?) => {
        if true $(&& $crate::message::covers($versions, $form.version))? {
            $crate::codec::Field::encode(&$value.$field, $writer, $form);
        }
    };
    (@encode $value:ident.$field:ident, $writer:ident, $form:ident [$versions:expr, nullable $nullable:expr]) => {
        if $crate::message::covers($versions, $form.version) {
            if $crate::message::covers($nullable, $form.version) {
                $crate::codec::Field::encode(&$value.$field, $writer, $form);
            } else {
                $crate::codec::encode_required(&$value.$field, $writer, $form);
            }
        }
    };
    (@encode $value:ident.$field:ident, $writer:ident, $form:ident [$versions:expr, tag $tag:expr]) => {};
}

pub(crate) use message;
