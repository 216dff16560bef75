//! Where xenstream's verdict differs from that of Xen's tools, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use xenstream_core::{Profile, Violation};

use crate::{Answer, Error, Verdict};

/// A profile, and the tool that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// `spec` and Xen's verifier.
    SpecVerifier,
    /// `spec` and Xen's restorer.
    SpecRestorer,
    /// `restore` and Xen's restorer.
    RestoreRestorer,
}

impl Comparison {
    /// Its profile.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Comparison::SpecVerifier | Comparison::SpecRestorer => Profile::Spec,
            Comparison::RestoreRestorer => Profile::Restore,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::SpecVerifier => "spec and Xen's verifier",
            Comparison::SpecRestorer => "spec and Xen's restorer",
            Comparison::RestoreRestorer => "restore and Xen's restorer",
        })
    }
}

/// One stream on which a profile and a tool do not agree.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// Who differs from whom.
    pub comparison: Comparison,
    /// What xenstream refuses it for, `None` if it does not.
    pub ours: Option<Violation>,
    /// What the tool said.
    pub theirs: Answer,
}

impl Disagreement {
    /// The disagreement between the two verdicts, if there is one. That the tool crashed counts as a refusal.
    #[must_use]
    pub fn between(comparison: Comparison, ours: Option<Violation>, theirs: &Answer) -> Option<Disagreement> {
        let agree = ours.is_none() == (theirs.verdict == Verdict::Accept);
        (!agree).then(|| Disagreement { comparison, ours, theirs: theirs.clone() })
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ours ", self.comparison)?;
        match &self.ours {
            None => write!(f, "valid")?,
            Some(violation) => write!(f, "{violation}")?,
        }
        write!(f, "; theirs {:?}", self.theirs.verdict)?;
        if !self.theirs.message.is_empty() {
            write!(f, ", {:?}", self.theirs.message)?;
        }
        Ok(())
    }
}

/// The differences that have a reason.
#[derive(Debug)]
pub struct Differences {
    tables: BTreeMap<Comparison, Table>,
    used: BTreeSet<(Comparison, Kind, String)>,
}

/// Reasons for one comparison, in the file's form.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    /// xenstream refuses by this rule, or by any of this layer (`hvm::*`), what the tool takes.
    we_refuse: BTreeMap<String, String>,
    /// The tool refuses with these words, or part of them, what xenstream takes.
    they_refuse: BTreeMap<String, String>,
    /// Single streams, by name.
    streams: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    WeRefuse,
    TheyRefuse,
    Stream,
}

impl Differences {
    /// Reads a table of differences.
    ///
    /// # Errors
    /// The file cannot be read, or is not such a table.
    pub fn load(path: &Path) -> Result<Differences, Error> {
        let text = fs::read_to_string(path).map_err(Error::file(path))?;
        let tables = toml::from_str(&text)
            .map_err(|error| Error::Form { path: path.to_owned(), why: error.to_string() })?;
        Ok(Differences { tables, used: BTreeSet::new() })
    }

    /// The reason for a disagreement, `None` if none is known. What has explained something is not stale.
    pub fn explain(&mut self, stream: &str, disagreement: &Disagreement) -> Option<&str> {
        let comparison = disagreement.comparison;
        let table = self.tables.get(&comparison)?;
        let (kind, key) = match table.streams.get_key_value(stream) {
            Some((name, _)) => (Kind::Stream, name),
            None => match &disagreement.ours {
                Some(violation) => {
                    let layer = format!("{}::*", violation.rule.layer());
                    let names = [violation.rule.name(), &layer];
                    let found = names.into_iter().find_map(|name| table.we_refuse.get_key_value(name));
                    (Kind::WeRefuse, found?.0)
                }
                None => {
                    let words = &disagreement.theirs.message;
                    (Kind::TheyRefuse, table.they_refuse.keys().find(|part| words.contains(part.as_str()))?)
                }
            },
        };
        self.used.insert((comparison, kind, key.clone()));
        Some(&table.of(kind)[key])
    }

    /// Entries that have explained nothing so far.
    #[must_use]
    pub fn stale(&self) -> Vec<String> {
        let kinds = [Kind::WeRefuse, Kind::TheyRefuse, Kind::Stream];
        let entries = self.tables.iter().flat_map(|(comparison, table)| {
            kinds
                .iter()
                .flat_map(move |kind| table.of(*kind).keys().map(move |key| (*comparison, *kind, key)))
        });
        entries
            .filter(|(comparison, kind, key)| !self.used.contains(&(*comparison, *kind, (*key).clone())))
            .map(|(comparison, _, key)| format!("{comparison}: {key:?}"))
            .collect()
    }
}

impl Table {
    fn of(&self, kind: Kind) -> &BTreeMap<String, String> {
        match kind {
            Kind::WeRefuse => &self.we_refuse,
            Kind::TheyRefuse => &self.they_refuse,
            Kind::Stream => &self.streams,
        }
    }
}

#[cfg(test)]
mod tests {
    use xenstream_core::{Format, Policy};

    use super::*;

    const TABLE: &str = r#"
        [spec-verifier.we-refuse]
        "stream::*" = "a layer"
        [spec-verifier.they-refuse]
        "not NUL" = "words"
        [spec-verifier.streams]
        "that one" = "a name"
    "#;

    fn differences() -> Differences {
        Differences { tables: toml::from_str(TABLE).unwrap(), used: BTreeSet::new() }
    }

    fn answer(verdict: Verdict, message: &str) -> Answer {
        Answer { verdict, message: message.to_owned(), largest_allocation: 0 }
    }

    fn disagreement(ours: Option<Violation>, theirs: &Answer) -> Disagreement {
        Disagreement::between(Comparison::SpecVerifier, ours, theirs).unwrap()
    }

    #[test]
    fn a_crash_is_a_refusal() {
        let violation = crate::judge(b"", Format::Auto, &Policy::spec());
        let crash = answer(Verdict::Crash, "signal 11");
        assert!(Disagreement::between(Comparison::SpecRestorer, violation, &crash).is_none());
        assert!(Disagreement::between(Comparison::SpecRestorer, None, &crash).is_some());
    }

    #[test]
    fn a_reason_is_found_by_layer_by_words_and_by_name() {
        let mut table = differences();
        assert_eq!(table.stale().len(), 3);
        let ours = crate::judge(b"", Format::Auto, &Policy::spec());
        let refused_by_us = disagreement(ours, &answer(Verdict::Accept, ""));
        assert_eq!(table.explain("any", &refused_by_us), Some("a layer"));
        let refused_by_them = disagreement(None, &answer(Verdict::Reject, "Data not NUL terminated"));
        assert_eq!(table.explain("any", &refused_by_them), Some("words"));
        assert_eq!(table.stale(), [r#"spec and Xen's verifier: "that one""#]);
        assert_eq!(table.explain("that one", &refused_by_them), Some("a name"));
        assert!(table.stale().is_empty());
    }

    #[test]
    fn what_is_not_listed_has_no_reason() {
        let mut table = differences();
        let theirs = answer(Verdict::Reject, "Stream truncated");
        assert_eq!(table.explain("any", &disagreement(None, &theirs)), None);
        let elsewhere = Disagreement::between(Comparison::RestoreRestorer, None, &theirs).unwrap();
        assert_eq!(table.explain("that one", &elsewhere), None);
    }
}
