//! `partita log dump`: what is in a segment, an index or a producer snapshot, of ours or of Kafka's.
//!
//! Reads batch by batch, so that a segment of any size needs memory for one batch only. The file may be in use.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use engine::producer_snapshot::{SNAPSHOT_BYTES_MAX, decode as decode_snapshot};
use serde_json::{Value, json};
use wire::batch::{Batch, BatchHeader, HEADER_BYTES, TimestampType, records};

use super::CliError;
use super::output::Format;
use decoder::{Decoder, text};

mod decoder;

/// The largest batch that is read, and the most that its records may take once decompressed, in bytes.
const BATCH_BYTES_MAX: usize = 256 << 20;
const OFFSET_ENTRY_BYTES: usize = 8;
const TIME_ENTRY_BYTES: usize = 12;

#[derive(Debug, Args)]
pub(super) struct DumpArgs {
    /// Files named as in a data folder: .log, .index, .timeindex or .snapshot (producers)
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print the batches only, not their records
    #[arg(long)]
    no_records: bool,
    /// What the records are [default: by the folder's name]
    #[arg(long, value_enum)]
    decoder: Option<Decoder>,
    /// Lines of text, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: DumpArgs) -> Result<(), CliError> {
    let mut out = BufWriter::new(io::stdout().lock());
    for path in &args.files {
        let mut dump = Dump { path, args: &args, out: &mut out };
        dump.file()?;
    }
    out.flush().map_err(CliError::Output)
}

struct Dump<'a, W: Write> {
    path: &'a Path,
    args: &'a DumpArgs,
    out: &'a mut W,
}

