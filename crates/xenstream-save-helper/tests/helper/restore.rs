//! Restoring: from a file, a pipe, a socket.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;

use rustix::io::Errno;
use xenstream::{Checkpointing, Format, Layer, Options, Policy, Profile, Rule, verify_reader};
use xenstream_synth::cases;

use crate::libxl::{Kind, Libxl, STREAM};
use crate::{BEHIND, BROKEN_RULE, broken_guest_of, guest_of};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("restore::valid_stream_is_restored_and_libxl_reads_on", valid),
    ("restore::every_stream_that_hardened_refuses_is_refused", refused),
    ("restore::a_refused_file_is_left_where_it_was", refused_file),
    ("restore::a_stream_that_ends_early_is_refused", truncated),
    ("restore::a_compressed_stream_is_refused", compressed),
    ("restore::in_mode_warn_a_broken_stream_passes", warned),
    ("restore::in_mode_warn_what_cannot_be_framed_is_cut", unframed),
    ("restore::checkpointed_streams_are_the_real_helper_s_own", checkpointed),
    ("restore::every_version_s_arguments_are_understood", versions),
    ("restore::arguments_that_are_not_understood_let_nothing_pass", unknown),
    ("restore::a_slow_helper_slows_the_stream_down", slow),
    ("restore::a_helper_that_ends_early_ends_us", leaves),
    ("restore::a_helper_that_leaves_a_child_behind_does_not_keep_us", forks),
    ("restore::the_helper_gets_the_descriptors_of_libxl_and_no_others", descriptors),
    ("restore::a_number_that_is_no_descriptor_is_an_error", closed),
];

/// All of a helper's own talk to libxl, when it is content.
fn talk(pid: u32) -> String {
    format!("pid {pid}\ncallback\ngot word\ncomplete r=0\n")
}

fn valid() {
    for kind in Kind::ALL {
        for pages in [0, 1500] {
            let stream = guest_of(pages);
            let (mut reader, feeder) = kind.holding(&[&stream, BEHIND].concat());
            let ended = Libxl::restore(reader.try_clone().unwrap()).run();
            assert_eq!(ended.status.code(), Some(0), "{kind:?}: {ended:?}");
            assert_eq!(ended.stderr, "", "{kind:?}");
            assert_eq!(ended.stdout, talk(ended.pid()), "{kind:?}");
            let mut behind = [0; BEHIND.len()];
            reader.read_exact(&mut behind).unwrap();
            assert_eq!(behind, BEHIND, "{kind:?}");
            feeder.close();
        }
    }
}

fn refused() {
    let mut refused = 0;
    for case in cases::all().into_iter().filter(|case| case.format == Format::Libxc) {
        // A case may break its rule only under limits or levels of its own, or in a stream of another kind.
        let Some((rule, _)) = case.outcome(Profile::Hardened).refused else { continue };
        // What goes on after the stream is libxl's.
        if rule == Rule::StreamTrailingData {
            continue;
        }
        let is_plain = matches!(case.checkpointing, Checkpointing::Auto | Checkpointing::Plain);
        if !(case.limits.is_empty() && case.levels.is_empty() && case.host.is_empty() && is_plain) {
            continue;
        }
        refused += 1;
        for kind in [Kind::File, Kind::Pipe] {
            let name = format!("{} from {kind:?}", case.name());
            let (reader, feeder) = kind.holding(&case.stream);
            let running = Libxl::restore(reader).start();
            // Where the rule is that the stream goes on, the producer has to end it.
            feeder.close();
            let ended = running.finish();
            // What takes a second walk is checked in files only, all but the page tables.
            let takes_walk = case.is_for_std() && rule.layer() == Layer::Pv;
            if kind == Kind::Pipe && takes_walk && ![Rule::PvCr3Type, Rule::PvCr1Type].contains(&rule) {
                assert!(ended.status.success() && ended.is_complete(), "{name}: {ended:?}");
                assert_eq!(ended.stderr, "", "{name}");
                continue;
            }
            // On a pipe page tables are judged as the registers come, so that what such a case breaks later is not met.
            let rule = match in_order(&case.stream) {
                Some(first @ Rule::PvCr3Type) if kind == Kind::Pipe => first,
                _ => rule,
            };
            assert!(!ended.is_complete(), "{name}: {ended:?}");
            assert_eq!(ended.stderr.lines().count(), 1, "{name}: {ended:?}");
            let reported = "xenstream-save-helper: restore of domain 7: ";
            let action = if rule.is_unjudged() { "not passed, unjudged: " } else { "refused: " };
            assert!(
                ended.stderr.starts_with(&format!("{reported}{action}{rule} at offset ")),
                "{name}: {ended:?}"
            );
            ended.assert_refused(kind);
        }
    }
    assert!(refused > 50, "{refused} streams were refused");
}

