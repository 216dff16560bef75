//! Streams with lies in them, cut any way: never a panic, never another size, never a byte of the guest's.

use std::io::{self, Read};

use proptest::prelude::*;
use proptest::sample::Index;
use xenstream::scrub::{Output, Scrub, scrub};
use xenstream::{Input, Options, Policy, Profile, Rule};
use xenstream_synth::Stream;

use super::common::{DAMAGED, WISHES, options, scrubbed};
use super::planted::{MEMORY, NAMES, REGISTERS, even, occurs, streams};

/// One lie.
#[derive(Clone, Debug)]
enum Lie {
    /// A word of a record's header or of the start of its body says something else.
    Word(Index, u8, u32),
    /// A word of a record is larger or smaller.
    Shift(Index, u8, i32),
    Byte(Index, u8),
    /// The input ends.
    Cut(Index),
    /// Something is missing.
    Gone(Index, u16),
    /// Something comes twice.
    Twice(Index, u16),
}

fn lie() -> impl Strategy<Value = Lie> {
    let at = any::<Index>;
    let word = prop_oneof![
        0..0x20u32,
        prop::sample::select(vec![0x8000_0000, 0x8000_0001, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x0800_0000]),
        0..0x2_0000u32,
        any::<u32>(),
    ];
    prop_oneof![
        5 => (at(), 0..6u8, word).prop_map(|(at, field, value)| Lie::Word(at, field, value)),
        5 => (at(), 0..6u8, -9000..9000i32).prop_map(|(at, field, by)| Lie::Shift(at, field, by)),
        2 => (at(), any::<u8>()).prop_map(|(at, value)| Lie::Byte(at, value)),
        1 => at().prop_map(Lie::Cut),
        1 => (at(), any::<u16>()).prop_map(|(at, n)| Lie::Gone(at, n)),
        1 => (at(), any::<u16>()).prop_map(|(at, n)| Lie::Twice(at, n)),
    ]
}

/// The bytes of a stream with these lies.
fn lying(stream: &Stream, lies: &[Lie]) -> Vec<u8> {
    let mut bytes = stream.bytes();
    let records = stream.records();
    for lie in lies {
        let length = bytes.len();
        match lie {
            Lie::Word(which, field, _) | Lie::Shift(which, field, _) => {
                let at = records[which.index(records.len())].offset as usize + 4 * usize::from(*field);
                let Some(word) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) else {
                    continue;
                };
                *word = match lie {
                    Lie::Shift(_, _, by) => u32::from_le_bytes(*word).wrapping_add_signed(*by).to_le_bytes(),
                    Lie::Word(_, _, value) => value.to_le_bytes(),
                    _ => unreachable!("one of the two"),
                };
            }
            Lie::Byte(at, value) => bytes[at.index(length)] = *value,
            Lie::Cut(at) => bytes.truncate(1 + at.index(length)),
            Lie::Gone(at, n) => {
                let start = at.index(length);
                bytes.drain(start..length.min(start + usize::from(*n)).max(start + 1).min(length));
                bytes.push(0);
            }
            Lie::Twice(at, n) => {
                let start = at.index(length);
                let piece = bytes[start..length.min(start + usize::from(*n))].to_vec();
                bytes.splice(start..start, piece);
            }
        }
    }
    bytes
}

/// Reads in pieces of these sizes, again and again, and is interrupted now and then.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: std::iter::Cycle<std::slice::Iter<'a, u16>>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let size = usize::from(*self.sizes.next().unwrap_or(&1));
        if size == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = size.min(bytes.len());
        self.bytes.read(&mut bytes[..room])
    }
}

/// Scrubs bytes that come in pieces.
fn in_pieces(bytes: &[u8], sizes: &[u16], options: &Options, what: Scrub) -> Vec<u8> {
    let mut reader = Pieces { bytes, sizes: sizes.iter().cycle() };
    let mut out = Vec::new();
    scrub(Input::Reader(&mut reader), Output::Writer(&mut out), options, what).unwrap();
    out
}

