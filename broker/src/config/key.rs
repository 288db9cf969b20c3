//! What one configuration key is: its type, default, unit and range, and how a value is checked against them.
//!
//! The messages are word for word those of Kafka's `ConfigDef`, because people and tests search for them. Values are
//! trimmed before they are read, as in Kafka.

use std::fmt;

use super::ConfigError;

/// The type of a value. The numbers that Kafka's protocol gives them are [`Kind::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// Any text.
    String,
    /// A 32-bit number.
    Int,
    /// A 64-bit number.
    Long,
    /// A number with a fraction.
    Double,
    /// Texts, separated by commas.
    List,
}

impl Kind {
    /// The type as DescribeConfigs gives it (`ConfigEntry.ConfigType`).
    pub fn code(self) -> i8 {
        match self {
            Kind::Boolean => 1,
            Kind::String => 2,
            Kind::Int => 3,
            Kind::Long => 5,
            Kind::Double => 6,
            Kind::List => 7,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Boolean => "boolean",
            Kind::String => "string",
            Kind::Int => "int",
            Kind::Long => "long",
            Kind::Double => "double",
            Kind::List => "list",
        })
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Not a quantity.
    None,
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::None | Unit::Count => "",
            Unit::Bytes => "bytes",
            Unit::Milliseconds => "ms",
            Unit::Minutes => "min",
            Unit::Hours => "h",
        })
    }
}

/// Which values a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Whatever the type allows.
    Any,
    /// Not less than this.
    AtLeast(i64),
    /// Both ends included.
    Between(i64, i64),
    /// A number of Kafka's wider range of which Partita supports this one.
    Only(i64),
    /// One of Kafka's values (or a list of them), of which Partita supports some.
    OneOf {
        /// What Kafka takes, in the order of its messages.
        valid: &'static [&'static str],
        /// What Partita takes.
        supported: &'static [&'static str],
    },
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::Any => Ok(()),
            Range::AtLeast(min) => write!(f, "≥ {min}"),
            Range::Between(min, max) => write!(f, "{min}..{max}"),
            Range::Only(only) => write!(f, "{only}"),
            Range::OneOf { supported, .. } => f.write_str(&supported.join(", ")),
        }
    }
}

/// One key, as the tables declare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Kafka's name where Kafka has it.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its default, or none when unset means something of its own.
    pub default: Option<&'static str>,
    /// What the number counts.
    pub unit: Unit,
    /// Which values it takes.
    pub range: Range,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

impl Key {
    /// Checks a value; the trimmed value is what counts.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with Kafka's words where Kafka refuses too.
    pub fn check<'a>(&self, value: &'a str) -> Result<&'a str, ConfigError> {
        let trimmed = value.trim();
        let invalid = |reason: String| ConfigError::Invalid { name: self.name.into(), value: value.into(), reason };
        match self.kind {
            Kind::Boolean => {
                parse_boolean(trimmed).ok_or_else(|| invalid("Expected value to be either true or false".into()))?;
            }
            Kind::Int => {
                let number: i32 = trimmed.parse().map_err(|_| invalid("Not a number of type INT".into()))?;
                self.check_number(i64::from(number)).map_err(invalid)?;
            }
            Kind::Long => {
                let number: i64 = trimmed.parse().map_err(|_| invalid("Not a number of type LONG".into()))?;
                self.check_number(number).map_err(invalid)?;
            }
            Kind::Double => {
                let number: Option<f64> = trimmed.parse().ok().filter(|number: &f64| number.is_finite());
                let number = number.ok_or_else(|| invalid("Not a number of type DOUBLE".into()))?;
                // The bounds are whole numbers, so that what lies outside of them still does when rounded away from zero.
                self.check_number(if number < 0.0 { number.floor() } else { number.ceil() } as i64).map_err(invalid)?;
            }
            Kind::String => self.check_word(trimmed).map_err(invalid)?,
            Kind::List => {
                for word in parse_list(trimmed) {
                    self.check_word(word).map_err(invalid)?;
                }
            }
        }
        Ok(trimmed)
    }

    fn check_number(&self, number: i64) -> Result<(), String> {
        match self.range {
            Range::AtLeast(min) | Range::Between(min, _) if number < min => {
                Err(format!("Value must be at least {min}"))
            }
            Range::Between(_, max) if number > max => Err(format!("Value must be no more than {max}")),
            Range::Only(only) if number != only => Err(format!("Partita supports only {only}")),
            _ => Ok(()),
        }
    }

    fn check_word(&self, word: &str) -> Result<(), String> {
        match self.range {
            Range::OneOf { valid, .. } if !valid.contains(&word) => {
                Err(format!("String must be one of: {}", valid.join(", ")))
            }
            Range::OneOf { supported, .. } if !supported.contains(&word) => {
                Err(format!("Partita supports only: {}", supported.join(", ")))
            }
            _ => Ok(()),
        }
    }
}

/// A boolean as Kafka reads it.
pub(super) fn parse_boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The words of a list; an empty text is an empty list.
pub fn parse_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}