/// The first rule that a stream breaks as it comes through a pipe.
fn in_order(stream: &[u8]) -> Option<Rule> {
    let options =
        Options::new(Policy::hardened().with_checkpointing(Checkpointing::Plain)).with_format(Format::Libxc);
    let report = verify_reader(stream, &options).unwrap();
    report.violation().map(|violation| violation.rule)
}

fn refused_file() {
    let stream = broken_guest_of(10);
    let (mut reader, _feeder) = Kind::File.holding(&stream);
    let before = reader.stream_position().unwrap();
    let ended = Libxl::restore(reader.try_clone().unwrap()).run();
    ended.assert_answered(Errno::INVAL);
    assert_eq!(reader.stream_position().unwrap(), before);
    // The offset is one of the file.
    let options = Options::new(Policy::hardened()).with_format(Format::Libxc);
    let offset = verify_reader(&stream[..], &options).unwrap().violation().unwrap().offset + before;
    assert!(ended.stderr.contains(&format!("refused: {BROKEN_RULE} at offset {offset} ")), "{ended:?}");
}

fn truncated() {
    let stream = guest_of(300);
    for kind in Kind::ALL {
        for end in [0, 1, 40, 50, stream.len() / 2, stream.len() - 1] {
            let (reader, feeder) = kind.holding(&stream[..end]);
            let running = Libxl::restore(reader).start();
            feeder.close();
            let ended = running.finish();
            ended.assert_refused(kind);
            assert!(ended.stderr.contains("stream::truncated"), "{kind:?}, {end}: {ended:?}");
            assert!(!ended.is_complete(), "{kind:?}, {end}: {ended:?}");
        }
    }
    // A file without a single byte is one as well.
    let ended = Libxl::restore(Kind::File.open().1).run();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("stream::truncated"), "{ended:?}");
}

fn compressed() {
    // The real helper does not decompress, so what is verified must be the compressed bytes.
    let stream = [0x28, 0xB5, 0x2F, 0xFD, 0x04, 0x58, 0, 0, 0, 0];
    for kind in Kind::ALL {
        let (reader, feeder) = kind.holding(&stream);
        let running = Libxl::restore(reader).start();
        feeder.close();
        let ended = running.finish();
        ended.assert_refused(kind);
        assert!(ended.stderr.contains("libxc::marker"), "{kind:?}: {ended:?}");
    }
}

fn warned() {
    for kind in Kind::ALL {
        let (mut reader, feeder) = kind.holding(&[&broken_guest_of(1500), BEHIND].concat());
        let ended = Libxl::restore(reader.try_clone().unwrap()).set("XENSTREAM_MODE", "warn").run();
        assert_eq!(ended.status.code(), Some(0), "{kind:?}: {ended:?}");
        assert!(ended.is_complete(), "{kind:?}: {ended:?}");
        let reported = format!("restore of domain 7: passed, though it breaks a rule: {BROKEN_RULE} at");
        assert!(ended.stderr.contains(&reported) && ended.stderr.lines().count() == 1, "{kind:?}: {ended:?}");
        let mut behind = [0; BEHIND.len()];
        reader.read_exact(&mut behind).unwrap();
        assert_eq!(behind, BEHIND, "{kind:?}");
        feeder.close();
    }
}

