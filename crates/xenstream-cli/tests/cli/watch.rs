//! Stores of images that are looked after: what did not change, monitoring, shards.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{Run, directory, image, run_in, xenstream};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs `xenstream verify` in the repository, whose images were written long ago.
fn verify(arguments: &[&str]) -> Run {
    run_in(&repository(), ["verify"].iter().chain(arguments))
}

fn objects(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn torn() -> Vec<u8> {
    let mut bytes = image().bytes();
    bytes.truncate(bytes.len() / 2);
    bytes
}

#[test]
fn what_did_not_change_is_not_read_again() {
    let directory = directory(&[]);
    let state = directory.path().join("state");
    let state = state.to_str().unwrap();
    let arguments = ["--since-last", state, "--profile", "spec", "--json", "--stats", "corpus/valid"];
    let first = objects(&verify(&arguments));
    let second = objects(&verify(&arguments));
    let of =
        |objects: &[Value], key: &str| objects.iter().find_map(|object| object.get(key).cloned()).unwrap();
    let images = of(&first, "totals")["images"].as_u64().unwrap();
    assert!(images > 40 && first.len() as u64 == images + 2, "{images}");
    assert_eq!(of(&first, "stats")["unchanged"], 0);
    // Nothing but figures and totals, which are the same.
    assert_eq!(second.len(), 2);
    assert_eq!(of(&second, "stats")["unchanged"], images);
    assert_eq!(of(&second, "stats")["accepted_by"], of(&first, "stats")["accepted_by"]);
    assert_eq!(of(&second, "totals")["valid"], of(&first, "totals")["valid"]);
    // Under other options, nothing is known.
    let others = verify(&["--since-last", state, "--json", "--stats", "corpus/valid"]);
    assert_eq!(of(&objects(&others), "stats")["unchanged"], 0);
    assert!(others.stderr.contains("everything is verified again"), "{others:?}");
}

#[test]
fn images_that_stay_invalid_stay_reported() {
    let directory = directory(&[]);
    let state = directory.path().join("state");
    let arguments = [
        "--since-last",
        state.to_str().unwrap(),
        "corpus/rules/libxl/padding.bin",
        "corpus/rules/libxl/padding.ok.bin",
    ];
    let arguments = [&arguments[..], &["--profile", "hardened"]].concat();
    let first = verify(&arguments);
    let second = verify(&arguments);
    assert_eq!((first.status, second.status), (1, 1));
    assert!(
        second.stdout.contains("padding.bin: invalid, unchanged since it was verified\n  libxl::padding: "),
        "{second:?}"
    );
    assert!(!second.stdout.contains("padding.ok.bin"), "{second:?}");
    let json = verify(&[&arguments[..], &["--json"]].concat());
    let object = &objects(&json)[0];
    assert_eq!((&object["verdict"], &object["unchanged"]), (&"invalid".into(), &true.into()));
    assert_eq!(object["violation"]["rule"], "libxl::padding");
}

#[test]
fn untrusted_state_is_not_used() {
    let directory = directory(&[]);
    let state = directory.path().join("state");
    let arguments = [
        "--since-last",
        state.to_str().unwrap(),
        "--json",
        "--stats",
        "--profile",
        "spec",
        "corpus/valid/hvm-v3.xl.bin",
    ];
    verify(&arguments);
    let text = fs::read_to_string(&state).unwrap();
    assert!(text.contains("corpus/valid/hvm-v3.xl.bin"));
    let unchanged = |run: &Run| objects(run).iter().find_map(|object| object["stats"]["unchanged"].as_u64());
    assert_eq!(unchanged(&verify(&arguments)), Some(1));
    fs::set_permissions(&state, fs::Permissions::from_mode(0o666)).unwrap();
    let run = verify(&arguments);
    assert_eq!((run.status, unchanged(&run)), (0, Some(0)));
    assert!(run.stderr.contains("other users may write it"), "{run:?}");
    // It was replaced by one of our own.
    fs::set_permissions(&state, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&state, &text[..text.len() / 2]).unwrap();
    let run = verify(&arguments);
    assert_eq!((run.status, unchanged(&run)), (0, Some(0)));
    assert!(run.stderr.contains("it is damaged"), "{run:?}");
    let run = verify(&["--since-last", "/no/such/directory/state", "corpus/valid/hvm-v3.xl.bin"]);
    assert_eq!(run.status, 0);
    assert!(run.stderr.contains("cannot be written, everything will be verified again"), "{run:?}");
}

#[test]
fn plugins_of_nagios_get_a_line_and_a_status() {
    let directory = directory(&[("good.save", &image().bytes()), ("notes.txt", b"no image")]);
    let run = |names: &[&str]| run_in(directory.path(), ["verify", "--nagios"].iter().chain(names));
    let good = run(&["."]);
    assert_eq!((good.status, good.stderr.as_str()), (0, ""));
    assert!(good.stdout.starts_with("XENSTREAM OK - 1 images: 1 valid, "), "{good:?}");
    assert!(good.stdout.contains(" | images=1;;;0 valid=1;;;0 invalid=0;"), "{good:?}");
    fs::write(directory.path().join("bad.save"), torn()).unwrap();
    let bad = run(&["."]);
    assert_eq!((bad.status, bad.stdout.lines().count()), (2, 1));
    assert!(bad.stdout.contains("; ./bad.save: stream::truncated |"), "{bad:?}");
    assert_eq!(run(&["absent.save"]).status, 3);
}

#[test]
fn the_packaged_file_names_what_is_looked_after() {
    let directory = directory(&[("good.save", &image().bytes()), ("a\nb.save", &torn())]);
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let text = format!(
        "profile = 'restore'\n[watch]\ndirectories = ['{}', '/no/such/directory']\nstate = '{}'\ntextfile = '{}'\n",
        path(""),
        path("state.json"),
        path("xenstream.prom")
    );
    fs::write(path("xenstream.toml"), text).unwrap();
    let run = verify(&["--watched", &path("xenstream.toml"), "--json"]);
    assert_eq!((run.status, run.stderr.as_str()), (1, ""), "{run:?}");
    assert_eq!(objects(&run).len(), 3);
    let text = fs::read_to_string(path("xenstream.prom")).unwrap();
    assert!(text.contains("xenstream_images{verdict=\"invalid\"} 1\n"), "{text}");
    assert!(text.contains("a\\\\x0ab.save\",verdict=\"invalid\",rule=\"stream::truncated\"} 1\n"), "{text}");
    assert!(path("state.json").parse::<PathBuf>().unwrap().is_file());
    let run = verify(&["--watched", "/no/such/file"]);
    assert_eq!(run.status, 2);
    let run = verify(&["--textfile", "/no/such/directory/a.prom", &path("good.save")]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("/no/such/directory/a.prom: "), "{run:?}");
}

#[test]
fn the_packaged_example_is_read() {
    let directory = directory(&[]);
    let below = |path: &str| directory.path().join(path);
    for saves in ["xen/save", "prometheus/node-exporter", "xenstream"] {
        fs::create_dir_all(below(saves)).unwrap();
    }
    fs::write(below("xen/save/good.save"), image().bytes()).unwrap();
    let example = fs::read_to_string(repository().join("packaging/xenstream.toml")).unwrap();
    // What is commented out is for those who have it.
    let example =
        example.replace("# textfile", "textfile").replace("/var/lib", directory.path().to_str().unwrap());
    fs::write(below("xenstream.toml"), example).unwrap();
    let run = verify(&["--watched", below("xenstream.toml").to_str().unwrap()]);
    assert_eq!((run.status, run.stderr.as_str()), (0, "1 image: 1 valid\n"), "{run:?}");
    assert!(run.stdout.contains("good.save: valid"), "{run:?}");
    assert!(
        below("xenstream/state.json").exists() && below("prometheus/node-exporter/xenstream.prom").exists()
    );
}

#[test]
fn shards_are_disjoint_and_complete() {
    let paths = |arguments: &[&str]| -> Vec<String> {
        let run = verify(&[&["--json", "--profile", "spec", "corpus/valid"], arguments].concat());
        let objects = objects(&run);
        let paths = objects.iter().filter_map(|object| object["path"].as_str());
        paths.map(str::to_owned).collect()
    };
    let all: BTreeSet<String> = paths(&[]).into_iter().collect();
    let shards: Vec<String> =
        ["1/3", "2/3", "3/3"].iter().flat_map(|shard| paths(&["--shard", shard])).collect();
    assert_eq!(shards.len(), all.len());
    assert_eq!(shards.into_iter().collect::<BTreeSet<_>>(), all);
    // A shard may have nothing to do.
    let run = verify(&["--shard", "1/1000000", "corpus/valid/hvm-v3.xl.bin"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""));
    assert_eq!(verify(&["--shard", "0/2", "corpus/valid"]).status, 2);
}

/// As libvirt calls it, with a stand-in for the system's log.
fn hook(directory: &Path, guest: &str, operation: &str) -> (i32, String) {
    let log = directory.join("log");
    let logger = directory.join("logger");
    fs::write(&logger, format!("#!/bin/sh\ncat > '{}'\n", log.display())).unwrap();
    fs::set_permissions(&logger, fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(repository().join("packaging/libvirt-hook"))
        .args([guest, operation, "end", "-"])
        .env("XENSTREAM", env!("CARGO_BIN_EXE_xenstream"))
        .env("XENSTREAM_SAVES", directory)
        .env("XENSTREAM_LOGGER", &logger)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"", "libvirt would take this for XML");
    (output.status.code().unwrap(), fs::read_to_string(log).unwrap_or_default())
}

#[test]
fn the_hook_of_libvirt_reports_bad_managed_saves() {
    let directory = directory(&[("good guest.save", &image().bytes()), ("bad.save", &torn())]);
    for (guest, operation) in [("good guest", "stopped"), ("absent", "stopped"), ("bad", "started")] {
        assert_eq!(hook(directory.path(), guest, operation), (0, String::new()), "{guest}");
    }
    let (status, log) = hook(directory.path(), "bad", "stopped");
    assert_eq!(status, 0);
    assert!(log.contains("bad.save: invalid") && log.contains("stream::truncated"), "{log}");
}

#[test]
fn systemd_takes_the_packaged_units() {
    let units = ["xenstream-verify.service", "xenstream-verify.timer"];
    let directory = directory(&[]);
    for unit in units {
        let text = fs::read_to_string(repository().join("packaging").join(unit)).unwrap();
        // Of the files that the units name, only the program has to be there.
        let text = text.replace("/usr/bin/xenstream", env!("CARGO_BIN_EXE_xenstream"));
        fs::write(directory.path().join(unit), text).unwrap();
    }
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(units.map(|unit| directory.path().join(unit)))
        .output();
    let Ok(output) = verified else {
        eprintln!("skipped: there is no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let about_ours: Vec<&str> = said.lines().filter(|line| line.contains("xenstream")).collect();
    assert!(output.status.success() && about_ours.is_empty(), "{said}");
}

#[test]
fn a_host_is_described_and_judged_for() {
    let directory = directory(&[]);
    let path = directory.path().join("host.json");
    let output = xenstream()
        .current_dir(repository())
        .args(["host", "--recorded", "corpus/hosts/4.17"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::write(&path, output.stdout).unwrap();
    let path = path.to_str().unwrap();
    let run = verify(&["--host", path, "--json", "corpus/real/pv64-1v.xl.xz"]);
    assert_eq!(run.status, 1);
    let object = &objects(&run)[0];
    assert_eq!(
        (&object["target"], &object["violation"]["rule"]),
        (&"4.17.7".into(), &"host::xsave-features".into())
    );
    assert_eq!(verify(&["--host", "/no/such/file", "corpus/real/pv64-1v.xl.xz"]).status, 2);
    assert_eq!(verify(&["--host", "Cargo.toml", "corpus/real/pv64-1v.xl.xz"]).status, 2);
    let run = run_in(directory.path(), ["host", "--recorded", "absent"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
}
