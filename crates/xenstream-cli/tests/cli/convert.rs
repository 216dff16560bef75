//! `xenstream convert`: what comes out, what is said, what is left.

use std::fs;

use xenstream::wire::hvm::types::LAPIC;
use xenstream::wire::libxc::types::HVM_CONTEXT;
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::minimal::Kind;
use xenstream_synth::valid::{self, Machine};
use xenstream_synth::{Part, Stream, libxc, minimal};

use crate::common::{directory, output_with_stdin, run_in, run_with_stdin};

/// A guest whose local APIC is 32 bytes long, which releases before 4.18.5 refuse.
fn newer(pending_esr: u64) -> Stream {
    let lapic = Entry::new(LAPIC, 0, vec![0; 32]).with("pending_esr", pending_esr);
    minimal::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&Chain::around([lapic])))
}

#[test]
fn repairs_are_listed_and_the_output_verifies() {
    let files = directory(&[("in", &newer(0).bytes())]);
    assert_eq!(run_in(files.path(), ["verify", "-q", "--target", "4.17.0", "in"]).status, 1);
    let run = run_in(files.path(), ["convert", "--target", "4.17.0", "in", "out"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{run:?}");
    assert!(run.stderr.contains("out: converted: "), "{run:?}");
    assert!(run.stderr.contains("HVM_CONTEXT, LAPIC of vcpu 0: length: 32 -> 24 (offset "), "{run:?}");
    assert_eq!(run_in(files.path(), ["verify", "-q", "--target", "4.17.0", "out"]).status, 0);
    let run = run_in(files.path(), ["convert", "--target", "4.17.0", "in", "out"]);
    assert_eq!(
        (run.status, run.stderr.as_str()),
        (2, "xenstream: out: output already exists; --force replaces it\n")
    );
    let run = run_in(files.path(), ["convert", "-q", "--force", "--target", "4.17.0", "in", "out"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
}

#[test]
fn losses_are_named_and_need_permission() {
    let files = directory(&[("in", &newer(0x20).bytes())]);
    let run = run_in(files.path(), ["convert", "--target", "4.17.0", "in", "out"]);
    assert_eq!(run.status, 1, "{run:?}");
    let reported = "    allowed by --lossy pending-esr: an error of the local APIC that the guest has not read yet is lost\n";
    assert!(run.stderr.contains("not converted:\n") && run.stderr.ends_with(reported), "{run:?}");
    assert!(!files.path().join("out").exists());
    let lossy = ["convert", "--target", "4.17.0", "--lossy", "pending-esr", "in", "out"];
    let run = run_in(files.path(), lossy);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stderr.contains("    lost (pending-esr): an error of the local APIC"), "{run:?}");
}

#[test]
fn files_and_pipes_are_converted_alike() {
    let bytes = valid::checkpointed(Machine::Hvm, Kind::Remus, 2).bytes();
    let files = directory(&[("in", &bytes)]);
    let run = run_in(files.path(), ["convert", "--plain", "in", "out"]);
    assert_eq!(run.status, 0, "{run:?}");
    let out = fs::read(files.path().join("out")).unwrap();
    let piped = output_with_stdin(&bytes, &["convert", "--plain", "-", "-"]);
    assert!(piped.status.success() && piped.stdout == out);
    let other = files.path().join("other");
    let run = run_with_stdin(&bytes, &["convert", "--plain", "-", other.to_str().unwrap()]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(fs::read(other).unwrap() == out);
    assert!(fs::read(files.path().join("in")).unwrap() == bytes);
}

#[test]
fn a_dry_run_needs_no_output() {
    let files = directory(&[("in", &newer(0).bytes())]);
    let run = run_in(files.path(), ["convert", "--dry-run", "--target", "4.17.0", "in"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stderr.contains("would be converted:\n  HVM_CONTEXT, LAPIC of vcpu 0"), "{run:?}");
    assert_eq!(fs::read_dir(files.path()).unwrap().count(), 1);
    assert_eq!(run_in(files.path(), ["convert", "in"]).status, 2);
}

#[test]
fn invalid_input_leaves_no_output() {
    let bytes = newer(0).bytes();
    let files = directory(&[("cut", &bytes[..bytes.len() - 12]), ("none", b"not an image")]);
    for name in ["cut", "none"] {
        let run = run_in(files.path(), ["convert", "--target", "4.17.0", name, "out"]);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{run:?}");
        assert!(run.stderr.contains("not converted:\n  stream: "), "{run:?}");
    }
    for (arguments, message) in [
        (["in", "cut"], "xenstream: cut: output already exists; --force replaces it\n"),
        (["absent", "out"], "xenstream: cannot open absent: No such file or directory"),
    ] {
        let run = run_in(files.path(), [&["convert"], &arguments[..]].concat());
        assert_eq!(run.status, 2);
        assert!(run.stderr.starts_with(message), "{run:?}");
    }
    let run = run_in(files.path(), ["convert", "--force", "cut", "./cut"]);
    assert_eq!(
        (run.status, run.stderr.as_str()),
        (2, "xenstream: ./cut: output is the same file as the input\n")
    );
    assert_eq!(fs::read_dir(files.path()).unwrap().count(), 2);
}

#[test]
fn repairs_are_listed_unless_requested() {
    let good = Machine::Pvh.libxl().in_xl().bytes();
    let files = directory(&[("in", &good[..good.len() - 8])]);
    let run = run_in(files.path(), ["convert", "--repair", "in", "out"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stderr.contains("would be converted:\n  END: record: absent -> present"), "{run:?}");
    assert!(!files.path().join("out").exists());
    assert_eq!(run_in(files.path(), ["convert", "--repair", "in"]).status, 0);
    let run = run_in(files.path(), ["convert", "--repair", "--write", "in", "out"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(fs::read(files.path().join("out")).unwrap() == good);
    assert_eq!(run_in(files.path(), ["convert", "--write", "in", "out"]).status, 2);
}

#[test]
fn containers_take_their_configuration_from_a_file() {
    let bytes = Machine::Pvh.libxl().in_xl().bytes();
    let xml = b"<domain type='xen'><name>guest</name></domain>";
    let files = directory(&[("in", &bytes), ("xml", xml)]);
    let run = run_in(files.path(), ["convert", "--container", "libvirt", "--config", "xml", "in", "out"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stderr.contains("  stream: container: xl -> libvirt "), "{run:?}");
    let run = run_in(files.path(), ["verify", "--format", "libvirt", "out"]);
    assert_eq!(run.status, 0, "{run:?}");
    let run = run_in(files.path(), ["convert", "--container", "libvirt", "in", "other"]);
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("give it with --config"), "{run:?}");
    let run = run_in(files.path(), ["convert", "--container", "xl", "--config", "absent", "in", "other"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("cannot read absent"), "{run:?}");
    assert!(!files.path().join("other").exists());
}

#[test]
fn the_json_object_lists_changes_and_obstacles() {
    let files = directory(&[("in", &newer(0).bytes()), ("busy", &newer(0x20).bytes())]);
    let json = |image, status| {
        let run = run_in(files.path(), ["convert", "--json", "--target", "4.17.0", image, "out"]);
        assert_eq!((run.status, run.stderr.as_str()), (status, ""), "{run:?}");
        serde_json::from_str::<serde_json::Value>(&run.stdout).unwrap()
    };
    let refused = json("busy", 1);
    assert_eq!(refused["converted"]["bytes"], serde_json::Value::Null);
    assert_eq!(refused["converted"]["obstacles"][0]["lossy"], "pending-esr");
    let done = json("in", 0);
    assert_eq!((&done["path"], &done["verdict"]), (&"in".into(), &"invalid".into()));
    let change = &done["converted"]["changes"][0];
    assert_eq!(change["place"], "HVM_CONTEXT, LAPIC of vcpu 0");
    assert_eq!(
        (&change["before"], &change["after"], &change["loss"]),
        (&"32".into(), &"24".into(), &().into())
    );
    assert_eq!(done["converted"]["bytes"], fs::metadata(files.path().join("out")).unwrap().len());
    let failed = json("in", 2);
    assert_eq!((&failed["converted"], &failed["verdict"]), (&().into(), &"error".into()));
    assert_eq!(run_in(files.path(), ["convert", "--json", "in", "-"]).status, 2);
}
