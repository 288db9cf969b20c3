//! Offsets from a file: `TOPIC,PARTITION,OFFSET`, one partition a line, as `--export` and Kafka's tool write them. Kafka's
//! lines may name a group before the topic; those of other groups are passed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use loadgen::client::TopicPartition;

use crate::cli::CliError;

/// Most bytes that such a file may have: a million partitions' lines.
const BYTES_MAX: u64 = 64 << 20;

/// Reads a file, or stdin for `-`.
pub(super) fn read(path: &Path, group: &str) -> Result<BTreeMap<TopicPartition, i64>, CliError> {
    let failed = |error| CliError::File { path: path.to_owned(), error };
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(failed)?) };
    let mut text = String::new();
    let read = source.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    let damaged = |reason| CliError::Damaged { path: path.to_owned(), reason };
    if read as u64 > BYTES_MAX {
        return Err(damaged(format!("longer than {BYTES_MAX} bytes")));
    }
    let offsets = parse(&text, group).map_err(damaged)?;
    if offsets.is_empty() {
        return Err(damaged(format!("no line has an offset for group {group}")));
    }
    Ok(offsets)
}

fn parse(text: &str, group: &str) -> Result<BTreeMap<TopicPartition, i64>, String> {
    let mut offsets = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = || format!("line {}: expected TOPIC,PARTITION,OFFSET, not {line:?}", number + 1);
        let mut fields = line.rsplit(',').map(|field| field.trim().trim_matches('"'));
        let (offset, partition, topic) =
            (fields.next(), fields.next(), fields.next().filter(|topic| !topic.is_empty()));
        let (Some(Ok(offset)), Some(Ok(partition)), Some(topic)) =
            (offset.map(str::parse::<i64>), partition.map(str::parse::<i32>), topic)
        else {
            return Err(wrong());
        };
        if offset < 0 || partition < 0 {
            return Err(wrong());
        }
        let own: Vec<&str> = fields.collect();
        if !own.is_empty() && own.iter().rev().copied().collect::<Vec<_>>().join(",") != group {
            continue;
        }
        let at = TopicPartition { topic: topic.to_owned(), partition };
        if offsets.insert(at, offset).is_some() {
            return Err(format!("line {}: a second offset for {topic}-{partition}", number + 1));
        }
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, i64)>, String> {
        let offsets = parse(text, "g,1")?;
        Ok(offsets.into_iter().map(|(at, offset)| (at.to_string(), offset)).collect())
    }

    #[test]
    fn lines_with_and_without_the_group_are_read() {
        let text = "t,0,7\n\"g,1\",t,1,8\nother,t,2,9\n\n u , 3 , 0 \r\n";
        assert_eq!(parsed(text).expect(text), [("t-0".into(), 7), ("t-1".into(), 8), ("u-3".into(), 0)]);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for wrong in ["t,0", "t,0,x", "t,0,-1", "t,-1,0", ",0,0", "t,0,1\nt,0,2", "t;0;1"] {
            assert!(parsed(&format!("ok,0,0\n{wrong}\n")).is_err_and(|reason| reason.contains("line ")), "{wrong}");
        }
    }
}
