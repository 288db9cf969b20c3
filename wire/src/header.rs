//! What precedes every request and response, and the frame around both.
//!
//! The client id stays a non-compact string even in the flexible request header v2, so that a broker can read a header
//! whose version it does not know. Header v0 (ControlledShutdown v0) is gone with Kafka 4.

use bytes::Bytes;

use crate::api::ApiKey;
use crate::codec::{DecodeError, Reader, Writer};
use crate::message::{Api, Message};

/// Bytes of the length that precedes each frame, which it does not count.
pub const FRAME_LENGTH_BYTES: usize = 4;

/// The start of a request (header v1 or v2), borrowed from its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API's key, served or not.
    pub api_key: i16,
    /// The version of the API that the body is in.
    pub api_version: i16,
    /// Returned in the response, so that the client can tell which request it answers.
    pub correlation_id: i32,
    /// Name that the client gives itself.
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Reads a header of either version. Of an unknown API, whose header version cannot be known, the tagged fields are left.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let header = RequestHeader {
            api_key: reader.i16()?,
            api_version: reader.i16()?,
            correlation_id: reader.i32()?,
            client_id: reader.nullable_str(false)?,
        };
        if header.is_flexible() {
            reader.skip_tagged_fields()?;
        }
        Ok(header)
    }

    /// Appends the header in the version that its API's version calls for.
    pub fn encode(&self, writer: &mut Writer) {
        writer.i16(self.api_key);
        writer.i16(self.api_version);
        writer.i32(self.correlation_id);
        writer.nullable_str(self.client_id, false);
        if self.is_flexible() {
            writer.unsigned_varint(0);
        }
    }

    fn is_flexible(&self) -> bool {
        ApiKey::from_key(self.api_key).is_some_and(|api| api.request_header_version(self.api_version) == 2)
    }
}

/// The start of a response (header v0 or v1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHeader {
    /// That of the request.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads the header in the given version, see [`ApiKey::response_header_version`].
    pub fn decode(reader: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let correlation_id = reader.i32()?;
        if version >= 1 {
            reader.skip_tagged_fields()?;
        }
        Ok(ResponseHeader { correlation_id })
    }

    /// Appends the header in the given version.
    pub fn encode(&self, writer: &mut Writer, version: i16) {
        writer.i32(self.correlation_id);
        if version >= 1 {
            writer.unsigned_varint(0);
        }
    }
}

/// A whole response frame with its length. Record bytes are copied if there are any: see [`response_chunks`].
pub fn response_frame<A: Api>(correlation_id: i32, version: i16, response: &A::Response) -> Vec<u8> {
    response_writer::<A>(correlation_id, version, response).into_vec()
}

/// A whole response frame as chunks for a vectored write, in which record bytes are the very ones of `response`.
pub fn response_chunks<A: Api>(correlation_id: i32, version: i16, response: &A::Response) -> Vec<Bytes> {
    response_writer::<A>(correlation_id, version, response).into_chunks()
}

/// A whole request frame with its length. Record bytes are copied if there are any: see [`request_chunks`].
pub fn request_frame<A: Api>(correlation_id: i32, version: i16, client_id: Option<&str>, request: &A) -> Vec<u8> {
    request_writer(correlation_id, version, client_id, request).into_vec()
}

/// A whole request frame as chunks for a vectored write, in which record bytes are the very ones of `request`.
pub fn request_chunks<A: Api>(correlation_id: i32, version: i16, client_id: Option<&str>, request: &A) -> Vec<Bytes> {
    request_writer(correlation_id, version, client_id, request).into_chunks()
}

/// Whatever `encode` appends, preceded by its length.
pub fn frame(encode: impl FnOnce(&mut Writer)) -> Writer {
    let mut writer = Writer::new();
    writer.i32(0);
    encode(&mut writer);
    let length = i32::try_from(writer.len() - FRAME_LENGTH_BYTES).expect("a frame's length fits 31 bits");
    writer.patch_i32(0, length);
    writer
}

fn response_writer<A: Api>(correlation_id: i32, version: i16, response: &A::Response) -> Writer {
    let api = ApiKey::from_key(A::KEY).expect("every Api is in the table");
    frame(|writer| {
        ResponseHeader { correlation_id }.encode(writer, api.response_header_version(version));
        response.encode(writer, version);
    })
}

fn request_writer<A: Api>(correlation_id: i32, version: i16, client_id: Option<&str>, request: &A) -> Writer {
    frame(|writer| {
        RequestHeader { api_key: A::KEY, api_version: version, correlation_id, client_id }.encode(writer);
        request.encode(writer, version);
    })
}

#[cfg(test)]
mod tests;
