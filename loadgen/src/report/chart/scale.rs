//! Axes: where a value lies between the ends of its axis, and which values are written beside it.

/// How an axis spreads its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal distances for equal differences; begins at zero unless values are below.
    Linear,
    /// The same from the first moment to the last: neither zero nor a round end is added.
    Time,
    /// Equal distances for equal ratios; only positive values.
    Log,
    /// Percentiles as parts of 1: each nine is as wide as the one before, so that the tail is seen.
    Nines,
}

/// More nines than any histogram of ours tells apart.
const NINES_MAX: f64 = 7.0;
/// A linear axis has about so many values beside it.
const LINEAR_TICKS: f64 = 4.0;

/// A scale with its ends: what lies between is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    scale: Scale,
    /// Both as the scale spreads them: plain, as logarithms, or as counts of nines.
    first: f64,
    last: f64,
}

impl Scale {
    /// As the scale spreads it; `None` when the scale cannot show it.
    fn spread(self, value: f64) -> Option<f64> {
        let spread = match self {
            Scale::Linear | Scale::Time => value,
            Scale::Log if value > 0.0 => value.log10(),
            Scale::Nines if (0.0..1.0).contains(&value) => (-(1.0 - value).log10()).min(NINES_MAX),
            _ => return None,
        };
        spread.is_finite().then_some(spread)
    }

    /// An axis that shows all of these values, its ends rounded.
    pub fn over(self, values: impl Iterator<Item = f64>) -> Span {
        let spread = values.filter_map(|value| self.spread(value));
        let ends = spread.fold(None, |ends: Option<(f64, f64)>, value| {
            Some(ends.map_or((value, value), |(least, most)| (least.min(value), most.max(value))))
        });
        let (least, most) = ends.unwrap_or((0.0, 1.0));
        let (first, last) = match self {
            Scale::Linear => {
                let (least, most) = (least.min(0.0), if most > least.min(0.0) { most } else { least + 1.0 });
                let step = step_of(most - least);
                ((least / step).floor() * step, (most / step).ceil() * step)
            }
            Scale::Time => (least, most),
            Scale::Log => (rounded_log(least, false), rounded_log(most, true)),
            Scale::Nines => (0.0, most.max(1.0)),
        };
        let last = if last - first < 1e-9 { first + 1.0 } else { last };
        Span { scale: self, first, last }
    }
}

/// The next of 1, 2, 5, 10 … that is not nearer to the middle.
fn rounded_log(log: f64, up: bool) -> f64 {
    let power = log.floor();
    let steps = [0.0, 2f64.log10(), 5f64.log10(), 1.0].map(|step| power + step);
    let fits = |step: &&f64| if up { **step >= log - 1e-9 } else { **step <= log + 1e-9 };
    let found = if up { steps.iter().find(fits) } else { steps.iter().rev().find(fits) };
    found.copied().unwrap_or(log)
}

fn step_of(width: f64) -> f64 {
    let rough = width / LINEAR_TICKS;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough * 0.999);
    step.unwrap_or(10.0) * power
}

impl Span {
    /// Where the value lies: 0 at the axis' first end, 1 at its last.
    pub fn position(&self, value: f64) -> Option<f64> {
        Some((self.scale.spread(value)? - self.first) / (self.last - self.first))
    }

    /// The values that are written beside the axis.
    pub fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear | Scale::Time => {
                let step = step_of(self.last - self.first);
                let (first, last) = ((self.first / step).ceil() as i64, (self.last / step + 1e-9).floor() as i64);
                (first..=last).map(|index| index as f64 * step).collect()
            }
            Scale::Log => self.log_ticks(),
            Scale::Nines => {
                let nines = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];
                nines.into_iter().filter(|part| self.position(*part).is_some_and(|at| at <= 1.001)).collect()
            }
        }
    }

    fn log_ticks(&self) -> Vec<f64> {
        let decades = self.last - self.first;
        let within: &[f64] = match decades {
            _ if decades > 3.0 => &[1.0],
            _ if decades > 1.7 => &[1.0, 3.0],
            _ => &[1.0, 2.0, 5.0],
        };
        let every = (decades / 6.0).ceil().max(1.0) as i32;
        let powers = (self.first.floor() as i32..=self.last.ceil() as i32).filter(|power| power % every == 0);
        let values = powers.flat_map(|power| within.iter().map(move |step| step * 10f64.powi(power)));
        values.filter(|value| self.position(*value).is_some_and(|at| (-0.001..=1.001).contains(&at))).collect()
    }
}

/// A percentile as people write it: p50, p99.9.
pub fn percentile_name(part: f64) -> String {
    // A digit for each nine tells a percentile from its neighbours.
    let decimals = if part < 1.0 { (-(1.0 - part).log10()).clamp(1.0, NINES_MAX) as usize } else { 1 };
    let text = format!("{:.decimals$}", part * 100.0);
    format!("p{}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f64], expected: &[f64]) {
        let equal = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= b.abs() * 1e-9 + 1e-12);
        assert!(found.len() == expected.len() && equal, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn linear_axes_begin_at_zero_and_end_at_a_round_number() {
        near(&Scale::Linear.over([3.0, 87.0].into_iter()).ticks(), &[0.0, 50.0, 100.0]);
        near(&Scale::Linear.over([-4.0, 5.0].into_iter()).ticks(), &[-5.0, 0.0, 5.0]);
        near(&Scale::Time.over([-2.0, 8.0].into_iter()).ticks(), &[0.0, 5.0]);
        near(&Scale::Linear.over([0.0].into_iter()).ticks(), &[0.0, 0.5, 1.0]);
        near(&Scale::Linear.over(std::iter::empty()).ticks(), &[0.0, 0.5, 1.0]);
    }

    #[test]
    fn logarithmic_axes_show_decades_and_steps_between_when_there_is_room() {
        near(&Scale::Log.over([90.0, 120_000.0].into_iter()).ticks(), &[100.0, 1e3, 1e4, 1e5]);
        near(&Scale::Log.over([3.0, 40.0].into_iter()).ticks(), &[2.0, 5.0, 10.0, 20.0, 50.0]);
        let span = Scale::Log.over([10.0, 1000.0].into_iter());
        assert_eq!((span.position(100.0), span.position(0.0), span.position(-1.0)), (Some(0.5), None, None));
    }

    #[test]
    fn each_nine_is_as_wide_as_the_one_before() {
        let span = Scale::Nines.over([0.5, 0.999].into_iter());
        near(&span.ticks(), &[0.0, 0.5, 0.9, 0.99, 0.999]);
        let at = [0.9, 0.99, 0.999].map(|part| span.position(part).expect("it is on the axis"));
        near(&at, &[1.0 / 3.0, 2.0 / 3.0, 1.0]);
        assert_eq!(span.position(1.0), None, "the maximum has no place among nines");
        assert_eq!([0.5, 0.99, 0.9999, 0.616_881].map(percentile_name), ["p50", "p99", "p99.99", "p61.7"]);
    }

    #[test]
    fn any_values_make_an_axis_with_ends() {
        for values in [vec![f64::NAN], vec![f64::INFINITY, 1.0], vec![1e-300, 1e300], vec![5.0, 5.0], vec![-0.0]] {
            for scale in [Scale::Linear, Scale::Time, Scale::Log, Scale::Nines] {
                let span = scale.over(values.iter().copied());
                assert!(span.last > span.first, "{scale:?} {values:?} {span:?}");
                assert!(span.ticks().len() < 20, "{scale:?} {values:?} {:?}", span.ticks());
            }
        }
    }
}
