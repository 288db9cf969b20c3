//! Names of a partition's folder and of the files in it, as Kafka's `LogFileUtils` and `UnifiedLog` have them.

/// Digits of a base offset in a file's name.
const OFFSET_DIGITS: usize = 20;
/// What the folder of a deleted partition ends with.
const DELETED_FOLDER_SUFFIX: &str = "-delete";
/// What the file of a deleted segment ends with.
const DELETED_FILE_SUFFIX: &str = ".deleted";
/// What the file of a segment that is being cleaned ends with.
const CLEANED_FILE_SUFFIX: &str = ".cleaned";
/// What the file of a cleaned segment that is about to replace others ends with.
const SWAP_FILE_SUFFIX: &str = ".swap";
/// Bytes that a file name may have on Linux; Kafka cuts the topic in a deleted folder's name to stay within them.
const NAME_BYTES_MAX: usize = 255;
/// What follows the topic in a deleted folder's name at most: `-<partition>.<32 hex digits>-delete`.
const DELETED_FOLDER_TAIL_MAX: usize = 1 + 10 + 1 + 32 + DELETED_FOLDER_SUFFIX.len();

/// The kinds of files that are named by an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// Record batches.
    Log,
    /// Offset → position.
    OffsetIndex,
    /// Timestamp → offset.
    TimeIndex,
    /// Producer state below the offset.
    ProducerSnapshot,
    /// Aborted transactions.
    TransactionIndex,
}

impl FileKind {
    /// All kinds.
    pub const ALL: [FileKind; 5] = [
        FileKind::Log,
        FileKind::OffsetIndex,
        FileKind::TimeIndex,
        FileKind::ProducerSnapshot,
        FileKind::TransactionIndex,
    ];

    const fn suffix(self) -> &'static str {
        match self {
            FileKind::Log => ".log",
            FileKind::OffsetIndex => ".index",
            FileKind::TimeIndex => ".timeindex",
            FileKind::ProducerSnapshot => ".snapshot",
            FileKind::TransactionIndex => ".txnindex",
        }
    }
}

/// The name of the file of that kind and offset.
///
/// # Panics
/// If `offset` is negative.
pub fn file_name(offset: i64, kind: FileKind) -> String {
    assert!(offset >= 0, "a file is named by an offset, not by {offset}");
    format!("{offset:0OFFSET_DIGITS$}{}", kind.suffix())
}

/// The name a deleted segment's file has until it is removed.
pub fn deleted_file_name(offset: i64, kind: FileKind) -> String {
    file_name(offset, kind) + DELETED_FILE_SUFFIX
}

/// Whether the name is that of a deleted segment's file: left by a crash, to be removed.
pub fn is_deleted_file(name: &str) -> bool {
    name.ends_with(DELETED_FILE_SUFFIX)
}

/// The name of what a cleaning makes of the segments from that base offset on, until it is whole.
pub fn cleaned_file_name(offset: i64) -> String {
    file_name(offset, FileKind::Log) + CLEANED_FILE_SUFFIX
}

/// Whether the name is that of an unfinished cleaning's file: left by a crash, to be removed.
pub fn is_cleaned_file(name: &str) -> bool {
    name.ends_with(CLEANED_FILE_SUFFIX)
}

/// The name of a cleaned segment that stands for all from its base offset up to `end_offset`, until it is in its place.
///
/// # Panics
/// If an offset is negative.
pub fn swap_file_name(base_offset: i64, end_offset: i64) -> String {
    assert!(base_offset >= 0 && end_offset > base_offset, "offsets {base_offset} to {end_offset}");
    format!("{base_offset:0OFFSET_DIGITS$}-{end_offset:0OFFSET_DIGITS$}{SWAP_FILE_SUFFIX}")
}

/// Base and end offset of a cleaned segment that was about to replace others; `None` for other files.
pub fn parse_swap_file_name(name: &str) -> Option<(i64, i64)> {
    let (base_offset, end_offset) = name.strip_suffix(SWAP_FILE_SUFFIX)?.split_once('-')?;
    let (base_offset, end_offset) = (parse_offset(base_offset)?, parse_offset(end_offset)?);
    (end_offset > base_offset).then_some((base_offset, end_offset))
}

