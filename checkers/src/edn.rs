//! A history as EDN, one operation a line, for Jepsen's own checker of Kafka histories (`jepsen.tests.kafka`).
//!
//! Its passes look at one process and one partition at a time, so that is the order: partition by partition, with times that are
//! mere places in the file. A Jepsen process has one operation under way and none after one whose end is unknown: a process of
//! ours is one of theirs in each partition, and another one after such a send.
//!
//! Left out are partitions whose records were deleted or compacted, which Jepsen takes for losses, and groups, whose members' grants it does
//! not judge. It takes all producers for idempotent: duplicates of others are to be expected in its verdict.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::history::{Event, History, Key, PartitionHistory, ProcessId, Sent, Value};

/// Writes a history down.
///
/// # Errors
/// Those of `out`.
pub fn export<K: Key>(history: &History<K>, out: &mut impl Write) -> fmt::Result {
    let mut writer = Writer { out, index: 0, processes: 0 };
    for (key, (partition, events)) in history.partitions.iter().enumerate() {
        if events.deletes() || events.keys.is_some() {
            writeln!(writer.out, ";; {partition:?} is left out: records of it went")?;
            continue;
        }
        writeln!(writer.out, ";; key {key} is {partition:?}")?;
        writer.partition(key, events)?;
    }
    Ok(())
}

struct Writer<'a, W> {
    out: &'a mut W,
    index: u64,
    processes: u64,
}

impl<W: Write> Writer<'_, W> {
    fn partition(&mut self, key: usize, history: &PartitionHistory) -> fmt::Result {
        let mut processes: BTreeMap<ProcessId, u64> = BTreeMap::new();
        for event in &history.events {
            match event {
                &Event::Send { process, value: Value(value), outcome, .. } => {
                    let known = *processes.entry(process).or_insert_with(|| self.new_process());
                    let asked = format!("[[:send {key} {value}]]");
                    match outcome {
                        Sent::Acked(offset) => {
                            let told = format!("[[:send {key} [{offset} {value}]]]");
                            self.operation(known, "send", &asked, ("ok", &told))?;
                        }
                        Sent::Failed => self.operation(known, "send", &asked, ("fail", &asked))?,
                        Sent::Unknown => {
                            self.operation(known, "send", &asked, ("info", &asked))?;
                            processes.remove(&process);
                        }
                    }
                }
                Event::Poll { process, records } => {
                    let known = *processes.entry(*process).or_insert_with(|| self.new_process());
                    self.poll(known, key, records)?;
                }
                Event::Assign { process } => {
                    let known = *processes.entry(*process).or_insert_with(|| self.new_process());
                    // What is assigned before and after keeps its position there.
                    self.operation(known, "assign", "[]", ("ok", "[]"))?;
                    let assigned = format!("[{key}]");
                    self.operation(known, "assign", &assigned, ("ok", &assigned))?;
                }
                Event::DeleteRecords { .. } | Event::Commit { .. } | Event::Committed { .. } => {}
            }
        }
        let Some(last) = history.last.as_ref().filter(|last| !last.records.is_empty()) else { return Ok(()) };
        let reader = self.new_process();
        self.poll(reader, key, &last.records)
    }

    fn new_process(&mut self) -> u64 {
        self.processes += 1;
        self.processes - 1
    }

    fn poll(&mut self, process: u64, key: usize, records: &[(i64, Value)]) -> fmt::Result {
        let records: Vec<String> = records.iter().map(|(offset, Value(value))| format!("[{offset} {value}]")).collect();
        let told = format!("[[:poll {{{key} [{}]}}]]", records.join(" "));
        self.operation(process, "poll", "[[:poll]]", ("ok", &told))
    }

    fn operation(&mut self, process: u64, f: &str, asked: &str, (end, told): (&str, &str)) -> fmt::Result {
        for (kind, value) in [("invoke", asked), (end, told)] {
            let index = self.index;
            writeln!(
                self.out,
                "{{:index {index}, :time {index}, :type :{kind}, :process {process}, :f :{f}, :value {value}}}"
            )?;
            self.index += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
