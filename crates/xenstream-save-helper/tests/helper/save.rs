//! Saving: to a file, a pipe, a socket.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::libxl::{Kind, Libxl, STREAM, fill};
use crate::stand_in::SAVED;
use crate::{BROKEN_RULE, broken_guest_of, guest_of};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("save::a_valid_stream_is_saved", valid),
    ("save::a_broken_stream_is_cut", broken),
    ("save::in_mode_warn_a_broken_stream_is_saved", warned),
    ("save::a_consumer_that_goes_away_fails_us", consumer_gone),
    ("save::a_helper_whose_stream_is_taken_no_further_can_put_the_guest_right", error_path),
    ("save::a_helper_that_ends_early_has_its_own_say", leaves),
    ("save::a_helper_that_leaves_a_child_behind_does_not_keep_us", forks),
    ("save::a_helper_that_is_done_is_waited_for_while_its_stream_is_passed_on", reaped),
    ("save::checkpointed_streams_are_the_real_helper_s_own", checkpointed),
];

/// Saves to a descriptor of this kind. Returns the outcome and the bytes written.
fn save(kind: Kind, saved: &[u8], prepare: impl FnOnce(Libxl) -> Libxl) -> (crate::libxl::Ended, Vec<u8>) {
    let (sink, mut consumer) = kind.open();
    let running = prepare(Libxl::save(sink, saved)).start();
    let mut written = Vec::new();
    let ended = if kind == Kind::File {
        running.finish()
    } else {
        let finishing = std::thread::spawn(|| running.finish());
        consumer.read_to_end(&mut written).unwrap();
        finishing.join().unwrap()
    };
    if kind == Kind::File {
        consumer.read_to_end(&mut written).unwrap();
    }
    (ended, written)
}

fn valid() {
    for kind in Kind::ALL {
        for pages in [0, 1500] {
            let stream = guest_of(pages);
            let (ended, written) = save(kind, &stream, |libxl| libxl);
            assert_eq!(ended.status.code(), Some(0), "{kind:?}: {ended:?}");
            assert_eq!(ended.stdout, format!("pid {}\ncallback\ngot word\ncomplete r=0\n", ended.pid()));
            assert_eq!(ended.stderr, "", "{kind:?}");
            assert!(written == stream, "{kind:?}: {} of {} bytes", written.len(), stream.len());
        }
    }
}

fn broken() {
    for kind in Kind::ALL {
        let stream = broken_guest_of(1500);
        let (ended, written) = save(kind, &stream, |libxl| libxl);
        assert_eq!(ended.status.code(), Some(1), "{kind:?}: {ended:?}");
        let reported = format!("xenstream-save-helper: save of domain 7: refused: {BROKEN_RULE} at");
        assert!(
            ended.stderr.starts_with(&reported) && ended.stderr.lines().count() == 1,
            "{kind:?}: {ended:?}"
        );
        assert!(written.len() < stream.len() && stream.starts_with(&written), "{kind:?}: {}", written.len());
    }
}

fn warned() {
    let stream = broken_guest_of(1500);
    let (ended, written) = save(Kind::Pipe, &stream, |libxl| libxl.set("XENSTREAM_MODE", "warn"));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains(BROKEN_RULE), "{ended:?}");
    assert!(written == stream);
}

fn consumer_gone() {
    for kind in [Kind::Pipe, Kind::Socket] {
        let (sink, consumer) = kind.open();
        drop(consumer);
        let ended = Libxl::save(sink, &guest_of(1500)).run();
        assert_eq!(ended.status.code(), Some(2), "{kind:?}: {ended:?}");
        assert!(ended.stdout.ends_with("complete r=-1\n"), "{kind:?}: {ended:?}");
        assert!(ended.stderr.contains("the reader of the output has gone"), "{kind:?}: {ended:?}");
    }
}

