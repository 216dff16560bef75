//! What came of all restores on a release, in a few lines.

use std::collections::BTreeMap;
use std::fmt;

use super::answer::{Answer, Verdict};

/// The answers to each image, alone and with our helper.
pub(super) struct Summary(BTreeMap<String, [Option<Verdict>; 2]>);

impl Summary {
    /// Of two answers to the same question, the later one counts.
    pub(super) fn of(answers: Vec<Answer>) -> Summary {
        let mut images: BTreeMap<_, [Option<Verdict>; 2]> = BTreeMap::new();
        for answer in answers {
            images.entry(answer.image).or_default()[usize::from(answer.helper)] = Some(answer.verdict);
        }
        Summary(images)
    }

    /// The images whose answers are these two.
    fn with(&self, alone: Verdict, helper: Verdict) -> Vec<&str> {
        let wanted = [Some(alone), Some(helper)];
        self.0.iter().filter(|(_, verdicts)| **verdicts == wanted).map(|(name, _)| name.as_str()).collect()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (way, title) in ["by Xen's helper alone", "with xenstream's in front of it"].iter().enumerate() {
            let count = |verdict| self.0.values().filter(|verdicts| verdicts[way] == Some(verdict)).count();
            let of = |verdict, word| format!("{} {word}", count(verdict));
            let words = [
                of(Verdict::Taken, "taken"),
                of(Verdict::Refused, "refused"),
                of(Verdict::HostCrash, "took the host down"),
                of(Verdict::HostHang, "made the host hang"),
                of(Verdict::Timeout, "without an answer in time"),
            ];
            writeln!(f, "xen: {title}: {}", words.join(", "))?;
        }
        let differences = [
            ("only xenstream refused", Verdict::Taken, Verdict::Refused),
            ("xenstream's helper saved the host from", Verdict::HostCrash, Verdict::Refused),
            ("went wrong only with xenstream's helper", Verdict::Taken, Verdict::Timeout),
        ];
        for (title, alone, helper) in differences {
            let images = self.with(alone, helper);
            if !images.is_empty() {
                writeln!(f, "xen: {title}: {}", images.join(", "))?;
            }
        }
        Ok(())
    }
}
