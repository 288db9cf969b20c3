//! What held a run back, in a sentence: a ratio between two systems says little when the client was the limit of one of them.

use crate::result::{RunResult, Throughput};

/// A share from which something counts as full.
const FULL: f64 = 0.85;
/// The client's share of its core from which it is the limit: it also has to wait for its turn.
const CLIENT_FULL: f64 = 0.8;
/// The acknowledged share of the offered from which a rate was met.
const RATE_MET: f64 = 0.995;

/// Medians over a system's runs of one comparison; what was not seen is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shares {
    /// Of the processors that the server may use.
    pub server: Option<f64>,
    /// Of the core of the client's busiest thread.
    pub client: Option<f64>,
    /// Of the time in which a disk was busy.
    pub disk: Option<f64>,
    /// CPU of the kernel's own threads, in cores.
    pub kernel: Option<f64>,
    /// Acknowledged (acks = 0: sent) over offered; none when the rate was "max".
    pub met: Option<f64>,
}

impl Shares {
    /// Over the runs of one system.
    pub fn of(runs: &[&RunResult]) -> Self {
        let over = |read: &dyn Fn(&RunResult) -> Option<f64>| median(runs.iter().filter_map(|run| read(run)).collect());
        Self {
            server: over(&|run| run.resources.server_core_share),
            client: over(&|run| run.resources.client_core_share),
            disk: over(&|run| run.resources.disk_busy_share),
            kernel: over(&|run| {
                run.resources.kernel_cpu_s.map(|seconds| seconds / run.window_s.max(f64::MIN_POSITIVE))
            }),
            met: over(&met),
        }
    }

    /// What was the limit. The first that holds: the client, because then nothing is said about the server; the rate; the server's
    /// processors; the disk; waiting.
    pub fn sentence(&self, system: &str) -> String {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let full = |share: Option<f64>, limit: f64| share.filter(|share| *share >= limit);
        let figures = self.figures();
        if let Some(client) = full(self.client, CLIENT_FULL) {
            return format!(
                "{system}: the load generator was the limit ({} of its core), so the throughput is a floor of what the broker can \
                 do{figures}.",
                percent(client)
            );
        }
        if let Some(met) = full(self.met, RATE_MET) {
            return format!(
                "{system}: nothing was the limit; it was asked for a rate and gave it ({}){figures}.",
                percent(met)
            );
        }
        let what = if let Some(server) = full(self.server, FULL) {
            format!("its processor ({} of what it may use)", percent(server))
        } else if let Some(disk) = full(self.disk, FULL) {
            format!("the disk (busy {} of the time)", percent(disk))
        } else if self.server.is_none() {
            return format!(
                "{system}: it runs elsewhere or was not watched, so what limited it is not known{figures}."
            );
        } else {
            "waiting: neither processor nor disk was full, so it is the round trip of the requests in flight".to_owned()
        };
        format!("{system}: the limit was {what}{figures}.")
    }

    fn figures(&self) -> String {
        let figures = [
            ("server processor", self.server),
            ("client core", self.client),
            ("disk busy", self.disk),
            ("kernel threads, cores", self.kernel),
        ];
        let told: Vec<String> = figures
            .iter()
            .filter_map(|(name, share)| share.map(|share| format!("{name} {:.0} %", share * 100.0)))
            .collect();
        if told.is_empty() { String::new() } else { format!(" [{}]", told.join(", ")) }
    }
}

fn met(run: &RunResult) -> Option<f64> {
    run.scenario.producers.rate.per_second()?;
    let Throughput { offered_per_s, sent_per_s, acked_per_s, .. } = run.throughput;
    let done = if run.latency.response.is_some() { acked_per_s } else { sent_per_s };
    (offered_per_s > 0.0).then(|| done / offered_per_s)
}

pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_first_that_is_full() {
        let free = Shares { server: Some(0.3), client: Some(0.2), disk: Some(0.1), kernel: None, met: None };
        let says = |shares: Shares| shares.sentence("x");
        assert!(says(free.clone()).contains("waiting"));
        assert!(says(Shares { disk: Some(0.9), ..free.clone() }).contains("the disk (busy 90 %"));
        assert!(says(Shares { server: Some(0.97), disk: Some(0.9), ..free.clone() }).contains("its processor (97 %"));
        assert!(
            says(Shares { met: Some(1.0), server: Some(0.97), ..free.clone() })
                .contains("asked for a rate and gave it")
        );
        assert!(says(Shares { met: Some(0.9), ..free.clone() }).contains("waiting"));
        assert!(
            says(Shares { client: Some(0.8), server: Some(0.97), ..free.clone() })
                .contains("load generator was the limit")
        );
        assert!(says(Shares { server: None, ..free }).contains("not known"));
        assert_eq!(Shares::of(&[]), Shares::default());
    }

    #[test]
    fn a_median_of_an_even_count_lies_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
