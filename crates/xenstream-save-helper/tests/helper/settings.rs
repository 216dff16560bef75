//! Settings and reports.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use rustix::fs::{FileType, Mode};

use crate::libxl::{Kind, Libxl, STREAM, fill};
use crate::{BROKEN_RULE, broken_guest_of, guest_of};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("settings::the_file_is_read", file),
    ("settings::what_is_not_understood_lets_nothing_pass", wrong),
    ("settings::a_script_that_leads_back_to_us_is_noticed", loops),
    ("settings::a_person_who_asks_gets_an_answer", asked),
    ("settings::a_report_file_gets_a_line_for_each_stream", report_file),
    ("settings::a_stream_that_is_not_verified_is_reported_as_well", report_unverified),
    ("settings::the_log_gets_a_message_for_each_stream", syslog),
    ("settings::a_report_that_cannot_be_written_decides_nothing", unwritable),
];

fn file() {
    let (reader, feeder) = Kind::Pipe.holding(&broken_guest_of(1));
    let text = format!("save_helper_real = {:?}\nprofile = \"restore\"\n", std::env::current_exe().unwrap());
    let ended = Libxl::restore(reader).configured(&text).run();
    // Nobody restores by the reserved bits of an entry.
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.is_complete() && ended.stderr.is_empty(), "{ended:?}");
    feeder.close();
}

fn wrong() {
    for (key, value, reported) in [
        ("XENSTREAM_PROFILE", "none", "XENSTREAM_PROFILE is \"none\""),
        ("XENSTREAM_MODE", "off", "XENSTREAM_MODE is \"off\""),
        ("XENSTREAM_CONFIG", "/nonexistent/xenstream.toml", "cannot read /nonexistent/xenstream.toml"),
        ("XENSTREAM_SAVE_HELPER_REAL", "/nonexistent/helper", "cannot start /nonexistent/helper"),
        ("XENSTREAM_SAVE_HELPER_REAL", "libxl-save-helper", "libxl-save-helper is not an absolute path"),
        ("XENSTREAM_SAVE_HELPER_REAL", env!("CARGO_BIN_EXE_xenstream-save-helper"), "this program itself"),
    ] {
        for kind in Kind::ALL {
            let (reader, feeder) = kind.holding(&guest_of(1));
            let ended = Libxl::restore(reader).set(key, value).run();
            assert_eq!(ended.status.code(), Some(2), "{key}, {kind:?}: {ended:?}");
            assert_eq!(ended.stdout, "", "{key}, {kind:?}");
            assert!(ended.stderr.contains(reported) && ended.stderr.lines().count() == 1, "{key}: {ended:?}");
            feeder.close();
        }
    }
    let (reader, _feeder) = Kind::File.holding(&guest_of(1));
    let ended = Libxl::restore(reader).configured("mode = warn").run();
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
}

fn asked() {
    let program = env!("CARGO_BIN_EXE_xenstream-save-helper");
    for (word, reported) in [
        ("--version", concat!("xenstream-save-helper ", env!("CARGO_PKG_VERSION"), "\n")),
        ("--help", "LIBXL_SAVE_HELPER=/usr/libexec/xenstream-save-helper\n"),
    ] {
        let output = Command::new(program).arg(word).env("XENSTREAM_MODE", "no mode").output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{word}");
        assert!(String::from_utf8(output.stdout).unwrap().contains(reported), "{word}");
    }
}

fn loops() {
    for kind in Kind::ALL {
        let (reader, feeder) = kind.holding(&guest_of(1));
        let libxl = Libxl::restore(reader);
        let script = libxl.directory.path().join("wrapper");
        // Two rounds of it have to do: without an end to it this test would not come to one.
        let rounds = "case $ROUNDS in '') export ROUNDS=1;; 1) export ROUNDS=2;; *) exit 9;; esac";
        let us = env!("CARGO_BIN_EXE_xenstream-save-helper");
        fs::write(&script, format!("#!/bin/sh\n{rounds}\nexec {us} \"$@\"\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let ended = libxl.set("XENSTREAM_SAVE_HELPER_REAL", script).run();
        assert_eq!(ended.status.code(), Some(2), "{kind:?}: {ended:?}");
        assert!(ended.stderr.contains("started in the real program's place"), "{kind:?}: {ended:?}");
        feeder.close();
    }
}

fn report_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report");
    for (mode, stream) in
        [("enforce", guest_of(1)), ("enforce", broken_guest_of(1)), ("warn", broken_guest_of(1))]
    {
        for kind in [Kind::File, Kind::Pipe] {
            let (reader, feeder) = kind.holding(&stream);
            Libxl::restore(reader).set("XENSTREAM_MODE", mode).set("XENSTREAM_REPORT", &path).run();
            feeder.close();
        }
    }
    let (sink, consumer) = Kind::Pipe.open();
    Libxl::save(sink, &guest_of(1)).set("XENSTREAM_REPORT", &path).run();
    drop(consumer);

    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let reported: Vec<_> = lines
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("operation"), text("mode"), text("action"), line["bytes_relayed"].is_u64())
        })
        .collect();
    let expected = [
        ("restore", "enforce", "passed", false),
        ("restore", "enforce", "passed", true),
        ("restore", "enforce", "refused", false),
        ("restore", "enforce", "refused", true),
        ("restore", "warn", "warned", false),
        ("restore", "warn", "warned", true),
        ("save", "enforce", "passed", true),
    ];
    let expected = expected.map(|(operation, mode, action, relayed)| {
        (operation.to_owned(), mode.to_owned(), action.to_owned(), relayed)
    });
    assert_eq!(reported, expected);
    assert_eq!(lines[2]["violation"]["rule"], BROKEN_RULE);
    assert_eq!(lines[2]["verdict"], "invalid");
    assert_eq!(lines[0]["domid"], 7);
    assert!(lines[1]["path"].as_str().unwrap().starts_with("pipe:"));
    assert!(lines.iter().all(|line| line["time"].as_u64().unwrap() > 1_700_000_000));
}

