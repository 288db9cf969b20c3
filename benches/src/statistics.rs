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
}
