//! `judge FOLDER PARTITIONS`: the verdict on what a client of a broker that was killed under it has kept.
//!
//! One idempotent producer numbers its records of each partition from 0, one consumer reads along. FOLDER holds, each a line of
//! `partition offset number`: `acked` what was acknowledged, `observed` what the consumer saw meanwhile, `final` what the log
//! holds at the end. Prints how many records were acknowledged, or the anomalies, then with status 1.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use checkers::History;
use checkers::history::{Event, FinalRead, Guarantee, ProcessId, Sent, Value};

const PRODUCER: ProcessId = ProcessId(0);
const CONSUMER: ProcessId = ProcessId(1);
/// Anomalies that are printed; the others are only counted.
const SHOWN_MAX: usize = 10;

/// By partition, in the order of the lines: offsets and numbers.
type Told = BTreeMap<u32, Vec<(i64, Value)>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let judged = match &arguments[..] {
        [folder, partitions] => judge(Path::new(folder), partitions),
        _ => Err("usage: judge FOLDER PARTITIONS".into()),
    };
    match judged {
        Ok(acknowledged) => {
            println!("{acknowledged}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn judge(folder: &Path, partitions: &str) -> Result<usize, String> {
    let partitions: u32 = partitions.parse().map_err(|error| format!("{partitions}: {error}"))?;
    let read = |name: &str| read(&folder.join(name));
    let (acked, observed, last) = (read("acked")?, read("observed")?, read("final")?);
    let mut history = History::default();
    for partition in 0..partitions {
        let of = |told: &Told| told.get(&partition).cloned().unwrap_or_default();
        let (acked, observed, last) = (of(&acked), of(&observed), of(&last));
        let places: BTreeMap<Value, i64> = acked.iter().map(|&(offset, value)| (value, offset)).collect();
        if places.len() != acked.len() {
            return Err(format!("partition {partition}: something was acknowledged twice"));
        }
        let highest = acked.iter().chain(&observed).chain(&last).map(|&(_, value)| value).max();
        for value in (0..=highest.map_or(0, |Value(highest)| highest)).map(Value) {
            let outcome = places.get(&value).map_or(Sent::Unknown, |&offset| Sent::Acked(offset));
            history.record(partition, Event::Send { process: PRODUCER, value, guarantee: Guarantee::Once, outcome });
        }
        if !observed.is_empty() {
            history.record(partition, Event::Poll { process: CONSUMER, records: observed });
        }
        let end = last.last().map_or(0, |(offset, _)| offset + 1);
        history.partition(partition).last = Some(FinalRead { log_start: 0, end, records: last });
    }
    let anomalies = checkers::check(&history).anomalies;
    if anomalies.is_empty() {
        return Ok(history.acked());
    }
    let mut lines: Vec<String> =
        anomalies.iter().take(SHOWN_MAX).map(|anomaly| format!("partition {anomaly}")).collect();
    lines.push(format!("{} anomalies", anomalies.len()));
    Err(lines.join("\n"))
}

fn read(path: &Path) -> Result<Told, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut told = Told::new();
    for line in text.lines() {
        let parsed = (|| {
            let mut words = line.split(' ');
            let (partition, offset, number) = (words.next()?, words.next()?, words.next()?);
            Some((partition.parse().ok()?, (offset.parse().ok()?, Value(number.parse().ok()?))))
        })();
        let (partition, record) = parsed.ok_or_else(|| format!("{}: {line:?} is no record", path.display()))?;
        told.entry(partition).or_default().push(record);
    }
    Ok(told)
}