fn sizes() -> impl Strategy<Value = Vec<u16>> {
    let size = prop_oneof![Just(0), 1..20u16, any::<u16>()];
    // One at least is not zero, or there would be no end.
    prop::collection::vec(size, 0..5).prop_map(|sizes| sizes.into_iter().chain([1 + 4096]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lies_show_nothing(
        which in any::<Index>(),
        lies in prop::collection::vec(lie(), 1..5),
        profile in prop::sample::select(Profile::all().collect::<Vec<_>>()),
        sizes in sizes(),
    ) {
        let streams = streams();
        let bytes = lying(which.get(&streams), &lies);
        let options = options(profile);
        let (damaged, out) = scrubbed(&bytes, &options, DAMAGED);
        match damaged.bytes {
            Some(size) => prop_assert_eq!((size, out.len()), (bytes.len() as u64, bytes.len())),
            None => {
                let rule = damaged.report.findings.listed().last().map(|violation| violation.rule);
                prop_assert!(matches!(rule, Some(Rule::StreamUnrecognised | Rule::StreamLegacy)), "{:?}", rule);
                prop_assert!(out.is_empty());
            }
        }
        for marker in [MEMORY, even(MEMORY), REGISTERS, NAMES] {
            prop_assert!(!occurs(&out, marker));
        }
        let pieces = in_pieces(&bytes, &sizes, &options, DAMAGED);
        for marker in [MEMORY, even(MEMORY), REGISTERS, NAMES] {
            prop_assert!(!occurs(&pieces, marker));
        }
        // Scrubbed once more it is as long, or no image any more.
        if damaged.bytes.is_some() {
            // What is after the end of a stream is not the reader's.
            prop_assert!(out.starts_with(&pieces));
            prop_assert!(damaged.report.summary.bytes <= pieces.len() as u64);
            prop_assert!(damaged.zero_from.is_none() || pieces.len() == out.len());
            let (_, again) = scrubbed(&out, &options, DAMAGED);
            prop_assert!(again.is_empty() || again.len() == out.len());
        }
    }

    #[test]
    fn refused_streams_leak_no_planted_bytes(
        which in any::<Index>(),
        lies in prop::collection::vec(lie(), 1..4),
        sizes in sizes(),
    ) {
        let streams = streams();
        let bytes = lying(which.get(&streams), &lies);
        let [.., both] = WISHES;
        let out = in_pieces(&bytes, &sizes, &Options::new(Policy::spec()), both);
        for marker in [MEMORY, even(MEMORY), REGISTERS, NAMES] {
            prop_assert!(!occurs(&out, marker));
        }
    }

    #[test]
    fn pieces_make_no_difference(
        which in any::<Index>(),
        wish in prop::sample::select(WISHES.to_vec()),
        sizes in sizes(),
    ) {
        let bytes = which.get(&streams()).bytes();
        let (_, out) = scrubbed(&bytes, &Options::new(Policy::spec()), wish);
        prop_assert!(in_pieces(&bytes, &sizes, &Options::new(Policy::spec()), wish) == out);
    }
}

/// Lies that once showed eight bytes: as the length of a xenopsd header, as magic and version of HVM_CONTEXT, and as the
/// value of a parameter.
#[test]
fn fields_of_eight_bytes_show_nothing() {
    let streams = streams();
    for (which, start) in [(5, 31_572), (5, 31_740), (12, 29_204), (14, 9_120), (14, 17_968), (14, 17_984)] {
        let mut bytes = streams[which].bytes();
        let piece = bytes[start..start + 7_843].to_vec();
        bytes.splice(start..start, piece);
        let (_, out) = scrubbed(&bytes, &options(Profile::Spec), DAMAGED);
        for marker in [MEMORY, REGISTERS, NAMES] {
            assert!(!occurs(&out, marker), "stream {which}, {start}");
        }
    }
}

/// A body that is eight bytes off: `flags` and a frame of a GDT without entries are whatever the guest had there.
#[test]
fn a_shifted_vcpu_shows_nothing_under_spec() {
    let streams = streams();
    let [.., both] = WISHES;
    for (which, start) in [(4, 29_032), (4, 29_036), (5, 29_087), (5, 29_095), (6, 29_008), (6, 29_016)] {
        let mut bytes = streams[which].bytes();
        let piece = bytes[start..start + 4_507].to_vec();
        bytes.splice(start..start, piece);
        let out = in_pieces(&bytes, &[4097], &Options::new(Policy::spec()), both);
        for marker in [MEMORY, even(MEMORY), REGISTERS, NAMES] {
            assert!(!occurs(&out, marker), "stream {which}, {start}");
        }
    }
}
