//! Round trips, bounds and bad input of every codec.

use super::{Compression, CompressionError, compress, decompress};

fn samples() -> Vec<Vec<u8>> {
    let text = b"partita ".repeat(40_000);
    let mixed: Vec<u8> = (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    vec![Vec::new(), vec![7], b"short".to_vec(), text, mixed]
}

#[test]
fn every_codec_gives_back_what_it_was_given() {
    for codec in Compression::ALL {
        for plain in samples() {
            let mut packed = b"before".to_vec();
            compress(codec, &plain, &mut packed).unwrap();
            let packed = packed.strip_prefix(b"before").unwrap();
            let mut out = b"kept".to_vec();
            decompress(codec, packed, plain.len(), &mut out).unwrap();
            assert_eq!(out.strip_prefix(b"kept").unwrap(), plain, "{codec:?}");
        }
    }
}

#[test]
fn one_byte_below_the_size_is_too_small_a_limit() {
    for codec in Compression::ALL {
        for plain in samples().into_iter().filter(|plain| !plain.is_empty()) {
            let mut packed = Vec::new();
            compress(codec, &plain, &mut packed).unwrap();
            let limit = plain.len() - 1;
            let mut out = Vec::new();
            let error = decompress(codec, &packed, limit, &mut out).unwrap_err();
            assert!(matches!(error, CompressionError::TooLarge { .. }), "{codec:?}: {error}");
            assert!(out.len() <= limit, "{codec:?} gave {} bytes", out.len());
        }
    }
}

#[test]
fn a_bomb_costs_no_more_memory_than_the_limit() {
    let plain = vec![0; 64 << 20];
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut packed = Vec::new();
        compress(codec, &plain, &mut packed).unwrap();
        let mut out = Vec::new();
        let error = decompress(codec, &packed, 1 << 20, &mut out).unwrap_err();
        assert!(matches!(error, CompressionError::TooLarge { .. }), "{codec:?}: {error}");
        assert!(out.capacity() <= 4 << 20, "{codec:?} allocated {}", out.capacity());
    }
}

#[test]
fn a_snappy_block_that_announces_gigabytes_is_refused_unallocated() {
    let announced = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    let mut out = Vec::new();
    let error = decompress(Compression::Snappy, &announced, 1 << 20, &mut out).unwrap_err();
    assert!(matches!(error, CompressionError::TooLarge { .. }), "{error}");
    assert_eq!(out.capacity(), 0);
}

#[test]
fn bare_snappy_is_read_like_the_framed_one() {
    let plain = b"librdkafka writes it bare ".repeat(100);
    let packed = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    let mut out = Vec::new();
    decompress(Compression::Snappy, &packed, plain.len(), &mut out).unwrap();
    assert_eq!(out, plain);
}

#[test]
fn cut_data_is_refused_or_gives_less_and_never_panics() {
    let plain = b"cut me anywhere ".repeat(50);
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut packed = Vec::new();
        compress(codec, &plain, &mut packed).unwrap();
        let mut refused = 0;
        for end in 0..packed.len() {
            let mut out = Vec::new();
            match decompress(codec, &packed[..end], plain.len(), &mut out) {
                Ok(()) => assert!(out.len() <= plain.len()),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > packed.len() / 2, "{codec:?} refused {refused} of {}", packed.len());
    }
}

#[test]
fn ids_and_names_lead_back_to_their_codec() {
    for codec in Compression::ALL {
        assert_eq!(Compression::from_id(codec.id()), Some(codec));
        assert_eq!(Compression::from_name(codec.name()), Some(codec));
    }
    assert_eq!(Compression::from_id(5), None);
    assert_eq!(Compression::from_name("brotli"), None);
}
