//! `--stats`: figures of a store.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use xenstream::{Target, json};

use super::Store;
use crate::output::bytes;

/// The JSON object of the figures.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Object<'a> {
    stats: Stats<'a>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Stats<'a> {
    bytes: u64,
    unchanged: u64,
    guests: BTreeMap<&'a str, u64>,
    rules: BTreeMap<&'a str, u64>,
    warnings: BTreeMap<&'a str, u64>,
    /// Valid images by release that takes them.
    accepted_by: BTreeMap<String, u64>,
    seconds: f64,
}

impl<'a> Stats<'a> {
    fn new(store: &'a Store) -> Stats<'a> {
        let images = || store.images.iter().filter(|image| !image.passed_over);
        let finding = |image: &'a super::Image| image.finding.as_ref().map(|finding| finding.rule.as_str());
        let takers = Target::all().map(|target| {
            let count = images().filter(|image| image.is_accepted_by(target)).count();
            (target.to_string(), count as u64)
        });
        Stats {
            bytes: images().map(|image| image.bytes).sum(),
            unchanged: store.unchanged,
            guests: counted(images().filter_map(|image| image.guest.as_deref())),
            rules: counted(images().filter_map(finding)),
            warnings: counted(images().flat_map(|image| &image.warnings).map(String::as_str)),
            accepted_by: takers.collect(),
            seconds: store.seconds,
        }
    }
}

fn counted<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, u64> {
    words.fold(BTreeMap::new(), |mut counts, word| {
        *counts.entry(word).or_default() += 1;
        counts
    })
}

/// Prints the figures.
pub(super) fn print(out: &mut impl Write, store: &Store, as_json: bool) -> io::Result<()> {
    let stats = Stats::new(store);
    if as_json {
        return json::write_line(out, &Object { stats });
    }
    writeln!(out, "{} in {:.2} s, {} unchanged", bytes(stats.bytes), stats.seconds, stats.unchanged)?;
    for (what, counts) in
        [("guests", stats.guests), ("refused by", stats.rules), ("warned by", stats.warnings)]
    {
        if !counts.is_empty() {
            let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
            writeln!(out, "{what}: {}", counts.join(", "))?;
        }
    }
    // The newest of each branch, and the vendors' releases.
    let newest = |target: &Target| {
        let next = Target::all().find(|next| next > target);
        next.is_none_or(|next| next.release().0 != target.release().0) || target.vendor_name().is_some()
    };
    let taken: Vec<String> = Target::all()
        .filter(newest)
        .filter_map(|target| Some((target, *stats.accepted_by.get(&target.to_string())?)))
        .map(|(target, count)| format!("{target} {count}"))
        .collect();
    writeln!(out, "restore on: {}", taken.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{image, store};
    use super::*;

    #[test]
    fn figures_are_for_people_and_programs() {
        let store = store(vec![image(b"a", "valid"), image(b"b", "invalid")]);
        let mut text = Vec::new();
        print(&mut text, &store, false).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.starts_with(
                "8.0 KiB in 0.50 s, 1 unchanged\nguests: hvm 2\nrefused by: stream::truncated 1\n"
            ),
            "{text}"
        );
        assert!(text.contains("restore on: 4.13.5 0, 4.14.6 1, "), "{text}");
        let mut line = Vec::new();
        print(&mut line, &store, true).unwrap();
        let object: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(object["stats"]["bytes"], 8192);
        assert_eq!(object["stats"]["accepted_by"]["4.20.0"], 1);
    }
}
