//! What is left out of a seed's scenario, so that a failure can be reduced to what it takes.
//!
//! A seed without some of its parts is another run: who is left draws other numbers. It is the same one every time, though.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::faults::Fault;
use crate::scenario::Loads;

/// Something that a scenario has several of, by its place among those of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named as they are in the scenario")]
pub enum Part {
    Fault(usize),
    Group(usize),
    Producer(usize),
    Consumer(usize),
    Committer(usize),
    Step(usize),
}

type Make = fn(usize) -> Part;

const NAMES: [(&str, Make); 6] = [
    ("fault", Part::Fault),
    ("group", Part::Group),
    ("producer", Part::Producer),
    ("consumer", Part::Consumer),
    ("committer", Part::Committer),
    ("step", Part::Step),
];

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Part::Fault(index)
        | Part::Group(index)
        | Part::Producer(index)
        | Part::Consumer(index)
        | Part::Committer(index)
        | Part::Step(index)) = *self;
        let name = NAMES.iter().find(|(_, part)| part(index) == *self).map_or("", |(name, _)| name);
        write!(f, "{name}-{index}")
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Part, String> {
        let parse = || {
            let (name, index) = text.split_once('-')?;
            let (_, part) = NAMES.iter().find(|(known, _)| *known == name)?;
            Some(part(index.parse().ok()?))
        };
        parse().ok_or_else(|| format!("{text} is no part: write fault-0, group-1, producer-0, …"))
    }
}

/// What is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cuts {
    /// These parts.
    pub without: BTreeSet<Part>,
    /// Of every producer all batches but the first so many.
    pub batches_max: Option<u32>,
    /// Whether there is a storm: what is left out otherwise are stalls, unreadable sectors, compacted topics and new settings.
    pub storm: bool,
}

impl Cuts {
    /// Takes faults out; returns what the others are, for people.
    pub fn cut_faults<T>(&self, faults: &mut Vec<(T, Fault)>) -> Vec<(Part, String)> {
        self.keep(Part::Fault, faults, |(_, fault)| format!("{fault:?}"))
    }

    /// Takes clients out; returns what the others are, for people.
    pub fn cut_loads(&self, loads: &mut Loads) -> Vec<(Part, String)> {
        for producer in &mut loads.producers {
            producer.batches = producer.batches.min(self.batches_max.unwrap_or(u32::MAX));
        }
        let mut parts = self.keep(Part::Producer, &mut loads.producers, |plan| format!("{plan:?}"));
        parts.extend(self.keep(Part::Consumer, &mut loads.consumers, |plan| format!("{plan:?}")));
        parts.extend(self.keep(Part::Committer, &mut loads.committers, |plan| format!("{plan:?}")));
        parts.extend(self.keep(Part::Group, &mut loads.groups, |plan| format!("{plan:?}")));
        parts.extend(self.keep(Part::Step, &mut loads.admin, |step| format!("{step:?}")));
        parts
    }

    fn keep<T>(&self, part: Make, all: &mut Vec<T>, describe: impl Fn(&T) -> String) -> Vec<(Part, String)> {
        let mut index = 0;
        let mut kept = Vec::new();
        all.retain(|one| {
            let name = part(index);
            index += 1;
            let stays = !self.without.contains(&name);
            if stays {
                kept.push((name, describe(one)));
            }
            stays
        });
        kept
    }
}

impl fmt::Display for Cuts {
    /// As the command line takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.without.is_empty() {
            let parts: Vec<String> = self.without.iter().map(Part::to_string).collect();
            write!(f, " --without {}", parts.join(","))?;
        }
        if let Some(batches) = self.batches_max {
            write!(f, " --batches {batches}")?;
        }
        f.write_str(if self.storm { " --storm" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_as_they_are_parsed() {
        for (name, part) in NAMES {
            assert_eq!(part(3).to_string(), format!("{name}-3"));
            assert_eq!(format!("{name}-3").parse(), Ok(part(3)));
        }
        assert!("fault".parse::<Part>().is_err() && "nothing-1".parse::<Part>().is_err());
    }
}
