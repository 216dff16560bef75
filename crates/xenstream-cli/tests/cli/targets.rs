//! Which release takes an image: `--target`, what is said without one, and the table of facts.

use serde_json::{Value, json};
use xenstream::wire::hvm::types;
use xenstream::wire::libxc::types::HVM_CONTEXT;
use xenstream::{Fact, Target};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::{Part, libxc, minimal};

use crate::common::{Run, directory, run_in};

/// The program where there are no files.
fn run(arguments: &[&str]) -> Run {
    run_in(directory(&[]).path(), arguments)
}

/// An HVM guest with a LAPIC of the longer form.
fn longer() -> Vec<u8> {
    let chain = Chain::around([Entry::new(types::LAPIC, 0, [0; 32])]);
    minimal::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&chain)).bytes()
}

const RELEASES: &str = "Xen 4.18.5+, 4.19.2+, 4.20.1+, 4.21+, XCP-ng 8.3";

#[test]
fn a_valid_image_names_its_takers() {
    let files = directory(&[("image", &longer())]);
    for command in ["verify", "inspect"] {
        let run = run_in(files.path(), [command, "image"]);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.stdout.ends_with(&format!("\n  restores on: {RELEASES}\n")), "{run:?}");
    }
    let run = run_in(files.path(), ["verify", "-v", "image"]);
    let refused = "  refused by Xen 4.13 to 4.17, 4.18.0 to 4.18.4, 4.19.0 to 4.19.1, 4.20.0, XCP-ng 8.2, \
                   XCP-ng 8.3 of 2024: LAPIC32 (hvm::lapic-length): ";
    assert!(run.stdout.contains(refused), "{run:?}");
    assert!(run.stdout.contains(", in hvm entry 1 (LAPIC at "), "{run:?}");
    assert!(run.stdout.contains("\n  depends on the host: free memory for the guest"), "{run:?}");
}

#[test]
fn target_decides_the_verdict() {
    let files = directory(&[("image", &longer())]);
    for (target, status) in
        [("4.20.0", 1), ("4.20.1", 0), ("4.17.7", 1), ("xcp-ng-8.3", 0), ("xcp-ng-8.3-2024", 1)]
    {
        for command in ["verify", "inspect"] {
            let run = run_in(files.path(), [command, "--target", target, "image"]);
            assert_eq!((run.status, run.stderr.as_str()), (status, ""), "{target}: {run:?}");
            let error = format!(
                "  error: hvm::lapic-length: the LAPIC entry has 32 bytes, more than 24; accepted by {RELEASES}\n"
            );
            assert_eq!(run.stdout.contains(&error), status == 1, "{target}: {run:?}");
            assert_eq!(run.stdout.contains("restores on: "), status == 0, "{target}: {run:?}");
        }
    }
}

#[test]
fn a_branch_is_its_newest_release() {
    let files = directory(&[("image", &longer())]);
    let run = run_in(files.path(), ["verify", "--target", "4.20", "image"]);
    assert_eq!(run.status, 0);
    assert_eq!(run.stderr, "xenstream: target 4.20 means 4.20.4, the newest known of that branch\n");
    assert!(run.stdout.ends_with("\n  restores on: Xen 4.20.4, the target\n"), "{run:?}");
}

#[test]
fn unknown_releases_are_usage_errors() {
    let run = run(&["verify", "--target", "4.23", "image"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("the nearest are 4.21.1, 4.21.2, 4.22.0"), "{run:?}");
}

#[test]
fn json_names_takers_and_reasons() {
    let files = directory(&[("image", &longer())]);
    let object = |arguments: &[&str], status| -> Value {
        let run = run_in(files.path(), [&["verify", "--json", "image"], arguments].concat());
        assert_eq!(run.status, status, "{run:?}");
        serde_json::from_str(run.stdout.trim()).unwrap()
    };
    let releases = object(&[], 0)["releases"].take();
    let taken: Vec<&str> =
        releases["accepted_by"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(
        taken.starts_with(&["4.18.5", "4.18.6", "4.19.2"]) && taken.ends_with(&["4.22.0", "xcp-ng-8.3"]),
        "{taken:?}"
    );
    let refused = &releases["refused"];
    assert_eq!(refused[0]["fact"], "V3");
    assert_eq!(refused[1]["fact"], "LAPIC32");
    assert_eq!(refused[1]["rule"], "hvm::lapic-length");
    assert_eq!(refused[1]["record"]["type"], "LAPIC");
    assert_eq!(releases["depends_on_host"], json!([{"on": "memory"}]));

    let refused = object(&["--target", "4.17"], 1);
    assert_eq!(
        (&refused["target"], &refused["violation"]["rule"]),
        (&json!("4.17.7"), &json!("hvm::lapic-length"))
    );
    assert_eq!(refused.get("releases"), None);
}

#[test]
fn the_table_is_listed_and_explained() {
    let listed = run(&["targets"]).stdout;
    for target in Target::all() {
        assert!(listed.contains(&format!("  {target}")), "{target}");
    }
    let objects = run(&["targets", "--json"]).stdout;
    assert_eq!(objects.lines().count(), Fact::COUNT + Target::COUNT);
    for (fact, line) in Fact::all().zip(objects.lines()) {
        let object: Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["fact"], fact.name());
        let run = run(&["explain", &fact.name().to_lowercase()]);
        assert_eq!(run.status, 0, "{run:?}");
        let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [fact.name(), fact.entry().title, fact.entry().advice, fact.entry().commit] {
            assert!(text.contains(part), "{fact}: {part}");
        }
        assert!(run.stdout.lines().all(|line| line.len() <= 100), "{fact}");
    }
    assert!(run(&["explain", "LAPIC33"]).stderr.contains("did you mean LAPIC32?"));
}
