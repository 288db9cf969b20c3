//! RE2/J's syntax, rewritten in that of the `regex` crate.
//!
//! The two are of one family and differ at the edges: `regex` lacks `\Q…\E` and octal escapes, and gives meaning to what
//! is literal or an error in RE2/J (`[a&&b]`, `[[a]`, `a**`, `(?x)`, `\<`). So everything is read by RE2/J's rules (its
//! `Parser`, with the flags of `Pattern.compile`) and written in the part that means the same to both.
//!
//! What cannot make a difference is left out: captures are groups, and the flags `m`, `s` and `U` are dropped, since a
//! topic's name is one line of ASCII that is matched whole.
//! Deviations: a repetition right behind flags (`a(?i)*`) is an error here; RE2/J repeats what stands before the flags.
//! Names of Unicode's are taken in any case and with `Is` (`\p{greek}`), which RE2/J refuses.

use std::collections::BTreeSet;
use std::fmt::Write;

/// What is wrong with an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    #[error("invalid character class range")]
    CharRange,
    #[error("invalid escape sequence")]
    Escape,
    #[error("invalid named capture")]
    NamedCapture,
    #[error("duplicate capture group name")]
    DuplicateNamedCapture,
    #[error("invalid or unsupported Perl syntax")]
    PerlOp,
    #[error("invalid nested repetition operator")]
    RepeatOp,
    #[error("invalid repeat count")]
    RepeatSize,
    #[error("missing argument to repetition operator")]
    MissingRepeatArgument,
    #[error("missing closing ]")]
    MissingBracket,
    #[error("missing closing )")]
    MissingParen,
    #[error("regexp/syntax: internal error")]
    UnexpectedParen,
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    #[error("expression too big")]
    TooBig,
}

/// The most repetitions that can be asked for.
const REPEAT_MAX: u32 = 1000;
const REPEAT_DIGITS_MAX: usize = 8;
const RUNE_MAX: u32 = 0x0010_ffff;
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

struct Translator<'a> {
    rest: &'a str,
    out: String,
    /// Groups that are open.
    depth: usize,
    names: BTreeSet<&'a str>,
    /// There is something that a repetition could repeat.
    has_operand: bool,
    /// The last thing was a repetition, which cannot be repeated.
    is_repeated: bool,
}

/// Rewrites an expression, the whole of which is to match.
pub(super) fn translate(pattern: &str) -> Result<String, SyntaxError> {
    let mut translator = Translator {
        rest: pattern,
        out: String::with_capacity(2 * pattern.len()),
        depth: 0,
        names: BTreeSet::new(),
        has_operand: false,
        is_repeated: false,
    };
    while !translator.rest.is_empty() {
        translator.step()?;
    }
    if translator.depth > 0 { Err(SyntaxError::MissingParen) } else { Ok(translator.out) }
}

