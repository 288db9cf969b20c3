//! The primitive types at their edges.

use bytes::Bytes;

use super::*;

const PLAIN: Form = Form { version: 0, flexible: false };
const FLEXIBLE: Form = Form { version: 0, flexible: true };

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    write(&mut writer);
    writer.into_vec()
}

#[test]
fn varints_are_what_java_writes() {
    for (value, bytes) in [(0, &[0][..]), (-1, &[1]), (1, &[2]), (63, &[0x7e]), (-64, &[0x7f]), (64, &[0x80, 1])] {
        assert_eq!(written(|writer| writer.varint(value)), bytes);
        assert_eq!(Reader::new(bytes).varint(), Ok(value));
    }
    for value in [i32::MIN, i32::MAX] {
        assert_eq!(Reader::new(&written(|writer| writer.varint(value))).varint(), Ok(value));
    }
    for value in [i64::MIN, i64::MAX, 0, -1] {
        assert_eq!(Reader::new(&written(|writer| writer.varlong(value))).varlong(), Ok(value));
    }
    assert_eq!(written(|writer| writer.unsigned_varint(u32::MAX)), [0xff, 0xff, 0xff, 0xff, 0x0f]);
}

#[test]
fn varints_that_do_not_fit_or_do_not_end_are_refused() {
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).unsigned_varint(), Err(DecodeError::InvalidVarint));
    assert_eq!(Reader::new(&[0x80; 11]).unsigned_varint(), Err(DecodeError::InvalidVarint));
    assert_eq!(Reader::new(&[0x80; 11]).varlong(), Err(DecodeError::InvalidVarint));
    let beyond_64_bits = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    assert_eq!(Reader::new(&beyond_64_bits).varlong(), Err(DecodeError::InvalidVarint));
    assert!(matches!(Reader::new(&[0x80]).unsigned_varint(), Err(DecodeError::Truncated { .. })));
}

#[test]
fn counts_beyond_the_bytes_left_are_refused_before_anything_is_read() {
    let absurd = i32::MAX.to_be_bytes();
    assert_eq!(
        Vec::<i32>::decode(&mut Reader::new(&absurd), PLAIN),
        Err(DecodeError::TooManyElements(i32::MAX as usize))
    );
    let three_of_four = [&4_i32.to_be_bytes()[..], &[0; 15]].concat();
    let needed = DecodeError::Truncated { needed: 16, left: 15 };
    assert_eq!(Vec::<i32>::decode(&mut Reader::new(&three_of_four), PLAIN), Err(needed));
    let many = [&1_000_001_i32.to_be_bytes()[..], &[0; 1_000_001]].concat();
    assert_eq!(Vec::<i8>::decode(&mut Reader::new(&many), PLAIN), Err(DecodeError::TooManyElements(1_000_001)));
    let most = [&1_000_000_i32.to_be_bytes()[..], &[0; 1_000_000]].concat();
    assert_eq!(Vec::<i8>::decode(&mut Reader::new(&most), PLAIN).map(|elements| elements.len()), Ok(1_000_000));
}

#[test]
fn lengths_below_null_are_refused() {
    assert_eq!(Bytes::decode(&mut Reader::new(&[0xff, 0xff, 0xff, 0xfe]), PLAIN), Err(DecodeError::InvalidLength(-2)));
    assert_eq!(String::decode(&mut Reader::new(&[0xff, 0xfe]), PLAIN), Err(DecodeError::InvalidLength(-2)));
    assert_eq!(String::decode(&mut Reader::new(&[0xff, 0xff]), PLAIN), Err(DecodeError::UnexpectedNull));
    assert_eq!(Option::<String>::decode(&mut Reader::new(&[0xff, 0xff]), PLAIN), Ok(None));
    assert_eq!(Option::<String>::decode(&mut Reader::new(&[0]), FLEXIBLE), Ok(None));
}

#[test]
fn strings_are_utf8_and_no_longer_when_compact() {
    assert_eq!(String::decode(&mut Reader::new(&[2, 0xff]), FLEXIBLE), Err(DecodeError::InvalidUtf8));
    let long = written(|writer| {
        writer.length(Some(STRING_BYTES_MAX + 1), true);
        writer.raw(&[b'a'; STRING_BYTES_MAX + 1]);
    });
    let refused = DecodeError::InvalidLength(STRING_BYTES_MAX as i64 + 1);
    assert_eq!(String::decode(&mut Reader::new(&long), FLEXIBLE), Err(refused));
}

#[test]
fn a_text_that_is_too_long_is_cut_between_characters() {
    let text = "→".repeat(20_000);
    for form in [PLAIN, FLEXIBLE] {
        let bytes = written(|writer| text.encode(writer, form));
        let cut = String::decode(&mut Reader::new(&bytes), form).unwrap();
        assert_eq!(cut.len(), STRING_BYTES_MAX / 3 * 3);
        assert!(text.starts_with(&cut));
    }
}

#[test]
fn unknown_tagged_fields_are_skipped_and_bounded() {
    let mut reader = Reader::new(&[2, 9, 3, 1, 2, 3, 10, 0, 77]);
    assert_eq!(reader.skip_tagged_fields(), Ok(()));
    assert_eq!(reader.rest(), [77]);
    assert!(matches!(Reader::new(&[1, 9, 3, 1, 2]).skip_tagged_fields(), Err(DecodeError::Truncated { .. })));
    let many = written(|writer| writer.unsigned_varint(10_001));
    assert_eq!(Reader::new(&many).skip_tagged_fields(), Err(DecodeError::TooManyTags(10_001)));
}

#[test]
fn chunks_hold_shared_bytes_in_their_place() {
    let mut writer = Writer::new();
    writer.shared(Bytes::from_static(b"first"));
    writer.i8(1);
    writer.shared(Bytes::new());
    writer.shared(Bytes::from_static(b"second"));
    writer.shared(Bytes::from_static(b"third"));
    writer.i8(2);
    assert_eq!(writer.len(), 18);
    let chunks = writer.into_chunks();
    assert_eq!(chunks, [&b"first"[..], &[1], b"second", b"third", &[2]]);
}

#[test]
fn fields_of_all_kinds_survive() {
    fn survives<T: Field + PartialEq + std::fmt::Debug>(value: T) {
        for form in [PLAIN, FLEXIBLE] {
            let bytes = written(|writer| value.encode(writer, form));
            assert!(bytes.len() >= T::BYTES_MIN);
            let mut reader = Reader::new(&bytes);
            assert_eq!(T::decode(&mut reader, form).as_ref(), Ok(&value));
            assert_eq!(reader.left(), 0);
        }
    }
    survives(true);
    survives(-1_i8);
    survives(u16::MAX);
    survives(u32::MAX);
    survives(i64::MIN);
    survives(-0.5_f64);
    survives(Uuid::from_u128(7));
    survives(String::new());
    survives(Some(Bytes::new()));
    survives(None::<Bytes>);
    survives(Some(vec![String::from("a"), String::from("ß")]));
    survives(None::<Vec<i32>>);
    survives(Records::new(vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")]));
}