fn error_path() {
    for (sink, status, reported) in
        [("/dev/full", 2, "cannot write at offset 0"), ("/dev/null", 1, BROKEN_RULE)]
    {
        let file = OpenOptions::new().write(true).open(sink).unwrap();
        let libxl = Libxl::save(file, &broken_guest_of(1));
        // As Xen's helper, a shell keeps SIGPIPE as it finds it; and libxl sees to it that it finds the default. This
        // one writes without end, so that a write fails at some time.
        let helper = libxl.directory.path().join("helper");
        let script = format!(
            "#!/bin/sh\nexec 3>/dev/fd/{STREAM}\ncat \"${SAVED}\" >&3\n\
             while echo more >&3; do :; done 2>/dev/null\n\
             echo 'the guest is as it was'\necho 'complete r=-1'\n"
        );
        fs::write(&helper, script).unwrap();
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
        let ended = libxl.set("XENSTREAM_SAVE_HELPER_REAL", helper).run();
        assert_eq!(ended.status.code(), Some(status), "{sink}: {ended:?}");
        assert_eq!(ended.stdout, "the guest is as it was\ncomplete r=-1\n", "{sink}: {ended:?}");
        assert!(ended.stderr.contains(reported), "{sink}: {ended:?}");
    }
}

fn leaves() {
    // Its own status, and that of a helper which tells libxl why it gave up.
    for (quirks, status) in [("leaves", 4), ("leaves fails", 0)] {
        let directory = tempfile::tempdir().unwrap();
        let report = directory.path().join("report");
        let (ended, written) =
            save(Kind::Pipe, &guest_of(1), |libxl| libxl.quirks(quirks).set("XENSTREAM_REPORT", &report));
        assert_eq!(ended.status.code(), Some(status), "{ended:?}");
        let reported = "save of domain 7: the helper ended inside its stream: stream::truncated at offset 40";
        assert!(ended.stderr.contains(reported) && ended.stderr.lines().count() == 1, "{ended:?}");
        assert_eq!(written.len(), 40);
        let line: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
        assert_eq!((&line["action"], &line["verdict"]), (&"left".into(), &"invalid".into()), "{line}");
    }
}

fn forks() {
    for (quirks, code, whole) in
        [("forks", 0, true), ("leaves forks", 4, false), ("leaves fails forks", 0, false)]
    {
        let (sink, mut consumer) = Kind::Socket.open();
        let mut running = Libxl::save(sink, &guest_of(3)).quirks(quirks).start();
        running.say("word");
        assert_eq!(running.status().code(), Some(code), "{quirks}");
        let mut written = Vec::new();
        consumer.read_to_end(&mut written).unwrap();
        assert_eq!(written.len() == guest_of(3).len(), whole, "{quirks}: {} bytes", written.len());
        let ended = running.finish();
        assert_eq!(ended.stderr.contains("ended inside its stream"), !whole, "{quirks}: {ended:?}");
    }
}

fn reaped() {
    let (sink, mut consumer) = Kind::Socket.open();
    // libxl's own records have filled the socket, so not a byte of the stream goes out yet.
    let before = fill(&sink);
    let stream = guest_of(3);
    let mut running = Libxl::save(sink, &stream).start();
    let pid = running.hear();
    running.say("word");
    while running.hear() != "complete r=0" {}
    // It has no more to do, and is not kept as a zombie.
    let process = Path::new("/proc").join(pid.strip_prefix("pid ").unwrap());
    while process.exists() {
        std::thread::yield_now();
    }
    let finishing = std::thread::spawn(|| running.finish());
    let mut written = Vec::new();
    consumer.read_to_end(&mut written).unwrap();
    assert!(written[before..] == stream, "{} bytes behind {before}", written.len());
    assert_eq!(finishing.join().unwrap().status.code(), Some(0));
}

fn checkpointed() {
    let (sink, mut consumer) = Kind::Socket.open();
    let stream = broken_guest_of(1);
    let libxl = Libxl::with(sink, &format!("--save-domain {STREAM} -1 7 1 12 1"));
    let saved = libxl.directory.path().join("stream");
    fs::write(&saved, &stream).unwrap();
    let running = libxl.set(SAVED, saved).start();
    let pid = running.pid();
    let ended = running.finish();
    assert_eq!(ended.pid(), pid, "the real helper runs beside us");
    assert!(ended.stderr.contains("passed without a verdict: checkpointed streams"), "{ended:?}");
    let mut written = Vec::new();
    consumer.read_to_end(&mut written).unwrap();
    assert!(written == stream);
}
