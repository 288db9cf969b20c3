//! One record as a line of text or of JSON.

use std::io::{self, Write};

use clap::Args;
use loadgen::client::Fetched;
use serde::Serialize;

use crate::cli::output::Format;

/// What a line of text shows beside the value. JSON shows everything.
#[derive(Debug, Args)]
pub(super) struct Fields {
    /// Print the key before the value
    #[arg(long)]
    pub(super) print_key: bool,
    /// Print the headers before the value, key=value,…
    #[arg(long)]
    pub(super) print_headers: bool,
    /// Print the timestamp before the value, in ms since the epoch
    #[arg(long)]
    pub(super) print_timestamp: bool,
    /// Print the partition before the value
    #[arg(long)]
    pub(super) print_partition: bool,
    /// Print the offset before the value
    #[arg(long)]
    pub(super) print_offset: bool,
    /// What stands between what is printed
    #[arg(long, value_name = "TEXT", default_value = "\t", hide_default_value = true)]
    pub(super) separator: String,
    /// What stands for a key or value that is null
    #[arg(long, value_name = "TEXT", default_value = "null")]
    pub(super) null: String,
}

/// Bytes as JSON has them: text when they are UTF-8, else hexadecimal digits.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(untagged)]
enum Data {
    Text(String),
    Hex { hex: String },
}

impl Data {
    fn new(bytes: &[u8]) -> Data {
        match str::from_utf8(bytes) {
            Ok(text) => Data::Text(text.to_owned()),
            Err(_) => Data::Hex { hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect() },
        }
    }
}

#[derive(Debug, Serialize)]
struct RecordLine<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    timestamp_type: &'static str,
    key: Option<Data>,
    value: Option<Data>,
    headers: Vec<HeaderLine>,
}

#[derive(Debug, Serialize)]
struct HeaderLine {
    key: Data,
    value: Option<Data>,
}

/// Prints a record and a line's end.
pub(super) fn print(out: &mut impl Write, fetched: &Fetched<'_>, fields: &Fields, format: Format) -> io::Result<()> {
    match format {
        Format::Json => print_json(out, fetched),
        Format::Text => print_text(out, fetched, fields),
    }
}

fn print_text(out: &mut impl Write, fetched: &Fetched<'_>, fields: &Fields) -> io::Result<()> {
    let separator = fields.separator.as_bytes();
    let null = fields.null.as_bytes();
    if fields.print_timestamp {
        write!(out, "{}", fetched.timestamp)?;
        out.write_all(separator)?;
    }
    if fields.print_partition {
        write!(out, "{}", fetched.partition.partition)?;
        out.write_all(separator)?;
    }
    if fields.print_offset {
        write!(out, "{}", fetched.offset)?;
        out.write_all(separator)?;
    }
    if fields.print_headers {
        for (index, header) in fetched.record.headers.enumerate() {
            if index > 0 {
                out.write_all(b",")?;
            }
            out.write_all(header.key)?;
            out.write_all(b"=")?;
            out.write_all(header.value.unwrap_or(null))?;
        }
        out.write_all(separator)?;
    }
    if fields.print_key {
        out.write_all(fetched.record.key.unwrap_or(null))?;
        out.write_all(separator)?;
    }
    out.write_all(fetched.record.value.unwrap_or(null))?;
    out.write_all(b"\n")
}

fn print_json(out: &mut impl Write, fetched: &Fetched<'_>) -> io::Result<()> {
    let line = RecordLine {
        topic: &fetched.partition.topic,
        partition: fetched.partition.partition,
        offset: fetched.offset,
        timestamp: fetched.timestamp,
        timestamp_type: if fetched.log_append_time { "LogAppendTime" } else { "CreateTime" },
        key: fetched.record.key.map(Data::new),
        value: fetched.record.value.map(Data::new),
        headers: fetched
            .record
            .headers
            .map(|header| HeaderLine { key: Data::new(header.key), value: header.value.map(Data::new) })
            .collect(),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
