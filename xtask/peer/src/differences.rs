//! Where xenstream's verdict differs from that of Xen's tools, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use xenstream_core::{Level, Policy, Profile, Rule, Violation};

use crate::{Answer, Error, Release, Verdict};

/// A profile, and the tool that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Comparison {
    /// `spec` and Xen's verifier.
    SpecVerifier,
    /// `spec` and Xen's restorer.
    SpecRestorer,
    /// `restore` and Xen's restorer.
    RestoreRestorer,
    /// `restore` with a target, and the restorer of that release. The reasons for `restore` hold here too.
    TargetRestorer(Release),
}

impl Comparison {
    /// Its profile.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Comparison::SpecVerifier | Comparison::SpecRestorer => Profile::Spec,
            Comparison::RestoreRestorer | Comparison::TargetRestorer(_) => Profile::Restore,
        }
    }

    /// The policy that is compared.
    #[must_use]
    pub fn policy(self) -> Policy {
        let target = match self {
            Comparison::TargetRestorer(release) => Some(release.target()),
            Comparison::SpecVerifier | Comparison::SpecRestorer | Comparison::RestoreRestorer => None,
        };
        Policy::new(self.profile()).with_target(target)
    }

    /// Those whose reasons hold for it.
    fn with_reasons(self) -> impl Iterator<Item = Comparison> {
        let wider = matches!(self, Comparison::TargetRestorer(_)).then_some(Comparison::RestoreRestorer);
        [self].into_iter().chain(wider)
    }
}

impl TryFrom<String> for Comparison {
    type Error = String;

    /// What a table of a file is called.
    fn try_from(name: String) -> Result<Comparison, String> {
        match name.as_str() {
            "spec-verifier" => Ok(Comparison::SpecVerifier),
            "spec-restorer" => Ok(Comparison::SpecRestorer),
            "restore-restorer" => Ok(Comparison::RestoreRestorer),
            other => match other.strip_prefix("target-") {
                Some(release) => release.parse().map(Comparison::TargetRestorer),
                None => Err(format!("{other} is no comparison")),
            },
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Comparison::SpecVerifier => f.write_str("spec and Xen's verifier"),
            Comparison::SpecRestorer => f.write_str("spec and Xen's restorer"),
            Comparison::RestoreRestorer => f.write_str("restore and Xen's restorer"),
            Comparison::TargetRestorer(release) => write!(f, "restore for {release} and its restorer"),
        }
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
    file: File,
    used: BTreeSet<(Comparison, Kind, String)>,
    seen: BTreeSet<Rule>,
}

/// A table of differences, in the file's form.
#[derive(Debug, Default, Deserialize)]
struct File {
    /// Rules that are no part of any comparison, because no tool looks at what they do: whether the guest that comes of a
    /// stream can run. They are lowered, so that a stream that breaks one is compared in all other respects.
    #[serde(default, rename = "not-compared")]
    not_compared: BTreeMap<String, String>,
    #[serde(flatten)]
    tables: BTreeMap<Comparison, Table>,
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
        Differences::parse(&text).map_err(|why| Error::Form { path: path.to_owned(), why })
    }

