//! Tests of the repository as a whole: what no crate can see of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;
use xenstream_core::{Checker, Layer, Rule};
use xenstream_synth::broken::breaks;
use xenstream_synth::cases;

use crate::root;

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The sources below a folder in one string, without those below folders of these names.
fn sources(folder: &str, except: &[&str]) -> String {
    let entries = WalkDir::new(root().join(folder)).sort_by_file_name().into_iter();
    let entries = entries.filter_entry(|entry| !except.iter().any(|name| entry.file_name() == *name));
    let paths = entries.map(|entry| entry.unwrap().into_path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "rs")).map(read).collect()
}

/// The identifiers of a source.
fn identifiers(source: &str) -> BTreeSet<&str> {
    source.split(|c: char| !c.is_alphanumeric() && c != '_').collect()
}

/// Rules on what only `xenstream` can read, which the core compares with the stream: by what it is told.
const NOTIFIED: [(Rule, &str); 4] = [
    (Rule::XlTypeMismatch, "set_domain_type"),
    (Rule::XlMemoryMismatch, "set_memory"),
    (Rule::XlViridianMismatch, "set_viridian"),
    (Rule::XlEmulatorMismatch, "set_emulator"),
];

/// The places that must know a rule, in the order of the recipe in CONTRIBUTING.md.
#[test]
fn every_rule_is_where_it_has_to_be() {
    let (core, std) =
        (sources("crates/xenstream-core/src", &["catalogue"]), sources("crates/xenstream/src", &[]));
    let (core, std) = (identifiers(&core), identifiers(&std));
    let cases: BTreeSet<Rule> = cases::all().into_iter().map(|case| case.rule).collect();
    let breaks: BTreeSet<Rule> = breaks().iter().map(|way| way.rule).collect();
    let messages = read("crates/xenstream-synth/tests/messages.txt");
    let listed = read("corpus/rules/cases.jsonl");
    let docs = read("docs/rules.md");

    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in Rule::all() {
        let variant = format!("{rule:?}");
        let name = rule.name();
        let by_core = matches!(rule.entry().by, Checker::Core);
        let notified = NOTIFIED.iter().find(|(known, _)| *known == rule);
        let by_std = match notified {
            Some((_, notifier)) => std.contains(notifier) && core.contains(&*variant),
            None => std.contains(&*variant),
        };
        let places = [
            (by_core, "a check in crates/xenstream-core/src", core.contains(&*variant)),
            (!by_core, "a check in crates/xenstream/src", by_std),
            (true, "a case in crates/xenstream-synth/src/rules", cases.contains(&rule)),
            (
                rule.layer() != Layer::Host,
                "a break in crates/xenstream-synth/src/rules",
                breaks.contains(&rule),
            ),
            (
                by_core,
                "a line in crates/xenstream-synth/tests/messages.txt (BLESS=1 cargo test -p xenstream-synth messages)",
                messages.contains(&name.replacen("::", "/", 1)),
            ),
            (true, "files in corpus/rules (cargo xtask corpus)", listed.contains(&format!("\"{name}\""))),
            (true, "a section in docs/rules.md (cargo xtask docs)", docs.contains(&format!("### {name}\n"))),
        ];
        for (needed, place, there) in places {
            if needed && !there {
                missing.entry(place).or_default().push(name);
            }
        }
    }
    assert!(missing.is_empty(), "rules are missing in: {missing:#?}");
}

/// Paths that a document names: what stands between backquotes or after `](`, and looks like one.
fn paths(document: &str) -> Vec<PathBuf> {
    let quoted = document.split('`').skip(1).step_by(2).map(str::to_owned);
    let linked = document.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()));
    let is_path = |text: &String| {
        let plain = !text.contains(|c: char| c.is_whitespace() || "<>*$|(){}:#=…".contains(c));
        let top = text.split('/').next().unwrap_or_default();
        plain
            && (text.contains('/') && root().join(top).exists()
                || [".md", ".toml", ".rs", ".txt"].iter().any(|ending| text.ends_with(ending)))
    };
    quoted.chain(linked).filter(is_path).map(PathBuf::from).collect()
}

#[test]
fn documents_name_paths_that_exist() {
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"] {
        let text = read(document);
        let paths = paths(&text);
        assert!(!paths.is_empty(), "{document} names no path");
        let missing: Vec<_> = paths.iter().filter(|path| !root().join(path).exists()).collect();
        assert!(missing.is_empty(), "{document} names what does not exist: {missing:#?}");
    }
}

/// Only what C calls needs `unsafe`.
#[test]
fn unsafe_code_is_confined_to_the_c_interfaces() {
    let mut allowed = BTreeSet::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        let files = ["src/lib.rs", "src/main.rs"].map(|file| path.join(file));
        let forbids = files
            .iter()
            .any(|file| fs::read_to_string(file).is_ok_and(|source| source.contains("forbid(unsafe_code)")));
        if !forbids {
            allowed.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    assert_eq!(allowed, BTreeSet::from(["xenstream-capi", "xenstream-mutate"].map(str::to_owned)));
}
