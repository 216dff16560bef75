//! Cures before real hypervisors: what a release refused is what it took afterwards, and nothing else has changed.

use std::collections::HashMap;

use xenstream::rewrite::Convert;
use xenstream::{Options, Policy};

use super::common::{converted, extents, records};
use crate::hypervisor::{Images, Verdict, answers};

/// Images of corpus/hypervisor, and what each is when it is cured, which is in that table too. For the other cures of
/// docs/convert.md no release that can be booted refuses an image.
const CURES: [(&str, &str); 27] = [
    ("hvm-bios8-4.20", "hvm-bios8-4.20-for-4.17"),
    ("pvh64-1v-4.20", "pvh64-1v-4.20-for-4.17"),
    ("hvm-lapic-len32", "hvm-base"),
    ("hvm-cpu-pad", "hvm-base"),
    ("hvm-cpu-zero", "hvm-cpu-zero-et"),
    ("hvm-cpuid-leaf7-max", "hvm-cpuid-leaf7-max2"),
    ("hvm-cpuid-leaf7-sub3", "hvm-base"),
    ("hvm-cpumsr-pkrs0", "hvm-base"),
    ("hvm-cpumsr-virtspec0", "hvm-base"),
    ("hvm-cr0-et", "hvm-base"),
    ("hvm-dr6-high", "hvm-base"),
    ("hvm-dr7-high", "hvm-base"),
    ("hvm-param-20-0", "hvm-base"),
    ("hvm-param-24-0", "hvm-base"),
    ("hvm-param-35-0", "hvm-base"),
    ("hvm-pcilink-pad", "hvm-base"),
    ("hvm-pic-elcr", "hvm-base"),
    ("hvm-pic-init-out", "hvm-pic-init-low"),
    ("hvm-pit-pad", "hvm-base"),
    ("hvm-viridian-vcpu-ones", "hvm-viridian-vcpu-pad0"),
    ("hvm-xl-big-endian", "hvm-base"),
    ("pv-dr7", "pv-dr7-low"),
    ("pv-ext-size31-zero", "pv-ext-mca-zero"),
    ("pv-msr-count4", "pv-msrs-empty"),
    ("pv-msr-count8", "pv-msrs-empty"),
    ("pv-msr-reserved", "pv-msr-tsc-aux"),
    ("pv-xs-long", "pv-base"),
];

#[test]
fn cured_images_are_those_that_hypervisors_take() {
    let mut images = Images::new();
    let answers = answers();
    let verdict = |image: &str, xen: &str| {
        let answers = answers.get(image).into_iter().flatten();
        answers.filter(|answer| answer.xen == xen).map(|answer| answer.verdict).next()
    };
    for (name, cured) in CURES {
        let (before, after) = (images.bytes(name), images.bytes(cured));
        let refusals: HashMap<&str, _> = answers[name]
            .iter()
            .filter(|answer| answer.verdict == Verdict::Refused)
            .map(|answer| (&*answer.xen, answer.target()))
            .collect();
        assert!(!refusals.is_empty(), "{name} is refused by no release on record");
        let mut cures = 0;
        for (xen, target) in refusals {
            let options = Options::new(Policy::restore().with_target(Some(target)));
            let (done, out) = converted(&before, &options, &Convert::default());
            assert!(!done.report.is_valid(), "{name} for {xen}");
            // Another release may have a reason that is not cured.
            if !done.obstacles.is_empty() {
                continue;
            }
            cures += 1;
            assert!(out == after, "{name} for {xen}: {:?}", done.changes);
            assert_eq!(verdict(cured, xen), Some(Verdict::Taken), "{cured} on {xen}, cured from {name}");
            let places: Vec<u64> = done.changes.iter().map(|change| change.offset).collect();
            only_these_records_change(name, &before, &out, &places);
        }
        assert!(cures > 0, "{name} is cured for no release that refuses it");
    }
}

/// Only records with a change at one of these offsets of the input differ in the output.
fn only_these_records_change(name: &str, before: &[u8], after: &[u8], places: &[u64]) {
    let extents = extents(before);
    let [(_, before), (_, after)] = [before, after].map(records);
    assert_eq!(before.len(), after.len(), "{name}");
    for ((before, after), extent) in before.iter().zip(&after).zip(&extents) {
        let is_listed = places.iter().any(|place| extent.contains(place));
        assert!(before == after || is_listed, "{name}: {:?} at {extent:?} differs", (before.0, before.1));
    }
}