fn unframed() {
    let mut stream = guest_of(1);
    // A mandatory record of no known type, in place of END.
    let end = stream.len() - 8;
    stream[end] = 0x77;
    for kind in Kind::ALL {
        let (reader, feeder) = kind.holding(&stream);
        let running = Libxl::restore(reader).set("XENSTREAM_MODE", "warn").start();
        feeder.close();
        let ended = running.finish();
        assert!(ended.stderr.contains("libxc::record-type"), "{kind:?}: {ended:?}");
        // A file is the real helper's to judge; it says so on its standard output.
        let status = if kind == Kind::File { 0 } else { 1 };
        assert_eq!(ended.status.code(), Some(status), "{kind:?}: {ended:?}");
        assert!(ended.stdout.ends_with("complete r=-1\n"), "{kind:?}: {ended:?}");
    }
}

fn checkpointed() {
    for stream_type in 1..=2 {
        let (reader, feeder) = Kind::Pipe.holding(&broken_guest_of(1));
        let arguments = format!("--restore-domain {STREAM} -1 7 5 0 6 0 0 {stream_type}");
        let running = Libxl::with(reader, &arguments).start();
        let pid = running.pid();
        let ended = running.finish();
        assert!(ended.status.success() && ended.is_complete(), "{ended:?}");
        assert_eq!(ended.pid(), pid, "the real helper runs beside us");
        assert!(
            ended.stderr.contains("passed without a verdict: checkpointed streams")
                && ended.stderr.lines().count() == 1,
            "{ended:?}"
        );
        feeder.close();
    }
    let running = Libxl::without("--something-else -x 1").start();
    let pid = running.pid();
    let ended = running.finish();
    assert_eq!(ended.stdout, format!("pid {pid}\n--something-else -x 1\n"));
    assert_eq!(ended.stderr, "");
}

fn versions() {
    let versions = [
        ("7 5 0 6 0 0 0", true),
        ("7 5 0 6 0 1 1 0 0", true),
        ("7 5 0 6 0 1 1 0 0 0", true),
        ("7 5 0 6 0 1 1 0 0 0 9 0", false),
    ];
    for (version, is_known) in versions {
        let arguments = format!("--restore-domain {STREAM} -1 {version}");
        for kind in Kind::ALL {
            for (stream, is_valid) in [(guest_of(1), true), (broken_guest_of(1), false)] {
                let (reader, feeder) = kind.holding(&stream);
                let ended = Libxl::with(reader, &arguments).run();
                assert_eq!(ended.is_complete(), is_valid, "{arguments}, {kind:?}: {ended:?}");
                // A libxl whose messages are known is told of the failure in the real helper's place.
                let is_answered = kind == Kind::File && is_known;
                let succeeds = is_valid || is_answered;
                assert_eq!(ended.status.success(), succeeds, "{arguments}, {kind:?}: {ended:?}");
                feeder.close();
            }
        }
    }
}

fn unknown() {
    for arguments in ["7 5 0 6 0 0 3", "x 5 0 6 0 0 0", "7 5 0 6 0 0 0 1"] {
        let arguments = format!("--restore-domain {STREAM} -1 {arguments}");
        for kind in Kind::ALL {
            for (mode, status) in [("enforce", 2), ("warn", 0)] {
                let (reader, feeder) = kind.holding(&broken_guest_of(1));
                let ended = Libxl::with(reader, &arguments).set("XENSTREAM_MODE", mode).run();
                assert_eq!(ended.status.code(), Some(status), "{arguments}, {kind:?}: {ended:?}");
                assert_eq!(ended.is_complete(), mode == "warn", "{arguments}, {kind:?}: {ended:?}");
                let reported = "the arguments are those of no known version of libxl";
                assert!(ended.stderr.contains(reported) && ended.stderr.lines().count() == 1, "{ended:?}");
                feeder.close();
            }
        }
    }
}

