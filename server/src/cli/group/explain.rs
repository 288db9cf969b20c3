//! `partita group explain`: why a group does or does not move, in the coordinator's own words.

use std::collections::BTreeMap;

use serde::Serialize;
use wire::api::k15_describe_groups::GroupFinding;

use super::OneGroupArgs;
use crate::cli::CliError;
use crate::cli::output::{Format, write_all, write_json};

#[derive(Debug, Serialize)]
struct Explanation {
    group: String,
    /// Whether something keeps the group, or a part of it, from moving.
    blocked: bool,
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Finding {
    kind: String,
    blocks: bool,
    what: String,
    meaning: String,
    advice: Option<String>,
    /// Names may repeat.
    facts: BTreeMap<String, Vec<String>>,
}

impl From<GroupFinding> for Finding {
    fn from(finding: GroupFinding) -> Finding {
        let mut facts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for fact in finding.facts {
            facts.entry(fact.name).or_default().push(fact.value);
        }
        Finding {
            kind: finding.kind,
            blocks: finding.blocks,
            what: finding.what,
            meaning: finding.meaning,
            advice: Some(finding.advice).filter(|advice| !advice.is_empty()),
            facts,
        }
    }
}

pub(super) fn run(args: &OneGroupArgs) -> Result<(), CliError> {
    let group = args.group.name();
    let findings = args.connect.connect()?.explain_group(group)?;
    let findings = findings.ok_or_else(|| CliError::NotExplained { group: group.to_owned() })?;
    let findings: Vec<Finding> = findings.into_iter().map(Finding::from).collect();
    match args.format {
        Format::Json => {
            let blocked = findings.iter().any(|finding| finding.blocks);
            write_json(&Explanation { group: group.to_owned(), blocked, findings })
        }
        Format::Text => write_all(text(&findings).as_bytes()),
    }
}

/// A paragraph for each finding; those that keep something from moving are marked.
fn text(findings: &[Finding]) -> String {
    let paragraph = |finding: &Finding| {
        let mark = if finding.blocks { "! " } else { "- " };
        let advice = finding.advice.as_ref().map_or_else(String::new, |advice| format!("  What to do: {advice}\n"));
        format!("{mark}{}\n  {}\n{advice}", finding.what, finding.meaning)
    };
    findings.iter().map(paragraph).collect::<Vec<_>>().join("\n")
}