fn parse_offset(digits: &str) -> Option<i64> {
    let plain = digits.len() == OFFSET_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// What a file is, by its name; `None` for other files.
pub fn parse_file_name(name: &str) -> Option<(i64, FileKind)> {
    let (digits, suffix) = name.split_at_checked(OFFSET_DIGITS)?;
    let kind = FileKind::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
    Some((parse_offset(digits)?, kind))
}

/// The name of a partition's folder.
pub fn folder_name(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// Topic and partition of a folder's name; `None` for other folders.
pub fn parse_folder_name(name: &str) -> Option<(&str, i32)> {
    let (topic, digits) = name.rsplit_once('-')?;
    let plain = !topic.is_empty() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { Some((topic, digits.parse().ok()?)) } else { None }
}

/// The name a partition's folder has from its deletion until it is removed; `unique` keeps it apart from those of
/// earlier topics of that name. Source: Kafka's `LocalLog.logDeleteDirName`.
pub fn deleted_folder_name(topic: &str, partition: i32, unique: u128) -> String {
    // A topic's name is ASCII, so that any cut is one between characters.
    let topic = topic.get(..NAME_BYTES_MAX - DELETED_FOLDER_TAIL_MAX).unwrap_or(topic);
    format!("{topic}-{partition}.{unique:032x}{DELETED_FOLDER_SUFFIX}")
}

/// Whether the name is that of a deleted partition's folder: left by a crash, to be removed.
pub fn is_deleted_folder(name: &str) -> bool {
    name.ends_with(DELETED_FOLDER_SUFFIX)
        && name.rsplit_once('.').is_some_and(|(front, _)| parse_folder_name(front).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas_and_parse_back() {
        assert_eq!(file_name(368769, FileKind::Log), "00000000000000368769.log");
        for kind in FileKind::ALL {
            assert_eq!(parse_file_name(&file_name(i64::MAX, kind)), Some((i64::MAX, kind)));
            assert!(is_deleted_file(&deleted_file_name(7, kind)));
            assert_eq!(parse_file_name(&deleted_file_name(7, kind)), None);
        }
        for strange in ["", "partition.metadata", "0.log", "99999999999999999999.log", "-0000000000000000001.log"] {
            assert_eq!(parse_file_name(strange), None, "{strange}");
        }
    }

    #[test]
    fn the_names_of_cleaned_segments_parse_back_and_are_no_segments() {
        let name = swap_file_name(7, i64::MAX);
        assert_eq!(parse_swap_file_name(&name), Some((7, i64::MAX)));
        assert!(is_cleaned_file(&cleaned_file_name(7)) && !is_cleaned_file(&name));
        assert_eq!([name, cleaned_file_name(7)].map(|name| parse_file_name(&name)), [None, None]);
        let backwards = format!("{:020}-{:020}.swap", 8, 8);
        for strange in ["", ".swap", "-.swap", "7-8.swap", "00000000000000000007.log.swap", &backwards] {
            assert_eq!(parse_swap_file_name(strange), None, "{strange}");
        }
    }

    #[test]
    fn folder_names_parse_even_with_dashes_in_the_topic() {
        assert_eq!(folder_name("a-b.c", 12), "a-b.c-12");
        assert_eq!(parse_folder_name("a-b.c-12"), Some(("a-b.c", 12)));
        for strange in ["", "journal", "-1", "a-", "a-+1", "a-99999999999"] {
            assert_eq!(parse_folder_name(strange), None, "{strange}");
        }
    }

    #[test]
    fn a_deleted_folder_is_recognized_and_fits_the_file_system() {
        let name = deleted_folder_name(&"t".repeat(249), i32::MAX, u128::MAX);
        assert!(name.len() <= NAME_BYTES_MAX);
        assert!(is_deleted_folder(&name));
        assert!(is_deleted_folder(&deleted_folder_name("a", 0, 1)));
        assert_eq!(parse_folder_name(&name), None);
        assert!(!is_deleted_folder("to-delete"));
        assert!(!is_deleted_folder("to-delete-0"));
    }
}