fn slow() {
    let stream = guest_of(3000);
    for kind in [Kind::Pipe, Kind::Socket] {
        let (reader, feeder) = kind.holding(&[&stream, BEHIND].concat());
        let mut running = Libxl::restore(reader.try_clone().unwrap()).quirks("slow").start();
        assert!(running.hear().starts_with("pid "));
        assert_eq!(running.hear(), "callback");
        running.say("word");
        assert_eq!(running.hear(), "got word");
        let mut records = 0;
        let last = loop {
            match running.hear().as_str() {
                "next" => running.say("go on"),
                other => break other.to_owned(),
            }
            records += 1;
        };
        assert_eq!(last, "complete r=0", "{kind:?} after {records} records");
        assert!(records > 5);
        let ended = running.finish();
        assert_eq!(ended.status.code(), Some(0), "{kind:?}: {ended:?}");
        let mut behind = [0; BEHIND.len()];
        (&reader).read_exact(&mut behind).unwrap();
        assert_eq!(behind, BEHIND, "{kind:?}");
        feeder.close();
    }
}

fn leaves() {
    for kind in Kind::ALL {
        // With the producer silent, and with more to come than any pipe holds.
        for stream in [guest_of(1)[..44].to_vec(), guest_of(3000)] {
            if kind == Kind::File && stream.len() == 44 {
                continue;
            }
            for (quirk, code, signal) in [("leaves", Some(3), None), ("aborts", None, Some(6))] {
                let (reader, feeder) = kind.holding(&stream);
                let ended = Libxl::restore(reader).quirks(quirk).run();
                assert_eq!(
                    (ended.status.code(), ended.status.signal()),
                    (code, signal),
                    "{kind:?}: {ended:?}"
                );
                feeder.close();
            }
        }
    }
}

fn forks() {
    for kind in [Kind::Pipe, Kind::Socket] {
        for stream in [guest_of(1)[..44].to_vec(), guest_of(3000)] {
            let (reader, feeder) = kind.holding(&stream);
            let mut running = Libxl::restore(reader).quirks("forks").start();
            running.say("word");
            // The child that was left behind holds its end of the pipe until its standard input is closed, which is
            // done after this.
            assert_eq!(running.status().code(), Some(0), "{kind:?}");
            let ended = running.finish();
            assert!(ended.stderr.contains("did not take all of it"), "{kind:?}: {ended:?}");
            feeder.close();
        }
    }
}

fn descriptors() {
    // Whatever else libxl has left open is passed on.
    let reported = |libxl: Libxl| {
        let ended = libxl.quirks("tells").run();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        ended.stdout.lines().nth(1).unwrap().to_owned()
    };
    for kind in Kind::ALL {
        let (reader, feeder) = kind.holding(&guest_of(1));
        let directly = reported(Libxl::restore(reader).without_us());
        feeder.close();
        let (reader, feeder) = kind.holding(&guest_of(1));
        assert_eq!(reported(Libxl::restore(reader)), directly, "{kind:?}");
        feeder.close();
    }
    let (sink, _consumer) = Kind::Socket.open();
    let directly = reported(Libxl::save(sink, &guest_of(1)).without_us());
    let (sink, _consumer) = Kind::Socket.open();
    assert_eq!(reported(Libxl::save(sink, &guest_of(1))), directly);
}

fn closed() {
    let ended = Libxl::without("--restore-domain 11 -1 7 5 0 6 0 0 0").run();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("cannot use descriptor 11"), "{ended:?}");
    // Nor is one that cannot be read.
    let directory = Libxl::restore(File::open("/").unwrap()).run();
    assert_eq!(directory.status.code(), Some(2), "{directory:?}");
    assert!(directory.stderr.contains("cut off without a verdict: cannot read at offset 0"), "{directory:?}");
}
