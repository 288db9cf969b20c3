//! What a number is, and how it is written: three significant digits and the unit that suits its size.

/// What is measured, in the unit that the numbers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Things.
    Count,
    /// Things a second.
    PerSecond,
    /// Megabytes (10⁶) a second.
    MegabytesPerSecond,
    /// Microseconds.
    Microseconds,
    /// Seconds since a run's start.
    Seconds,
    /// CPU seconds for a gigabyte (10⁹).
    CpuSecondsPerGigabyte,
    /// Bytes.
    Bytes,
    /// How many times as much.
    Times,
    /// A part of 1.
    Share,
}

impl Quantity {
    /// The number with its unit.
    pub fn format(self, value: f64) -> String {
        let (value, unit) = self.unit(value);
        if value.is_finite() { format!("{}{unit}", significant(value)) } else { significant(value) }
    }

    fn unit(self, value: f64) -> (f64, &'static str) {
        let prefixed = |steps: &[(f64, &'static str)], otherwise: &'static str| {
            let step = steps.iter().find(|(size, _)| value.abs() >= *size * ALMOST);
            step.map_or((value, otherwise), |(size, unit)| (value / size, *unit))
        };
        match self {
            Quantity::Count if value.abs() < COUNTED_IN_FULL => (value, ""),
            Quantity::Count => prefixed(&[(1e9, " G"), (1e6, " M"), (1e3, " k")], ""),
            Quantity::PerSecond => prefixed(&[(1e9, " G/s"), (1e6, " M/s"), (1e3, " k/s")], "/s"),
            Quantity::MegabytesPerSecond => prefixed(&[(1e3, " GB/s"), (1.0, " MB/s")], " MB/s"),
            Quantity::Microseconds => prefixed(&[(1e6, " s"), (1e3, " ms")], " µs"),
            Quantity::Seconds => (value, " s"),
            Quantity::CpuSecondsPerGigabyte => (value, " s/GB"),
            Quantity::Bytes => prefixed(&[(1e9, " GB"), (1e6, " MB"), (1e3, " kB")], " B"),
            Quantity::Times => (value, "×"),
            Quantity::Share => (value * 100.0, " %"),
        }
    }
}

/// From here on a number rounds to the next unit: 999.9 is written as 1.00 of it.
const ALMOST: f64 = 0.9995;

/// Counts below this need no prefix.
const COUNTED_IN_FULL: f64 = 9_999.5;

/// Three significant digits, without zeros at the end of a fraction.
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let decimals = match size {
        _ if size >= 99.95 || size == 0.0 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ => (2 - size.log10().floor() as i32).clamp(2, 6) as usize,
    };
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A count in full, its thousands apart: 38,201,553.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit_of_their_size() {
        for (quantity, value, expected) in [
            (Quantity::Microseconds, 0.0, "0 µs"),
            (Quantity::Microseconds, 850.4, "850 µs"),
            (Quantity::Microseconds, 999.9, "1 ms"),
            (Quantity::Microseconds, 1_172.479, "1.17 ms"),
            (Quantity::Microseconds, 34_832.0, "34.8 ms"),
            (Quantity::Microseconds, 1_000_000.0, "1 s"),
            (Quantity::PerSecond, 670_449.4, "670 k/s"),
            (Quantity::PerSecond, 1_250_000.0, "1.25 M/s"),
            (Quantity::Count, 9_000.0, "9000"),
            (Quantity::Count, 20_000.0, "20 k"),
            (Quantity::Count, 1e6, "1 M"),
            (Quantity::MegabytesPerSecond, 679.04, "679 MB/s"),
            (Quantity::MegabytesPerSecond, 0.05, "0.05 MB/s"),
            (Quantity::CpuSecondsPerGigabyte, 1.228, "1.23 s/GB"),
            (Quantity::Share, 0.0982, "9.82 %"),
            (Quantity::Share, 1.0, "100 %"),
            (Quantity::Times, 0.248, "0.248×"),
            (Quantity::Bytes, 161_656_832.0, "162 MB"),
            (Quantity::Times, f64::NAN, "–"),
        ] {
            assert_eq!(quantity.format(value), expected, "{quantity:?} {value}");
        }
    }

    #[test]
    fn counts_are_written_in_full() {
        let texts = [0, 12, 999, 1_000, 123_456, 38_201_553].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "123,456", "38,201,553"]);
    }
}
