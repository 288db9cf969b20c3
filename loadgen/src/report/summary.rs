//! The figures that a reader takes along, as sentences.

use super::cases::{ACKS, Cases};
use super::figures::Metric;
use super::{pictures, words};

/// A sentence for each system and level of acks.
pub fn sentences(cases: &Cases<'_>) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    for heap in
        cases.heaps(&cases.axes.iter().map(|(key, _)| key.as_str()).filter(|key| *key != ACKS).collect::<Vec<_>>())
    {
        let Some(first) = heap.first() else { continue };
        let acks = words::setting(ACKS, &pictures::acks_of(first));
        let who = if cases.systems.len() > 1 { format!("{}, {acks}", cases.system_label(first.system)) } else { acks };
        let range = |metric: Metric| {
            let values: Vec<f64> = heap.iter().filter_map(|case| case.value(metric)).collect();
            let (least, most) = (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
            let [least, most] = [least, most].map(|value| metric.quantity().format(value));
            Some(if least == most { least } else { format!("{least} to {most}") })
        };
        let mut parts = Vec::new();
        for (verb, half, most) in [
            ("acknowledged", Metric::ResponseP50, Metric::ResponseP99),
            ("read", Metric::EndToEndP50, Metric::EndToEndP99),
        ] {
            if let (Some(half), Some(most)) = (range(half), range(most)) {
                parts.push(format!("half of the records were {verb} within {half}, 99 of 100 within {most}"));
            }
        }
        if let Some(cpu) = range(Metric::CpuPerGigabyte) {
            parts.push(format!("the broker used {} of CPU time for each gigabyte", cpu.replace("/GB", "")));
        }
        if !parts.is_empty() {
            sentences.push(format!("{who}: {}.", parts.join("; ")));
        }
    }
    sentences
}