impl<W: Write> Dump<'_, W> {
    fn file(&mut self) -> Result<(), CliError> {
        let extension = self.path.extension().and_then(|extension| extension.to_str());
        match extension {
            Some("log") => self.segment(),
            Some("index") => self.offset_index(),
            Some("timeindex") => self.time_index(),
            Some("snapshot") => self.producers(),
            _ => Err(CliError::Usage(format!(
                "{}: only .log, .index, .timeindex and .snapshot files can be dumped",
                self.path.display()
            ))),
        }
    }

    fn unreadable(&self, error: io::Error) -> CliError {
        CliError::File { path: self.path.to_owned(), error }
    }

    fn damaged(&self, reason: String) -> CliError {
        CliError::Damaged { path: self.path.to_owned(), reason }
    }

    /// Prints one thing: its kind and its fields, in this order.
    fn print(&mut self, kind: &str, fields: &[(&str, Value)]) -> Result<(), CliError> {
        let written = match self.args.format {
            Format::Text => {
                let fields: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
                writeln!(self.out, "{kind} {}", fields.join(" "))
            }
            Format::Json => {
                let mut object = serde_json::Map::new();
                object.insert("kind".into(), kind.into());
                object.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
                writeln!(self.out, "{}", Value::Object(object))
            }
        };
        written.map_err(CliError::Output)
    }

    /// The offset that the file is named for.
    fn base_offset(&self) -> Result<i64, CliError> {
        let stem = self.path.file_stem().and_then(|stem| stem.to_str());
        stem.and_then(|stem| stem.parse().ok())
            .ok_or_else(|| CliError::Usage(format!("{}: the name is not an offset", self.path.display())))
    }

    fn segment(&mut self) -> Result<(), CliError> {
        let file = File::open(self.path).map_err(|error| self.unreadable(error))?;
        let length = file.metadata().map_err(|error| self.unreadable(error))?.len();
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let decoder = self.args.decoder.unwrap_or_else(|| Decoder::for_segment(self.path));
        let (mut position, mut bytes, mut scratch) = (0u64, Vec::new(), Vec::new());
        while length - position >= HEADER_BYTES as u64 {
            bytes.resize(HEADER_BYTES, 0);
            reader.read_exact(&mut bytes).map_err(|error| self.unreadable(error))?;
            if bytes.iter().all(|byte| *byte == 0) {
                // Space allocated ahead of an active segment's end.
                return self
                    .print("unwritten", &[("position", position.into()), ("bytes", (length - position).into())]);
            }
            let at = |what: &dyn std::fmt::Display| format!("at position {position}: {what}");
            let header = BatchHeader::parse(&bytes).map_err(|error| self.damaged(at(&error)))?;
            let size = header.size();
            if size > BATCH_BYTES_MAX || size as u64 > length - position {
                let left = length - position;
                return Err(
                    self.damaged(at(&format!("a batch of {size} bytes where {left} are left: torn or damaged")))
                );
            }
            bytes.resize(size, 0);
            reader.read_exact(&mut bytes[HEADER_BYTES..]).map_err(|error| self.unreadable(error))?;
            let batch = Batch { header, bytes: &bytes };
            let valid = self.batch(position, &batch)?;
            if valid && !self.args.no_records {
                self.records(position, &batch, decoder, &mut scratch)?;
            }
            position += size as u64;
        }
        if position < length {
            let left = length - position;
            return Err(
                self.damaged(format!("at position {position}: {left} bytes that are no batch: torn or damaged"))
            );
        }
        Ok(())
    }

    fn batch(&mut self, position: u64, batch: &Batch<'_>) -> Result<bool, CliError> {
        let header = &batch.header;
        let compression =
            header.compression().map_or_else(|error| error.to_string(), |codec| format!("{codec:?}").to_lowercase());
        let valid = batch.check_crc();
        let timestamp_type = match header.timestamp_type() {
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        };
        self.print(
            "batch",
            &[
                ("base_offset", header.base_offset.into()),
                ("last_offset", header.last_offset().into()),
                ("count", header.record_count.into()),
                ("position", position.into()),
                ("size", header.size().into()),
                ("leader_epoch", header.partition_leader_epoch.into()),
                ("max_timestamp", header.max_timestamp.into()),
                ("timestamp_type", timestamp_type.into()),
                ("compression", compression.into()),
                ("producer_id", header.producer_id.into()),
                ("producer_epoch", header.producer_epoch.into()),
                ("base_sequence", header.base_sequence.into()),
                ("transactional", header.is_transactional().into()),
                ("control", header.is_control().into()),
                ("crc", format!("{:#010x}", header.crc).into()),
                ("valid", valid.is_ok().into()),
            ],
        )?;
        if let Err(error) = &valid {
            eprintln!("{}: at position {position}: {error}", self.path.display());
        }
        Ok(valid.is_ok())
    }

    fn records(
        &mut self,
        position: u64,
        batch: &Batch<'_>,
        decoder: Decoder,
        scratch: &mut Vec<u8>,
    ) -> Result<(), CliError> {
        let header = batch.header;
        let bad = |error| CliError::Damaged {
            path: self.path.to_owned(),
            reason: format!("at position {position}: {error}"),
        };
        for record in records(batch, BATCH_BYTES_MAX, scratch).map_err(bad)? {
            let record = record.map_err(|error| self.damaged(format!("at position {position}: {error}")))?;
            let timestamp = match header.timestamp_type() {
                TimestampType::CreateTime => header.base_timestamp.wrapping_add(record.timestamp_delta),
                TimestampType::LogAppendTime => header.max_timestamp,
            };
            let (key, value) = if header.is_control() { decoder::control(&record) } else { decoder.decode(&record) };
            let headers: Vec<Value> = record
                .headers
                .map(|header| json!([decoder::raw(Some(header.key)), decoder::raw(header.value)]))
                .collect();
            self.print(
                "  record",
                &[
                    ("offset", (header.base_offset + i64::from(record.offset_delta)).into()),
                    ("timestamp", timestamp.into()),
                    ("headers", headers.into()),
                    ("key", key),
                    ("value", value),
                ],
            )?;
        }
        Ok(())
    }

    /// Reads an index's entries one by one; an active one ends in zeros.
    fn entries<const N: usize>(
        &mut self,
        mut print: impl FnMut(&mut Self, &[u8; N]) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let mut reader = BufReader::new(File::open(self.path).map_err(|error| self.unreadable(error))?);
        let mut is_first = true;
        loop {
            let mut entry = [0; N];
            match reader.read_exact(&mut entry) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(self.unreadable(error)),
            }
            if entry == [0; N] && !is_first {
                return Ok(());
            }
            is_first = false;
            print(self, &entry)?;
        }
    }

    fn offset_index(&mut self) -> Result<(), CliError> {
        let base = self.base_offset()?;
        self.entries::<OFFSET_ENTRY_BYTES>(|dump, [a, b, c, d, e, f, g, h]| {
            let offset = base + i64::from(u32::from_be_bytes([*a, *b, *c, *d]));
            let position = u32::from_be_bytes([*e, *f, *g, *h]);
            dump.print("entry", &[("offset", offset.into()), ("position", position.into())])
        })
    }

    fn time_index(&mut self) -> Result<(), CliError> {
        let base = self.base_offset()?;
        self.entries::<TIME_ENTRY_BYTES>(|dump, [a, b, c, d, e, f, g, h, offset @ ..]| {
            let timestamp = i64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
            let offset = base + i64::from(u32::from_be_bytes(*offset));
            dump.print("entry", &[("timestamp", timestamp.into()), ("offset", offset.into())])
        })
    }

    fn producers(&mut self) -> Result<(), CliError> {
        let file = File::open(self.path).map_err(|error| self.unreadable(error))?;
        let mut bytes = Vec::new();
        file.take(SNAPSHOT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| self.unreadable(error))?;
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err(self.damaged(format!("larger than {SNAPSHOT_BYTES_MAX} bytes")));
        }
        let entries = decode_snapshot(&bytes).map_err(|error| self.damaged(error.to_string()))?;
        for entry in entries {
            self.print(
                "producer",
                &[
                    ("producer_id", entry.producer_id.into()),
                    ("producer_epoch", entry.producer_epoch.into()),
                    ("last_sequence", entry.last_sequence.into()),
                    ("last_offset", entry.last_offset.into()),
                    ("offset_delta", entry.offset_delta.into()),
                    ("timestamp", entry.timestamp.into()),
                    ("coordinator_epoch", entry.coordinator_epoch.into()),
                    ("current_txn_first_offset", entry.current_txn_first_offset.into()),
                ],
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