fn report_unverified() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report");
    let calls = ["7 5 0 6 0 0 1", "7 5 0 6 0 0 2", "7 5 0 6 0 0 3"];
    for arguments in calls {
        let (reader, feeder) = Kind::Pipe.holding(&broken_guest_of(1));
        let libxl = Libxl::with(reader, &format!("--restore-domain {STREAM} -1 {arguments}"));
        let ended = libxl.set("XENSTREAM_MODE", "warn").set("XENSTREAM_REPORT", &path).run();
        assert!(ended.is_complete(), "{ended:?}");
        feeder.close();
    }
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), calls.len());
    for (line, reported) in lines.iter().zip(["checkpointed", "checkpointed", "no known version"]) {
        assert_eq!(
            (&line["operation"], &line["action"]),
            (&"restore".into(), &"unverified".into()),
            "{line}"
        );
        assert!(line["reason"].as_str().unwrap().contains(reported), "{line}");
        for absent in ["verdict", "bytes_relayed"] {
            assert_eq!(line.get(absent), Some(&serde_json::Value::Null), "{line}");
        }
        assert_eq!(line["profile"], "hardened", "{line}");
    }
    assert_eq!(lines[0]["domid"], 7);
    assert!(lines[0]["path"].as_str().unwrap().starts_with("pipe:"));
    assert_eq!(lines[2]["domid"], serde_json::Value::Null);
}

fn syslog() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = UnixDatagram::bind(&path).unwrap();
    for (stream, priority, reported) in [
        (guest_of(1), "<30>", "restore of domain 7: valid"),
        (broken_guest_of(1), "<27>", &*format!("restore of domain 7: refused: {BROKEN_RULE} at")),
    ] {
        let (reader, feeder) = Kind::Pipe.holding(&stream);
        Libxl::restore(reader).set("XENSTREAM_REPORT", format!("syslog:{}", path.display())).run();
        let mut message = [0; 1000];
        let n = log.recv(&mut message).unwrap();
        let message = std::str::from_utf8(&message[..n]).unwrap();
        assert!(message.starts_with(&format!("{priority}xenstream-save-helper[")), "{message}");
        assert!(message.contains(reported), "{message}");
        feeder.close();
    }
}

fn unwritable() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let full_fifo = directory.path().join("full-fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &full_fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    // Open for reading as well, which no other way of opening it can wait for.
    let unread = fs::OpenOptions::new().read(true).write(true).open(&full_fifo).unwrap();
    fill(&unread);
    let log = directory.path().join("log");
    let _unread = UnixDatagram::bind(&log).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(&log).unwrap();
    fill(&sender);
    for report in [
        "/nonexistent/report".to_owned(),
        "syslog:/nonexistent/log".to_owned(),
        "/dev/full".to_owned(),
        fifo.display().to_string(),
        full_fifo.display().to_string(),
        format!("syslog:{}", log.display()),
    ] {
        for kind in Kind::ALL {
            let (reader, feeder) = kind.holding(&guest_of(1));
            let ended = Libxl::restore(reader).set("XENSTREAM_REPORT", &report).run();
            assert_eq!(ended.status.code(), Some(0), "{report}, {kind:?}: {ended:?}");
            assert!(ended.stderr.contains("cannot write the report"), "{report}, {kind:?}: {ended:?}");
            assert!(ended.is_complete(), "{report}, {kind:?}: {ended:?}");
            feeder.close();
        }
    }
}
