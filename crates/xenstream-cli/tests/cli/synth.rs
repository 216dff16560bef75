//! `xenstream synth`: streams of every shape, whole and broken.

use std::fs::{self, File};
use std::io::pipe;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use xenstream::{Layer, Rule};

use crate::common::{finished, run_in, run_with_stdin, xenstream};

const GUESTS: [&str; 4] = ["pv64", "pv32", "hvm", "pvh"];

/// Makes a stream on standard output.
#[track_caller]
fn synth(arguments: &[&str]) -> (Vec<u8>, String) {
    let output = xenstream().arg("synth").args(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
    (output.stdout, stderr)
}

#[test]
fn synthesised_streams_are_valid_everywhere() {
    for guest in GUESTS {
        for container in ["xl", "libvirt", "xenopsd", "libxl", "libxc"] {
            let shape = ["--guest", guest, "--container", container, "--memory", "4M", "--sparse"];
            let (bytes, reported) = synth(&shape);
            let start = format!("-: written: {container}, {guest}, 4.0 MiB of memory, 1 vcpu, ");
            assert!(reported.starts_with(&start), "{reported}");
            for profile in ["spec", "restore", "hardened"] {
                let run = run_with_stdin(&bytes, &["verify", "--profile", profile]);
                assert_eq!(run.status, 0, "{shape:?}: {run:?}");
                assert!(!run.stdout.contains("warning"), "{shape:?}: {run:?}");
            }
        }
    }
}

#[test]
fn passes_and_checkpoints_are_counted() {
    let (bytes, reported) =
        synth(&["--guest", "pv64", "--memory", "4M", "--live", "2", "--checkpoints", "1", "--vcpus", "2"]);
    assert!(reported.contains(", 2 vcpus, 2 further passes, 1 checkpoint, "), "{reported}");
    let run = run_with_stdin(&bytes, &["verify", "--json", "--profile", "hardened"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["verdict"], &report["summary"]["checkpoints"]), (&"valid".into(), &1.into()));
    assert_eq!(report["summary"]["records"]["X86_PV_VCPU_BASIC"], 4);
}

#[test]
fn the_gate_knows_the_memory_from_the_configuration() {
    let (bytes, _) = synth(&["--guest", "pvh", "--memory", "5G", "--sparse"]);
    let run = run_with_stdin(&bytes, &["verify", "--json", "--profile", "hardened"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["verdict"], "valid");
    assert_eq!(report["derived_limits"][0]["memory_kib"], 5 << 20);
}

#[test]
fn a_file_of_empty_pages_takes_no_room_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let run = run_in(directory.path(), ["synth", "--memory", "4G", "--sparse", "image"]);
    assert_eq!(run.status, 0, "{run:?}");
    let metadata = fs::metadata(directory.path().join("image")).unwrap();
    assert!(metadata.len() > 4 << 30);
    assert!(metadata.blocks() * 512 < 64 << 20, "{} blocks", metadata.blocks());
    assert_eq!(run_in(directory.path(), ["verify", "--profile", "hardened", "image"]).status, 0);
}

#[test]
fn files_are_replaced_only_on_demand() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    fs::write(&path, "mine").unwrap();
    let shape = ["synth", "--memory", "4M", "--sparse", "image"];
    let run = run_in(directory.path(), shape);
    assert_eq!(
        (run.status, run.stderr.as_str()),
        (2, "xenstream: image: output already exists; --force replaces it\n")
    );
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    let run = run_in(directory.path(), [&shape[..], &["--force", "--quiet"]].concat());
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(run_in(directory.path(), ["verify", "image"]).status, 0);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn impossible_requests_are_usage_errors() {
    for (arguments, message) in [
        (&["--memory", "4097"][..], "xenstream: a guest has 4194304 bytes of memory at least, not 4097\n"),
        (&["--vcpus", "129"], "xenstream: such a guest has 1 to 128 vcpus, not 129\n"),
        (
            &["--checkpoints", "1", "--container", "libxc"],
            "xenstream: only a libxl stream has checkpoints, and there is none in libxc\n",
        ),
        (&["--version", "1"], "xenstream: there are versions 2 and 3, not 1\n"),
        (&["--break", "libxc::page-data-typ"], "xenstream: unknown rule 'libxc::page-data-typ'"),
        (&["--memory", "lots"], "error: invalid value 'lots'"),
        (&["--guest", "arm"], "error: invalid value 'arm'"),
        (
            &["--break", "libxc::id", "--memory", "1G"],
            "error: the argument '--break <RULE>' cannot be used with",
        ),
    ] {
        let output = xenstream().arg("synth").args(arguments).output().unwrap();
        let run = finished(output);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(run.stderr.starts_with(message), "{run:?}");
    }
}

#[test]
fn an_output_that_fails_is_an_error() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let synth = |stdout: Stdio| {
        let output = xenstream().args(["synth", "--memory", "4M"]).stdout(stdout).output().unwrap();
        finished(output)
    };
    let run = synth(writer.into());
    assert_eq!((run.status, run.stderr.as_str()), (2, ""), "nobody is left to tell");
    let run = synth(full.into());
    assert_eq!(run.status, 2);
    assert!(run.stderr.starts_with("xenstream: -: cannot create output: No space left on device"), "{run:?}");
}

