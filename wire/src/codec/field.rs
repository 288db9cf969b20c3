//! What a field of a message can be, and how each kind travels.

use bytes::Bytes;

use super::{DecodeError, ELEMENTS_AHEAD_MAX, Reader, Records, Uuid, Writer};

/// The form in which a message travels: nested structs share their message's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The API's version.
    pub version: i16,
    /// Compact lengths and tagged fields (KIP-482).
    pub flexible: bool,
}

/// A type that a field may have.
pub trait Field: Sized {
    /// Fewest bytes that a value takes in any form: bounds an array's count before it is allocated.
    const BYTES_MIN: usize = 1;

    /// Reads a value.
    fn decode(reader: &mut Reader<'_>, form: Form) -> Result<Self, DecodeError>;

    /// Appends a value.
    fn encode(&self, writer: &mut Writer, form: Form);
}

/// A field type that has a null: `Option` of it is a [`Field`] too.
pub trait Nullable: Field + Default {
    /// Reads a value or null.
    fn decode_nullable(reader: &mut Reader<'_>, form: Form) -> Result<Option<Self>, DecodeError>;

    /// Appends a value or null.
    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, form: Form);
}

macro_rules! fixed_size_fields {
    ($($type:ty: $method:ident, $bytes:literal;)*) => {$(
        impl Field for $type {
            const BYTES_MIN: usize = $bytes;

            fn decode(reader: &mut Reader<'_>, _: Form) -> Result<Self, DecodeError> {
                reader.$method()
            }

            fn encode(&self, writer: &mut Writer, _: Form) {
                writer.$method(*self);
            }
        }
    )*};
}

fixed_size_fields! {
    bool: bool, 1;
    i8: i8, 1;
    i16: i16, 2;
    u16: u16, 2;
    i32: i32, 4;
    u32: u32, 4;
    i64: i64, 8;
    f64: f64, 8;
    Uuid: uuid, 16;
}

/// Implements [`Field`] by way of [`Nullable`], for types whose null shares the length's place.
macro_rules! field_by_nullable {
    ($type:ty $(, $param:ident)?) => {
        impl $(<$param: Field>)? Field for $type {
            fn decode(reader: &mut Reader<'_>, form: Form) -> Result<Self, DecodeError> {
                Self::decode_nullable(reader, form)?.ok_or(DecodeError::UnexpectedNull)
            }

            fn encode(&self, writer: &mut Writer, form: Form) {
                Self::encode_nullable(Some(self), writer, form);
            }
        }
    };
}

field_by_nullable!(String);
field_by_nullable!(Bytes);
field_by_nullable!(Records);
field_by_nullable!(Vec<T>, T);

impl Nullable for String {
    fn decode_nullable(reader: &mut Reader<'_>, form: Form) -> Result<Option<Self>, DecodeError> {
        Ok(reader.nullable_str(form.flexible)?.map(str::to_owned))
    }

    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, form: Form) {
        writer.nullable_str(value.map(String::as_str), form.flexible);
    }
}

impl Nullable for Bytes {
    fn decode_nullable(reader: &mut Reader<'_>, form: Form) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.length(form.flexible)? else { return Ok(None) };
        Ok(Some(Bytes::copy_from_slice(reader.take(length)?)))
    }

    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, form: Form) {
        writer.length(value.map(Bytes::len), form.flexible);
        writer.raw(value.map_or(&[], |bytes| bytes));
    }
}

impl Nullable for Records {
    fn decode_nullable(reader: &mut Reader<'_>, form: Form) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.length(form.flexible)? else { return Ok(None) };
        Ok(Some(Records::from(reader.take_shared(length)?)))
    }

    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, form: Form) {
        writer.length(value.map(Records::len), form.flexible);
        for chunk in value.map_or(&[][..], Records::chunks) {
            writer.shared(chunk.clone());
        }
    }
}

impl<T: Field> Nullable for Vec<T> {
    fn decode_nullable(reader: &mut Reader<'_>, form: Form) -> Result<Option<Self>, DecodeError> {
        let Some(count) = reader.count(form.flexible, T::BYTES_MIN)? else { return Ok(None) };
        let mut elements = Vec::with_capacity(count.min(ELEMENTS_AHEAD_MAX));
        for _ in 0..count {
            elements.push(T::decode(reader, form)?);
        }
        Ok(Some(elements))
    }

    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, form: Form) {
        writer.length(value.map(Vec::len), form.flexible);
        for element in value.into_iter().flatten() {
            element.encode(writer, form);
        }
    }
}

impl<T: Nullable> Field for Option<T> {
    fn decode(reader: &mut Reader<'_>, form: Form) -> Result<Self, DecodeError> {
        T::decode_nullable(reader, form)
    }

    fn encode(&self, writer: &mut Writer, form: Form) {
        T::encode_nullable(self.as_ref(), writer, form);
    }
}

/// Reads an optional field in a version that has no null for it.
pub fn decode_required<T: Nullable>(reader: &mut Reader<'_>, form: Form) -> Result<Option<T>, DecodeError> {
    T::decode(reader, form).map(Some)
}

/// Appends an optional field in a version that has no null for it: null becomes the empty value.
pub fn encode_required<T: Nullable>(value: &Option<T>, writer: &mut Writer, form: Form) {
    match value {
        Some(value) => value.encode(writer, form),
        None => T::default().encode(writer, form),
    }
}
