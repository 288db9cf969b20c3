//! Points in time and durations as Kafka's tools take them: a part of ISO 8601.

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Digits of a fraction of a second that count.
const FRACTION_DIGITS: usize = 3;

/// `PnDTnHnMn.nS`, each part optional, in ms.
pub(super) fn duration_ms(text: &str) -> Result<i64, String> {
    parse_duration(text).ok_or_else(|| format!("{text:?} is no duration such as P7D, PT1H30M or PT0.5S"))
}

fn parse_duration(text: &str) -> Option<i64> {
    let rest = text.strip_prefix(['P', 'p'])?;
    let (days, time) = match rest.split_once(['T', 't']) {
        Some((days, time)) => (days, Some(time).filter(|time| !time.is_empty())?),
        None => (rest, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let days = parts(days, &[('D', DAY_MS)])?;
    days.checked_add(parts(time, &[('H', HOUR_MS), ('M', MINUTE_MS), ('S', SECOND_MS)])?)
}

/// Numbers and their units, the units in this order; only seconds may have a fraction.
fn parts(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut sum = 0_i64;
    for &(unit, unit_ms) in units {
        let Some(end) = text.find([unit, unit.to_ascii_lowercase()]) else { continue };
        let (number, fraction) = text[..end].split_once('.').unwrap_or((&text[..end], ""));
        if !fraction.is_empty() && unit_ms != SECOND_MS {
            return None;
        }
        let part = digits(number)?.checked_mul(unit_ms)?.checked_add(fraction_ms(fraction)?)?;
        sum = sum.checked_add(part)?;
        text = &text[end + unit.len_utf8()..];
    }
    text.is_empty().then_some(sum)
}

fn digits(text: &str) -> Option<i64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { text.parse().ok() } else { None }
}

/// The digits after a second's point, in ms.
fn fraction_ms(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    digits(text)?;
    let counted = &text[..text.len().min(FRACTION_DIGITS)];
    digits(&format!("{counted:0<FRACTION_DIGITS$}"))
}

/// `YYYY-MM-DDThh:mm:ss`, then perhaps `.sss` and a zone (`Z`, `+hh`, `+hhmm`, `+hh:mm`), in ms since the epoch.
pub(super) fn timestamp_ms(text: &str) -> Result<i64, String> {
    parse_timestamp(text)
        .ok_or_else(|| format!("{text:?} is no time such as 2025-01-31T12:00:00.000 or …T12:00:00+01:00"))
}

fn parse_timestamp(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at(zone_at);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_date = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let clock_ms = hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + fraction_ms(fraction)?;
    Some(days_since_epoch(year, month, day) * DAY_MS + clock_ms - zone_ms(zone)?)
}

/// Three numbers of so many digits.
fn numbers(text: &str, separator: char, lengths: [usize; 3]) -> Option<[i64; 3]> {
    let parts: Vec<&str> = text.split(separator).collect();
    let parts: [&str; 3] = parts.try_into().ok()?;
    let fits = parts.iter().zip(lengths).all(|(part, length)| part.len() == length);
    let [Some(first), Some(second), Some(third)] = parts.map(digits) else { return None };
    fits.then_some([first, second, third])
}

fn zone_ms(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let clock = zone.strip_prefix(['+', '-'])?.replace(':', "");
    let (hours, minutes) = match clock.len() {
        2 => (digits(&clock)?, 0),
        4 => (digits(clock.get(..2)?)?, digits(clock.get(2..)?)?),
        _ => return None,
    };
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * HOUR_MS + minutes * MINUTE_MS))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar of a year from 0 on.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    const YEAR_0_TO_1970: i64 = 719_528;
    let before = year - 1;
    // Year 0 is a leap year.
    let leap_days = if year == 0 { 0 } else { before / 4 - before / 100 + before / 400 + 1 };
    let in_year: i64 = (1..month).map(|month| days_in(year, month)).sum();
    365 * year + leap_days + in_year + day - 1 - YEAR_0_TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_iso_8601_writes_them() {
        for (text, ms) in [
            ("P7D", 7 * DAY_MS),
            ("PT1H30M", 90 * MINUTE_MS),
            ("P1DT1M0.5S", DAY_MS + MINUTE_MS + 500),
            ("PT0.0004S", 0),
            ("pt10s", 10_000),
            ("P0D", 0),
        ] {
            assert_eq!(duration_ms(text), Ok(ms), "{text}");
        }
        for wrong in ["", "P", "PT", "7D", "P7", "PT1M1H", "P1.5D", "PT-1S", "P1DT", "PT1Sx", "P99999999999999999D"] {
            assert!(duration_ms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        for (text, ms) in [
            ("1970-01-01T00:00:00.000", 0),
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999", -1),
            ("2000-02-29T12:00:00.5", 951_825_600_500),
            ("2024-12-31T23:59:59+01:00", 1_735_685_999_000),
            ("2100-03-01T00:00:00-0530", 4_107_562_200_000),
            ("2026-11-24T16:00:00+02", 1_795_528_800_000),
        ] {
            assert_eq!(timestamp_ms(text), Ok(ms), "{text}");
        }
        for wrong in [
            "2025-01-31",
            "2025-02-29T00:00:00",
            "2025-13-01T00:00:00",
            "2025-00-01T00:00:00",
            "2025-01-01T24:00:00",
            "2025-1-01T00:00:00",
            "2025-01-01T00:00",
            "2025-01-01T00:00:00+25",
            "2025-01-01T00:00:00+1",
            "nonsense",
        ] {
            assert!(timestamp_ms(wrong).is_err(), "{wrong}");
        }
    }
}