#[test]
fn rules_are_broken_at_the_stated_offset() {
    let directory = tempfile::tempdir().unwrap();
    // A stream alone breaks no rule on the host.
    for rule in Rule::all().filter(|rule| rule.layer() != Layer::Host) {
        broken(directory.path(), rule, &[]);
    }
}

#[test]
fn a_rule_is_broken_in_what_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    for guest in GUESTS {
        for container in ["xl", "libvirt", "xenopsd", "libxl", "libxc"] {
            for rule in [Rule::LibxcPageDataType, Rule::LibxcTscInfoMode, Rule::StreamTruncated] {
                for seed in ["0", "12345"] {
                    let shape = ["--guest", guest, "--container", container, "--seed", seed];
                    let reported = broken(directory.path(), rule, &shape);
                    assert!(!reported.contains("what was asked for"), "{reported}");
                    // The configuration of a small stream has no type, and PVH is known by an HVM_CONTEXT without
                    // devices, which the seed may put after what is broken.
                    let run = run_in(directory.path(), ["verify", "--json", "image"]);
                    let report: Value = serde_json::from_str(&run.stdout).unwrap();
                    let has_chain = report["summary"]["records"]["HVM_CONTEXT"].is_number();
                    let kind = if guest == "pvh" && !has_chain { "hvm" } else { guest };
                    let run = run_in(directory.path(), ["verify", "image"]);
                    // Where the input ends ahead of the domain header nobody knows what kind of guest it is.
                    let known = rule.layer() != Layer::Stream;
                    assert!(!known || run.stdout.contains(&format!(", {kind}, Xen 4.17, ")), "{run:?}");
                }
            }
        }
    }
}

/// Breaks a rule, verifies as the program says, and compares what is found with what it said.
#[track_caller]
fn broken(directory: &Path, rule: Rule, shape: &[&str]) -> String {
    let run = run_in(directory, [&["synth", "--force", "image", "--break", rule.name()], shape].concat());
    assert_eq!(run.status, 0, "{run:?}");
    let reported = run.stderr;
    let line = |start: &str| reported.lines().find_map(|line| line.strip_prefix(start)).unwrap();
    assert_eq!(line("image: written: breaks "), rule.name());
    let offset: u64 = line("  at offset ").split(' ').next().unwrap().parse().unwrap();
    let command = line("  reported by: xenstream ");
    let arguments = command.split(' ').chain(["--json"]);
    let run = run_in(directory, arguments);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let (status, verdict) = if rule.is_unjudged() { (3, "unjudged") } else { (1, "invalid") };
    assert_eq!((run.status, &report["verdict"]), (status, &verdict.into()), "{command}: {run:?}");
    let violation = &report["violation"];
    assert_eq!(
        (&violation["rule"], &violation["offset"]),
        (&rule.name().into(), &offset.into()),
        "{reported}"
    );
    let record = violation["record"].as_object().map(|record| {
        format!(
            ", in {} {} {}",
            record["layer"].as_str().unwrap(),
            if record["layer"] == "hvm" { "entry" } else { "record" },
            record["index"]
        )
    });
    assert!(reported.contains(&record.unwrap_or_default()), "{reported}");
    reported
}
