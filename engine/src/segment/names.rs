//! Names of a partition's folder and of the files in it, as Kafka's `LogFileUtils` and `UnifiedLog` have them.

/// Digits of a base offset in a file's name.
const OFFSET_DIGITS: usize = 20;
/// What the folder of a deleted partition ends with.
const DELETED_FOLDER_SUFFIX: &str = "-delete";
/// What the file of a deleted segment ends with.
const DELETED_FILE_SUFFIX: &str = ".deleted";
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

/// What a file is, by its name; `None` for other files.
pub fn parse_file_name(name: &str) -> Option<(i64, FileKind)> {
    let (digits, suffix) = name.split_at_checked(OFFSET_DIGITS)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kind = FileKind::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
    Some((digits.parse().ok()?, kind))
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