    fn parse(text: &str) -> Result<Differences, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        for name in file.not_compared.keys() {
            match name.parse::<Rule>() {
                Ok(rule) if !rule.is_structural() => {}
                _ => return Err(format!("not-compared: {name} is no rule that can be lowered")),
            }
        }
        Ok(Differences { file, used: BTreeSet::new(), seen: BTreeSet::new() })
    }

    /// The policy without the rules that are not compared: what a stream is judged by for a comparison.
    #[must_use]
    pub fn lowered(&self, policy: Policy) -> Policy {
        let rules = self.file.not_compared.keys().filter_map(|name| name.parse::<Rule>().ok());
        rules.fold(policy, |policy, rule| {
            policy.with_level(rule, Level::Allow).expect("a rule that can be lowered")
        })
    }

    /// Notes what a stream was refused for where nothing was lowered. A rule that is not compared and refuses no stream
    /// is stale.
    pub fn saw(&mut self, violation: &Violation) {
        self.seen.insert(violation.rule);
    }

    /// The reason for a disagreement, `None` if none is known. What has explained something is not stale.
    pub fn explain(&mut self, stream: &str, disagreement: &Disagreement) -> Option<&str> {
        let (comparison, kind, key) = disagreement.comparison.with_reasons().find_map(|comparison| {
            let (kind, key) = self.file.tables.get(&comparison)?.find(stream, disagreement)?;
            Some((comparison, kind, key.to_owned()))
        })?;
        self.used.insert((comparison, kind, key.clone()));
        Some(&self.file.tables[&comparison].of(kind)[&key])
    }

    /// Entries that have explained nothing so far.
    #[must_use]
    pub fn stale(&self) -> Vec<String> {
        let kinds = [Kind::WeRefuse, Kind::TheyRefuse, Kind::Stream];
        let entries = self.file.tables.iter().flat_map(|(comparison, table)| {
            kinds
                .iter()
                .flat_map(move |kind| table.of(*kind).keys().map(move |key| (*comparison, *kind, key)))
        });
        let unused = entries
            .filter(|(comparison, kind, key)| !self.used.contains(&(*comparison, *kind, (*key).clone())))
            .map(|(comparison, _, key)| format!("{comparison}: {key:?}"));
        let seen = |name: &str| self.seen.iter().any(|rule| rule.name() == name);
        let unbroken = self.file.not_compared.keys().filter(|name| !seen(name));
        unused.chain(unbroken.map(|name| format!("not-compared: {name:?}"))).collect()
    }
}

impl Table {
    /// The entry that is about this disagreement.
    fn find(&self, stream: &str, disagreement: &Disagreement) -> Option<(Kind, &str)> {
        if let Some((name, _)) = self.streams.get_key_value(stream) {
            return Some((Kind::Stream, name));
        }
        match &disagreement.ours {
            Some(violation) => {
                let layer = format!("{}::*", violation.rule.layer());
                let names = [violation.rule.name(), &layer];
                let found = names.into_iter().find_map(|name| self.we_refuse.get_key_value(name));
                Some((Kind::WeRefuse, found?.0))
            }
            None => {
                let words = &disagreement.theirs.message;
                let part = self.they_refuse.keys().find(|part| words.contains(part.as_str()));
                Some((Kind::TheyRefuse, part?))
            }
        }
    }

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
    use xenstream_core::Format;

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
        Differences::parse(TABLE).unwrap()
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
    fn rule_that_is_not_compared_is_lowered() {
        let mut table = Differences::parse("[not-compared]\n\"libxc::memory-gap\" = \"a reason\"").unwrap();
        let lowered = table.lowered(Policy::restore());
        assert_eq!(lowered.level(Rule::LibxcMemoryGap), Level::Allow);
        assert_eq!(lowered.level(Rule::LibxcMemoryShort), Level::Deny);
        assert_eq!(table.stale(), ["not-compared: \"libxc::memory-gap\""]);
        table.saw(&Violation::new(Rule::LibxcMemoryGap, 0, None));
        assert!(table.stale().is_empty());
        for name in ["stream::truncated", "libxc::*", "no such rule"] {
            assert!(Differences::parse(&format!("[not-compared]\n{name:?} = \"\"")).is_err());
        }
    }

    #[test]
    fn target_has_its_own_reasons_and_those_of_restore() {
        let text = r#"
            [restore-restorer.they-refuse]
            "truncated" = "any release"
            ["target-4.14".they-refuse]
            "bitmap" = "that one"
        "#;
        let mut table = Differences::parse(text).unwrap();
        let mut explain = |release, message| {
            let comparison = Comparison::TargetRestorer(release);
            let theirs = answer(Verdict::Reject, message);
            let disagreement = Disagreement::between(comparison, None, &theirs).unwrap();
            table.explain("any", &disagreement).map(str::to_owned)
        };
        assert_eq!(explain(Release::V4_14, "the bitmap").as_deref(), Some("that one"));
        assert_eq!(explain(Release::V4_17, "the bitmap"), None);
        assert_eq!(explain(Release::V4_20, "truncated").as_deref(), Some("any release"));
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
