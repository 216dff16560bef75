//! The fuzz targets' properties over every checked-in stream.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use xenstream_core::{Checkpointing, Format, Profile, Target};
use xenstream_properties::{
    Setup, TARGETS, arbitrary_bytes, calls, convert, diff, extract, html, inspect, json, relay, scrub,
    sockets, source, splits,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn corpus() -> PathBuf {
    root().join("corpus")
}

/// Every file below a directory of the corpus, in order.
fn files(directory: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![corpus().join(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the corpus") {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "bin") {
                found.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The files of an archive.
fn archive(path: &Path) -> Vec<(String, Vec<u8>)> {
    let file = fs::File::open(path).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            found.push((name, bytes));
        }
    }
    found
}

fn everything() -> Vec<(String, Vec<u8>)> {
    let mut all = files("rules");
    all.extend(files("valid"));
    all.extend(files("crashes"));
    all.extend(archive(&corpus().join("verdicts/streams.tar.zst")));
    assert!(all.len() > 800, "the corpus has shrunk to {} streams", all.len());
    all
}

/// The ways in which each stream is judged.
fn setups() -> impl Iterator<Item = Setup> {
    let kinds = [(Profile::Spec, Checkpointing::Auto), (Profile::Hardened, Checkpointing::Remus)];
    kinds.into_iter().flat_map(|(profile, checkpointing)| {
        [true, false].map(|keep_going| Setup {
            format: Format::Auto,
            profile,
            checkpointing,
            keep_going,
            bodies: keep_going,
        })
    })
}

#[test]
fn every_target_is_called_by_libfuzzer() {
    for (name, _) in TARGETS {
        let file = root().join(format!("fuzz/fuzz_targets/{name}.rs"));
        let target = fs::read_to_string(&file).unwrap();
        // By itself, or with the mutator of streams.
        let calls = [format!("xenstream_properties::{name}(data)"), format!("stream_target!({name}, ")];
        assert!(calls.iter().any(|call| target.contains(call)), "{}", file.display());
    }
    let files = fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap().count();
    assert_eq!(files, TARGETS.len());
}

#[test]
fn every_target_holds_for_the_inputs_that_were_found() {
    let inputs = archive(&root().join("fuzz/corpus/minimised.tar.zst"));
    for (target, property) in TARGETS {
        let mut ran = 0;
        for (name, input) in inputs.iter().filter(|(name, _)| name.split('/').next() == Some(target)) {
            let run = std::panic::catch_unwind(|| property(input));
            assert!(run.is_ok(), "{name}");
            ran += 1;
        }
        assert!(ran > 0, "no inputs for {target} are checked in");
    }
}

#[test]
fn arbitrary_bytes_holds_for_the_corpus() {
    for (name, bytes) in everything() {
        for choice in 0..=u8::MAX {
            // Every format and kind, and by turns every profile, observer and way to go on.
            let mut data = bytes.clone();
            data.extend([choice, choice.wrapping_mul(37)]);
            let run = std::panic::catch_unwind(|| arbitrary_bytes(&data));
            assert!(run.is_ok(), "{name} with choice {choice}");
            if bytes.len() > 65536 && choice > 8 {
                break;
            }
        }
    }
}

#[test]
fn pages_of_the_corpus_have_no_parse_error() {
    let hostile = b"<script>alert(1)</script>\" onload=\x01\x7F\xFF\xE2\x80\xAE &amp; --> ]]>".to_vec();
    // The parser takes its time without optimisation.
    let some = files("valid").into_iter().chain(files("rules").into_iter().step_by(20));
    for (name, bytes) in some.chain([("hostile".to_owned(), hostile)]) {
        let run = std::panic::catch_unwind(|| html(&[&bytes[..], &[0, 0x82]].concat()));
        assert!(run.is_ok(), "{name}");
    }
}

#[test]
fn json_of_the_corpus_parses_back() {
    for (name, bytes) in everything() {
        for choices in [[0, 0], [0, 0x82]] {
            let run = std::panic::catch_unwind(|| json(&[&bytes[..], &choices].concat()));
            assert!(run.is_ok(), "{name} with {choices:?}");
        }
    }
}

#[test]
fn corpus_gives_the_same_for_every_split() {
    for (name, bytes) in everything() {
        for setup in setups() {
            let mut sizes = (1..).step_by(3).map(|n: usize| n % 4099 + 1);
            println!("{name} {setup:?}");
            splits::same_for_every_split(setup, &bytes, || sizes.next().unwrap_or(1));
        }
    }
}

#[test]
fn sources_and_relays_that_misbehave_read_the_corpus() {
    // Interruptions, short reads, an error that may block, an error that does not, a file that shrinks.
    let scripts: [&[u8]; 6] = [&[0, 1, 2], &[7, 1, 9, 255, 13], &[200, 4], &[200, 200, 5], &[100, 6], &[]];
    for (name, bytes) in everything() {
        for (script, choice) in scripts.iter().zip([0u8, 1, 9, 18, 0, 3]) {
            let count = script.len() as u8;
            let data = [&bytes, *script, &[count, choice, choice]].concat();
            for property in [source, relay] {
                let run = std::panic::catch_unwind(|| property(&data));
                assert!(run.is_ok(), "{name} with {script:?} and choice {choice}");
            }
        }
    }
}

#[test]
fn relays_of_every_kind_pass_the_corpus_on() {
    // One byte at a time; urgent data; an end that closes, or is reset; and by halves for the producer and the consumer.
    let scripts: [&[u8]; 6] = [
        &[4, 0, 9, 255, 255, 4],
        &[50, 0, 1, 1, 1, 1],
        &[200, 2, 7, 7],
        &[200, 3, 4, 4],
        &[9, 9, 90, 2],
        &[9, 9, 90, 3],
    ];
    for (n, (name, bytes)) in (0u8..=u8::MAX).cycle().zip(everything()) {
        for (turn, script) in (0..).zip(scripts) {
            // By turns every pair of kinds, blocking or not.
            let data =
                [&bytes, script, &[script.len() as u8, 0, n, n.wrapping_mul(11).wrapping_add(turn * 5)]]
                    .concat();
            let run = std::panic::catch_unwind(|| sockets(&data));
            assert!(run.is_ok(), "{name} with {script:?}, {n}");
        }
    }
}

#[test]
fn calls_from_c_judge_the_corpus_as_the_core_does() {
    // Reads in pieces with looks, skips and wrong calls between them; an early end; limits; and what follows the end.
    let scripts: [&[u8]; 4] = [
        &[0, 100, 4, 0, 3, 9, 7, 3, 1, 255, 3, 255, 4, 1, 7, 1],
        &[0, 200, 6, 0, 0, 9, 3, 0, 4, 0, 6, 3],
        &[5, 7, 0, 255, 0, 255, 5, 0, 4, 0, 7, 5],
        &[6, 2, 4, 0, 7, 0, 7, 2, 7, 4],
    ];
    for (n, (name, bytes)) in (0u8..=u8::MAX).cycle().zip(everything()) {
        for script in scripts {
            let count = script.len() as u8 / 2;
            let data = [&bytes, script, &[n, if n % 2 == 0 { 0 } else { n / 2 }, count]].concat();
            let run = std::panic::catch_unwind(|| calls(&data));
            assert!(run.is_ok(), "{name} with {script:?}, {n}");
        }
    }
}

#[test]
fn what_is_scrubbed_of_the_corpus_keeps_its_shape() {
    for (name, bytes) in everything() {
        for (wish, script) in (0..8u8).zip([&[][..], &[0, 1, 2], &[7, 1, 9, 255, 13]].into_iter().cycle()) {
            let data =
                [&bytes, &[wish][..], script, &[script.len() as u8, 0, wish.wrapping_mul(37)]].concat();
            let run = std::panic::catch_unwind(|| scrub(&data));
            assert!(run.is_ok(), "{name}, wish {wish}");
        }
    }
}

#[test]
fn converted_corpus_verifies() {
    for (n, (name, bytes)) in (0u8..=u8::MAX).cycle().zip(everything()) {
        // By turns everything that can be asked for, and every release.
        for (container, wish) in (0..6u8).zip([0u8, 1, 2 | 1, 4 | 8, 16 | 8 | 1, !32]) {
            let target = n.wrapping_mul(7).wrapping_add(container);
            let data = [&bytes, &[wish, container, target, 0, n.wrapping_mul(37)][..]].concat();
            let run = std::panic::catch_unwind(|| convert(&data));
            assert!(run.is_ok(), "{name}, wish {wish}, container {container}, target {target}");
        }
    }
}

#[test]
fn memory_of_the_corpus_is_extracted_alike() {
    for (n, (name, bytes)) in (0u8..=u8::MAX).cycle().zip(everything()) {
        for (format, pfns) in (0u8..3).zip([0, 0xF1, 0xFF]) {
            // By turns all vcpus or one, and the last checkpoint or one.
            let data = [&bytes, &[format.wrapping_add(n), pfns, n << 5, 0, n.wrapping_mul(37)][..]].concat();
            let run = std::panic::catch_unwind(|| extract(&data));
            assert!(run.is_ok(), "{name}, format {format}, pfns {pfns}, state {:#x}", n << 5);
        }
    }
}

#[test]
fn images_of_the_corpus_differ_from_their_like_alone() {
    for (n, (name, bytes)) in (0u8..=u8::MAX).cycle().zip(everything()) {
        let at = usize::from(n) * 257 % bytes.len().clamp(1, 1 << 16);
        let [at, high] = (at as u16).to_le_bytes();
        let data = [&bytes, &[at, high, n | 1, n % 5, 0, n.wrapping_mul(37)][..]].concat();
        let run = std::panic::catch_unwind(|| diff(&data));
        assert!(run.is_ok(), "{name}, {n}");
    }
}

#[test]
fn fuzz_findings_convert_for_every_release() {
    for (name, bytes) in files("crashes") {
        for target in 0..=Target::COUNT as u8 {
            for wish in [8 | 1, 8 | 2 | 1, !32] {
                let run =
                    std::panic::catch_unwind(|| convert(&[&bytes, &[wish, 5, target, 0, 0][..]].concat()));
                assert!(run.is_ok(), "{name}, wish {wish}, target {target}");
            }
        }
    }
}

#[test]
fn inspecting_the_corpus_gives_the_verdict() {
    for (name, bytes) in everything() {
        for setup in setups() {
            let run = std::panic::catch_unwind(|| inspect(setup, &bytes));
            assert!(run.is_ok(), "{name} {setup:?}");
        }
    }
}

/// A stream of the corpus, not too long, cut off somewhere and with some bytes changed.
fn damaged(which: Index, cut: Option<Index>, changes: &[(Index, u8)]) -> Vec<u8> {
    thread_local! {
        static SMALL: Vec<Vec<u8>> = {
            let all = files("rules").into_iter().chain(files("valid"));
            all.map(|(_, bytes)| bytes).filter(|bytes| (1..20_000).contains(&bytes.len())).collect()
        };
    }
    let mut bytes = SMALL.with(|small| which.get(small).clone());
    for (at, flip) in changes {
        let place = at.index(bytes.len());
        bytes[place] ^= flip;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()) + 1);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Random bytes, after the beginning of a stream or not.
    #[test]
    fn every_target_holds_for_any_bytes(
        magic in prop::sample::select(vec![&b""[..], b"LibxlFmt", &[0xFF; 8], b"XenSavedDomv2-\n"]),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        for (_, property) in TARGETS {
            property(&[magic, &bytes].concat());
        }
    }

    /// Any stream of the corpus, cut off anywhere and with one byte changed, in pieces of any sizes.
    #[test]
    fn damaged_streams_give_the_same_for_every_split(
        which in any::<Index>(),
        cut in any::<Index>(),
        at in any::<Index>(),
        flip in any::<u8>(),
        bodies in any::<bool>(),
        sizes in prop::collection::vec(1usize..300, 1..40),
    ) {
        let bytes = damaged(which, Some(cut), &[(at, flip)]);
        let mut sizes = sizes.iter().copied().cycle();
        let setup = Setup { bodies, ..Setup::default() };
        splits::same_for_every_split(setup, &bytes, || sizes.next().unwrap_or(1));
    }

    /// Any stream of the corpus, whole or damaged, and anything that can be asked for.
    #[test]
    fn converted_damaged_streams_verify(
        which in any::<Index>(),
        cut in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..3),
        whole in any::<bool>(),
        wish in any::<[u8; 5]>(),
    ) {
        convert(&[damaged(which, (!whole).then_some(cut), &changes), wish.to_vec()].concat());
    }

    /// Any stream of the corpus, damaged in several places: where the policy keeps going, much of it is seen.
    #[test]
    fn inspecting_damaged_streams_gives_the_verdict(
        which in any::<Index>(),
        cut in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6),
        whole in any::<bool>(),
        choice in any::<[u8; 2]>(),
    ) {
        let bytes = damaged(which, (!whole).then_some(cut), &changes);
        let (setup, _) = Setup::split(&choice);
        inspect(setup, &bytes);
        inspect(Setup { format: Format::Auto, profile: Profile::Restore, ..setup }, &bytes);
    }
}