impl<'a> Translator<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn eat(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes everything before a delimiter, and it too.
    fn take_until(&mut self, delimiter: &str) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_once(delimiter)?;
        self.rest = rest;
        Some(taken)
    }

    fn operand(&mut self, translated: &str) {
        self.out.push_str(translated);
        self.has_operand = true;
        self.is_repeated = false;
    }

    fn literal(&mut self, rune: u32) {
        let written = rune_text(rune);
        self.operand(&written);
    }

    fn step(&mut self) -> Result<(), SyntaxError> {
        if self.eat("(") {
            return self.open();
        }
        if self.eat("\\Q") {
            let quoted = self.take_until("\\E").unwrap_or_else(|| std::mem::take(&mut self.rest));
            quoted.chars().for_each(|char| self.literal(char.into()));
            self.is_repeated = false;
            return Ok(());
        }
        if self.rest.starts_with('\\') {
            return self.escape();
        }
        if let Some((min, max)) = self.counts()? {
            return self.repeat(&format!("{{{min},{}}}", max.map_or_else(String::new, |max| max.to_string())));
        }
        match self.next().expect("there is more") {
            ')' => {
                self.depth = self.depth.checked_sub(1).ok_or(SyntaxError::UnexpectedParen)?;
                self.operand(")");
            }
            '|' => {
                self.operand("|");
                self.has_operand = false;
            }
            '^' => self.operand(r"\A"),
            '$' => self.operand(r"\z"),
            '.' => self.operand("."),
            '[' => self.class()?,
            repeat @ ('*' | '+' | '?') => self.repeat(repeat.encode_utf8(&mut [0; 4]))?,
            literal => self.literal(literal.into()),
        }
        Ok(())
    }

    fn repeat(&mut self, operator: &str) -> Result<(), SyntaxError> {
        self.eat("?");
        if self.is_repeated {
            return Err(SyntaxError::RepeatOp);
        }
        if !self.has_operand {
            return Err(SyntaxError::MissingRepeatArgument);
        }
        self.out.push_str(operator);
        self.is_repeated = true;
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}`. What does not look like one of these is literal.
    fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>, SyntaxError> {
        let Some((counts, rest)) = self.rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
            return Ok(None);
        };
        let (min, max) = counts.split_once(',').map_or((counts, Some(counts)), |(min, max)| (min, Some(max)));
        let is_number = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit())
                && !text.is_empty()
                && (text.len() == 1 || !text.starts_with('0'))
        };
        let max = max.filter(|max| !max.is_empty());
        if !is_number(min) || !max.is_none_or(is_number) {
            return Ok(None);
        }
        let number = |text: &str| {
            let number = if text.len() > REPEAT_DIGITS_MAX { None } else { text.parse().ok() };
            number.filter(|&number: &u32| number <= REPEAT_MAX).ok_or(SyntaxError::RepeatSize)
        };
        let (min, max) = (number(min)?, max.map(number).transpose()?);
        if max.is_some_and(|max| max < min) {
            return Err(SyntaxError::RepeatSize);
        }
        self.rest = rest;
        Ok(Some((min, max)))
    }

    /// What follows an opening parenthesis: a name, flags, or nothing.
    fn open(&mut self) -> Result<(), SyntaxError> {
        let mut group = "(?:";
        if self.eat("?P<") || self.eat("?<") {
            let name = self.take_until(">").ok_or(SyntaxError::NamedCapture)?;
            let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(is_valid) {
                return Err(SyntaxError::NamedCapture);
            }
            if !self.names.insert(name) {
                return Err(SyntaxError::DuplicateNamedCapture);
            }
        } else if self.eat("?") {
            let (folds, is_group) = self.flags()?;
            group = match (folds, is_group) {
                (Some(true), true) => "(?i:",
                (Some(false), true) => "(?-i:",
                (None, true) => "(?:",
                (Some(true), false) => "(?i)",
                (Some(false), false) => "(?-i)",
                (None, false) => "",
            };
            if !is_group {
                self.operand(group);
                self.has_operand = false;
                return Ok(());
            }
        }
        self.depth += 1;
        self.operand(group);
        self.has_operand = false;
        Ok(())
    }

    /// Flags: what they say of letters' case, and whether they are a group's or hold from here on.
    fn flags(&mut self) -> Result<(Option<bool>, bool), SyntaxError> {
        let (mut folds, mut sets, mut is_dangling) = (None, true, false);
        while let Some(flag) = self.next() {
            match flag {
                'i' => folds = Some(sets),
                'm' | 's' | 'U' => {}
                '-' if sets => sets = false,
                ':' | ')' if !is_dangling => return Ok((folds, flag == ':')),
                _ => break,
            }
            is_dangling = flag == '-';
        }
        Err(SyntaxError::PerlOp)
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        for (escape, translated) in [(r"\A", r"\A"), (r"\b", r"(?-u:\b)"), (r"\B", r"(?-u:\B)"), (r"\z", r"\z")] {
            if self.eat(escape) {
                self.operand(translated);
                return Ok(());
            }
        }
        if self.rest.starts_with(r"\C") {
            return Err(SyntaxError::Escape);
        }
        let written = match self.shared_class()? {
            Some(class) => format!("[{class}]"),
            None => rune_text(self.escaped_rune()?),
        };
        self.operand(&written);
        Ok(())
    }

    /// The classes that can stand alone and within brackets: `\d`, `\pL`, `\p{Greek}` and the like; as an item of a class.
    fn shared_class(&mut self) -> Result<Option<String>, SyntaxError> {
        let perl = [
            (r"\d", "0-9"),
            (r"\D", "[^0-9]"),
            (r"\s", r"\t\n\f\r\x20"),
            (r"\S", r"[^\t\n\f\r\x20]"),
            (r"\w", "0-9A-Za-z_"),
            (r"\W", "[^0-9A-Za-z_]"),
        ];
        if let Some((_, class)) = perl.into_iter().find(|(escape, _)| self.eat(escape)) {
            return Ok(Some(class.to_owned()));
        }
        let mut is_negated = self.rest.starts_with(r"\P");
        if !self.eat(r"\p") && !self.eat(r"\P") {
            return Ok(None);
        }
        let mut name = if self.eat("{") {
            self.take_until("}").ok_or(SyntaxError::CharRange)?
        } else {
            let rest = self.rest;
            let letter = self.next().ok_or(SyntaxError::CharRange)?;
            &rest[..letter.len_utf8()]
        };
        if let Some(positive) = name.strip_prefix('^') {
            (name, is_negated) = (positive, !is_negated);
        }
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
            return Err(SyntaxError::CharRange);
        }
        Ok(Some(format!(r"\{}{{{name}}}", if is_negated { 'P' } else { 'p' })))
    }

    /// One escaped character.
    fn escaped_rune(&mut self) -> Result<u32, SyntaxError> {
        self.next();
        let char = self.next().ok_or(SyntaxError::TrailingBackslash)?;
        let is_octal = |char: Option<char>| char.is_some_and(|char| char.is_digit(8));
        match char {
            '1'..='7' if !is_octal(self.peek()) => Err(SyntaxError::Escape),
            '0'..='7' => {
                let mut rune = u32::from(char) - u32::from('0');
                for _ in 1..3 {
                    let Some(digit) = self.peek().and_then(|char| char.to_digit(8)) else { break };
                    self.next();
                    rune = 8 * rune + digit;
                }
                Ok(rune)
            }
            'x' if self.eat("{") => {
                let digits = self.take_until("}").ok_or(SyntaxError::Escape)?;
                let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let rune = u32::from_str_radix(digits.trim_start_matches('0'), 16);
                let rune = rune.or(if is_number { Ok(0) } else { Err(SyntaxError::Escape) })?;
                if is_number && rune <= RUNE_MAX { Ok(rune) } else { Err(SyntaxError::Escape) }
            }
            'x' => {
                let mut digit = || self.next().and_then(|char| char.to_digit(16)).ok_or(SyntaxError::Escape);
                Ok(16 * digit()? + digit()?)
            }
            'a' => Ok(0x07),
            'f' => Ok(0x0c),
            'n' => Ok(0x0a),
            'r' => Ok(0x0d),
            't' => Ok(0x09),
            'v' => Ok(0x0b),
            _ if char.is_ascii_alphanumeric() => Err(SyntaxError::Escape),
            _ => Ok(char.into()),
        }
    }

    /// A class, behind its opening bracket.
    fn class(&mut self) -> Result<(), SyntaxError> {
        let mut class = String::from(if self.eat("^") { "[^" } else { "[" });
        let mut is_first = true;
        while is_first || !self.eat("]") {
            is_first = false;
            if let Some(item) = self.posix_class()? {
                class.push_str(&item);
            } else if let Some(item) = self.shared_class()? {
                class.push_str(&item);
            } else {
                let low = self.class_rune()?;
                let is_range = self.rest.starts_with('-') && !self.rest.starts_with("-]");
                let high = if is_range && self.eat("-") { self.class_rune()? } else { low };
                if high < low {
                    return Err(SyntaxError::CharRange);
                }
                let _ = write!(class, "{}-{}", rune_text(low), rune_text(high));
            }
        }
        class.push(']');
        self.operand(&class);
        Ok(())
    }

    fn class_rune(&mut self) -> Result<u32, SyntaxError> {
        match self.peek() {
            None => Err(SyntaxError::MissingBracket),
            Some('\\') => self.escaped_rune(),
            Some(char) => {
                self.next();
                Ok(char.into())
            }
        }
    }

    /// `[:alpha:]` or `[:^alpha:]`.
    fn posix_class(&mut self) -> Result<Option<String>, SyntaxError> {
        let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
            return Ok(None);
        };
        if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(SyntaxError::CharRange);
        }
        self.rest = rest;
        Ok(Some(format!("[:{name}:]")))
    }
}

/// A character that stands for itself, wherever it stands. A surrogate, which no name has, becomes the next that is none.
fn rune_text(rune: u32) -> String {
    match char::from_u32(rune) {
        Some(char) if char.is_ascii_alphanumeric() => char.to_string(),
        Some(_) => format!(r"\x{{{rune:x}}}"),
        None => r"\x{e000}".to_owned(),
    }
}
