//! How to repeat it: the exact commands, the machine, the broker's settings.

use maud::{Markup, html};

use crate::resources::device::FlushClass;
use crate::resources::environment::Environment;

use super::chart::Quantity;
use super::input::Run;
use super::words;

/// More folders than this are not listed.
const FOLDERS_MAX: usize = 200;

/// All that a repetition needs.
pub fn draw(runs: &[Run]) -> Markup {
    let commands = distinct(runs.iter().map(|run| run.result.command.as_str()));
    let machines = distinct(
        runs.iter().filter_map(|run| run.environment.as_ref().map(|environment| environment.machine.as_str())),
    );
    html! {
        section {
            h2 { "How it was run" }
            h3 { @if commands.len() == 1 { "The command" } @else { "The commands" } }
            pre { (commands.join("\n")) }
            @for machine in machines {
                @if let Some(environment) = runs.iter().filter_map(|run| run.environment.as_ref()).find(|one| one.machine == machine) {
                    (machine_table(environment))
                }
            }
            (brokers(runs))
            details class="screen-only" {
                summary { "The folders of the runs" }
                ul class="small" { @for run in runs.iter().take(FOLDERS_MAX) { li { code { (run.folder.display()) } } } }
                @if runs.len() > FOLDERS_MAX { p { "and " (runs.len() - FOLDERS_MAX) " more" } }
            }
        }
    }
}

/// Each text once, in order; empty ones are none.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once: Vec<&str> = Vec::new();
    for text in texts.filter(|text| !text.trim().is_empty()) {
        if !once.contains(&text) {
            once.push(text);
        }
    }
    once
}

fn machine_table(environment: &Environment) -> Markup {
    let bytes =
        |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), |bytes| Quantity::Bytes.format(bytes as f64));
    let mut rows = vec![
        ("processor", format!("{}, {}", environment.cpu, words::count(environment.cpus, "core"))),
        ("server on processors", environment.server_cpus.clone().unwrap_or_else(|| "not pinned".to_owned())),
        ("load generator on processors", environment.client_cpus.clone()),
        ("memory", bytes(environment.memory_bytes)),
        ("kernel", environment.kernel.clone()),
    ];
    if let Some(device) = &environment.device {
        let name = device.name.clone().unwrap_or_else(|| "no block device".to_owned());
        rows.push(("disk", format!("{name}, {}; {}", device.file_system, flush_class(device.flush_class))));
        if let Some(flush) = &device.raw_flush {
            let us = |us: f64| Quantity::Microseconds.format(us);
            rows.push((
                "a durable write of 4 KiB, without any broker",
                format!("p50 {}, p99 {}", us(flush.p50_us), us(flush.p99_us)),
            ));
        }
    }
    html! {
        h3 { "The machine: " (environment.machine) }
        div class="scroll" tabindex="0" role="region" aria-label="the machine" {
            table { tbody { @for (name, value) in rows { tr { th scope="row" { (name) } td class="words" { (value) } } } } }
        }
    }
}

fn flush_class(class: FlushClass) -> &'static str {
    match class {
        FlushClass::NoCache => "no volatile cache, so that every write is durable",
        FlushClass::Fua => "single writes can pass its cache",
        FlushClass::FlushOnly => "a durable write flushes its whole cache",
        FlushClass::Unknown => "how it flushes is unknown",
    }
}

fn brokers(runs: &[Run]) -> Markup {
    let confs = distinct(runs.iter().map(|run| run.broker.as_str()));
    html! {
        @if !confs.is_empty() {
            details {
                summary { "The broker's command and settings" }
                @for conf in confs { pre { (conf) } }
            }
        }
    }
}
