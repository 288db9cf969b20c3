//! Pairs to one figure: the geometric mean of ratios with a 95 % interval (Student's t on their logarithms).

/// A ratio and what is known about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Geometric mean.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

/// Student's t for 95 % two-sided, by degrees of freedom from 1; beyond the table the last one is used, which is wider than
/// the truth.
const T_95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

impl Ratio {
    /// From the pairs' ratios; `None` with fewer than two, or when one is not a positive number.
    pub fn of(ratios: &[f64]) -> Option<Self> {
        let degrees = ratios.len().checked_sub(1).filter(|&degrees| degrees > 0)?;
        if ratios.iter().any(|ratio| !ratio.is_finite() || *ratio <= 0.0) {
            return None;
        }
        let count = ratios.len() as f64;
        let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
        let mean = logs.iter().sum::<f64>() / count;
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / degrees as f64;
        let half = T_95[degrees.min(T_95.len()) - 1] * (variance / count).sqrt();
        Some(Self { mean: mean.exp(), low: (mean - half).exp(), high: (mean + half).exp() })
    }
}

/// By how much two equal systems would have seemed to differ, as a factor of at least 1: the end of the 95 % interval around 1 that
/// ratios of a system to itself make over `pairs` pairs. `None` with fewer than two such ratios, or when one is not a positive number.
///
/// Nothing within that factor is a difference. It is wider than the truth where the two runs of a ratio were not made one right after
/// the other.
pub fn spread(equal: &[f64], pairs: usize) -> Option<f64> {
    if equal.len() < 2 || pairs == 0 || equal.iter().any(|ratio| !ratio.is_finite() || *ratio <= 0.0) {
        return None;
    }
    // The mean is known to be 1, so no degree of freedom is spent on it.
    let variance = equal.iter().map(|ratio| ratio.ln().powi(2)).sum::<f64>() / equal.len() as f64;
    let half = T_95[equal.len().min(T_95.len()) - 1] * (variance / pairs as f64).sqrt();
    Some(half.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ratios_leave_no_doubt() {
        let ratio = Ratio::of(&[2.0; 6]).unwrap();
        assert!([ratio.mean, ratio.low, ratio.high].iter().all(|value| (value - 2.0).abs() < 1e-12));
    }

    #[test]
    fn the_interval_is_symmetric_in_the_logarithm() {
        let ratio = Ratio::of(&[0.5, 2.0]).unwrap();
        assert!((ratio.mean - 1.0).abs() < 1e-12);
        // Standard error of ±ln 2 is ln 2; t with one degree of freedom is 12.706.
        assert!((ratio.high.ln() - 12.706 * 2f64.ln()).abs() < 1e-9);
        assert!((ratio.low * ratio.high - 1.0).abs() < 1e-9);
    }

    #[test]
    fn no_claim_without_two_good_pairs() {
        assert_eq!(Ratio::of(&[]), None);
        assert_eq!(Ratio::of(&[1.0]), None);
        assert_eq!(Ratio::of(&[1.0, 0.0]), None);
        assert_eq!(Ratio::of(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn the_spread_of_equal_runs_narrows_with_pairs_and_is_never_below_one() {
        assert_eq!(spread(&[1.0; 4], 6), Some(1.0));
        let wide = spread(&[0.9, 1.1, 1.05, 0.97], 2).unwrap();
        let narrow = spread(&[0.9, 1.1, 1.05, 0.97], 8).unwrap();
        assert!(1.0 < narrow && narrow < wide, "{narrow} {wide}");
        assert!((wide.ln() - 2.0 * narrow.ln()).abs() < 1e-12, "four times the pairs, half the interval");
        assert_eq!(spread(&[1.1], 6), None);
        assert_eq!(spread(&[1.1, 0.0], 6), None);
    }
}
