//! `xenstream rules` and `xenstream explain`.

use std::path::Path;

use crate::common::{Run, run_in, xenstream};
use serde_json::Value;
use xenstream::{Policy, Profile, Rule};

fn run(arguments: &[&str]) -> Run {
    run_in(Path::new("."), arguments)
}

#[test]
fn every_rule_is_listed_with_its_levels() {
    let run = run(&["rules"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["rule", "spec", "restore", "hardened", "refuses"]
    );
    assert_eq!(lines.len(), 1 + Rule::COUNT);
    for (line, rule) in lines[1..].iter().zip(Rule::all()) {
        let words: Vec<_> = line.split_whitespace().collect();
        let levels =
            [Profile::Spec, Profile::Restore, Profile::Hardened].map(|profile| rule.grade(profile).name());
        assert_eq!(words[0], rule.name());
        assert_eq!(words[1..4], levels);
        assert!(line.ends_with(rule.entry().title));
    }
}

#[test]
fn the_list_is_there_for_programs() {
    let run = run(&["rules", "--json"]);
    assert_eq!(run.status, 0);
    let objects: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), Rule::COUNT);
    for (object, rule) in objects.iter().zip(Rule::all()) {
        let entry = rule.entry();
        assert_eq!(object["rule"], rule.name());
        assert_eq!(object["structural"], rule.is_structural());
        assert_eq!(object["levels"]["hardened"], Policy::hardened().level(rule).to_string());
        for (name, text) in
            [("title", entry.title), ("refuses", entry.refuses), ("why", entry.why), ("source", entry.source)]
        {
            assert_eq!(object[name], text);
        }
    }
}

#[test]
fn every_rule_is_explained_and_its_example_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // One run for all would not need the program; a few are run, and all examples looked for.
    for rule in Rule::all().step_by(20) {
        let run = run(&["explain", rule.name()]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        let entry = rule.entry();
        assert!(run.stdout.starts_with(&format!("{rule}: {}\n", entry.title)));
        let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [entry.refuses, entry.why, entry.source] {
            assert!(text.contains(part), "{rule}: {part}");
        }
        assert!(run.stdout.lines().all(|line| line.len() <= 100));
    }
    for line in run(&["rules", "--json"]).stdout.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        let example = root.join(object["example"].as_str().unwrap());
        assert!(example.is_file(), "{}", example.display());
    }
}

#[test]
fn a_rule_s_example_is_refused_by_that_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rule = "libxl::padding";
    let explained = run(&["explain", rule]).stdout;
    let example = explained.lines().find_map(|line| line.strip_prefix("Example")).unwrap().trim();
    let run = run_in(&root, ["verify", "--profile", "spec", example]);
    assert_eq!(run.status, 1);
    assert!(run.stdout.contains(&format!("error: {rule}: ")));
}

#[test]
fn unknown_rule_gets_suggestions() {
    for (name, near) in [
        ("libxc::page-data-lenght", "did you mean libxc::page-data-length?"),
        ("page-data-length", "did you mean libxc::page-data-length?"),
        ("libxl::page_data_length", "did you mean libxc::page-data-length?"),
        ("LIBXL::END-LENGTH", "did you mean libxl::end-length"),
        ("qqq", "`xenstream rules` lists them all"),
    ] {
        let run = run(&["explain", name]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""));
        assert!(
            run.stderr.starts_with(&format!("xenstream: unknown rule or fact '{name}'; {near}")),
            "{run:?}"
        );
    }
}

#[test]
fn help_lists_exit_statuses() {
    for arguments in [&["--help"][..], &["verify", "--help"]] {
        let output = xenstream().args(arguments).output().unwrap();
        assert!(output.status.success());
        assert!(
            String::from_utf8(output.stdout).unwrap().contains("Exit status:\n  0  every image is valid\n")
        );
    }
}

#[test]
fn lines_of_logs_are_explained() {
    let line = "xc: error: Failed to set CPUID policy: leaf 0000001f, subleaf ffffffff, msr ffffffff";
    for arguments in [vec!["explain", line], ["explain"].into_iter().chain(line.split(' ')).collect()] {
        let run = run_in(Path::new("."), arguments);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.stdout.starts_with("libxenguest: Failed to set CPUID policy: leaf"), "{run:?}");
        assert!(run.stdout.contains("\n  libxc::cpuid-policy-leaf: "), "{run:?}");
    }
    let run = run_in(Path::new("."), ["explain", "no such line"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("no known message of Xen matches 'no such line'"), "{run:?}");
}
