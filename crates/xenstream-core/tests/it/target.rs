//! Facts, releases, and what they say of a stream.

use std::mem::size_of;

use xenstream_core::{Fact, Target, TargetSet};

/// The releases that refuse a stream for each fact, in the table's order. Those of a fact that depends on the host
/// refuse nothing for sure.
const REFUSED: [(&str, &str); 39] = [
    ("V3", "Xen 4.13, XCP-ng 8.2"),
    ("RTC24", "Xen 4.13, XCP-ng 8.2"),
    (
        "LAPIC32",
        "Xen 4.13 to 4.17, 4.18.0 to 4.18.4, 4.19.0 to 4.19.1, 4.20.0, XCP-ng 8.2, XCP-ng 8.3 of 2024",
    ),
    ("MSR2", "Xen 4.13.0 to 4.13.1, 4.14.0"),
    ("L72", "Xen 4.13, 4.14.0 to 4.14.4, 4.15.0 to 4.15.2, 4.16.0, XCP-ng 8.2"),
    ("L73", "Xen 4.13+"),
    ("E21", "Xen 4.13, 4.14.0 to 4.14.4, 4.15.0 to 4.15.2, XCP-ng 8.2"),
    ("AC64", "Xen 4.13, 4.14.0 to 4.14.5, 4.15.0 to 4.15.4, 4.16.0 to 4.16.4, 4.17.0 to 4.17.1, XCP-ng 8.2"),
    ("LEAF", "no release"),
    ("VSC", "Xen 4.13 to 4.16, XCP-ng 8.2"),
    ("PKRS", "Xen 4.13 to 4.17, XCP-ng 8.2"),
    ("PSFD", "Xen 4.13, 4.14.0 to 4.14.4, 4.15.0 to 4.15.2, 4.16.0, XCP-ng 8.2"),
    (
        "BHI",
        "Xen 4.13 to 4.14, 4.15.0 to 4.15.5, 4.16.0 to 4.16.5, 4.17.0 to 4.17.3, 4.18.0 to 4.18.1, XCP-ng 8.2, XCP-ng 8.3 of 2024",
    ),
    ("AIBRS", "Xen 4.13 to 4.17, XCP-ng 8.2, XCP-ng 8.3 of 2024, XCP-ng 8.3"),
    ("CET", "Xen 4.13 to 4.15, XCP-ng 8.2"),
    ("PKS", "Xen 4.13 to 4.17, XCP-ng 8.2"),
    ("LASS", "Xen 4.13 to 4.21, XCP-ng 8.2, XCP-ng 8.3 of 2024, XCP-ng 8.3"),
    ("AMX", "Xen 4.13 to 4.19, XCP-ng 8.2, XCP-ng 8.3 of 2024, XCP-ng 8.3"),
    ("VIR13", "Xen 4.13 to 4.14, XCP-ng 8.2"),
    ("TSC64", "Xen 4.13 to 4.15, 4.16.0 to 4.16.3, 4.17.0"),
    ("PFN31", "Xen 4.13 to 4.14, XCP-ng 8.2"),
    ("L7SUB2", "Xen 4.15.0 to 4.15.2, 4.16.0"),
    ("CR3W", "any release from 4.14"),
    ("VMA", "Xen 4.13.1+, 4.14+, XCP-ng 8.2, XCP-ng 8.3 of 2024, XCP-ng 8.3"),
    ("DR32", "Xen 4.18+"),
    ("GDT16", "any release from 4.14"),
    ("PV32VM", "Xen 4.21.1+, 4.22+"),
    ("PICCHK", "Xen 4.19+"),
    ("PICINIT", "Xen 4.19+"),
    ("PITCHK", "Xen 4.19+"),
    ("LINKPAD", "Xen 4.19+"),
    ("TILEPAIR", "Xen 4.19+"),
    ("ALTP2M", "Xen 4.19+"),
    ("NEST", "any release from 4.15"),
    ("VMXE", "no release"),
    ("L7MAX", "Xen 4.15+"),
    ("VENDOR", "no release"),
    ("NOVIR", "no release"),
    ("QTRAD", "Xen 4.21+"),
];

fn refusing(fact: Fact) -> TargetSet {
    Target::all().filter(|target| target.refuses(fact)).collect()
}

fn named(name: &str) -> Target {
    name.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn facts_are_refused_where_the_table_says() {
    let found: Vec<(&str, String)> =
        Fact::all().map(|fact| (fact.name(), refusing(fact).to_string())).collect();
    let expected: Vec<(&str, String)> = REFUSED.map(|(name, releases)| (name, releases.to_owned())).to_vec();
    assert_eq!(found, expected);
}

#[test]
fn every_fact_has_a_taker() {
    for fact in Fact::all() {
        assert!(!refusing(fact).complement().is_empty(), "{fact}");
    }
}

#[test]
fn branches_after_the_last_listed_have_a_fact() {
    for (release, has) in
        [("4.17.7", false), ("4.18.4", false), ("4.18.5", true), ("4.19.1", false), ("4.20.0", false)]
    {
        assert_eq!(named(release).has(Fact::Lapic32), has, "{release}");
    }
    assert!(named("4.22.0").has(Fact::Lapic32));
    assert!(
        Target::all().filter(|target| target.has(Fact::L73)).all(|target| target.vendor_name().is_some())
    );
}

#[test]
fn facts_are_found_by_name() {
    for fact in Fact::all() {
        assert_eq!(fact.name().parse(), Ok(fact));
        assert_eq!(fact.name().to_lowercase().parse(), Ok(fact));
        assert_eq!(fact.name().to_uppercase(), fact.name());
    }
    assert!("LAPIC33".parse::<Fact>().is_err());
}

#[test]
fn facts_are_documented() {
    for fact in Fact::all() {
        let entry = fact.entry();
        assert!(
            !entry.commit.is_empty() && !entry.title.ends_with('.') && !entry.advice.ends_with('.'),
            "{fact}"
        );
        assert!(entry.since.is_sorted(), "{fact}");
    }
}

#[test]
fn releases_are_found_by_name() {
    assert_eq!(Target::all().count(), Target::COUNT);
    for target in Target::all() {
        let resolved = Target::resolve(&target.to_string()).unwrap();
        assert!(resolved.is_exact && resolved.target == target, "{target}");
    }
    for (name, release, is_exact) in [
        ("4.20", "4.20.4", false),
        ("4.13", "4.13.5", false),
        ("4.22", "4.22.0", false),
        ("xen-4.20.1", "4.20.1", true),
        ("Xen-4.17", "4.17.7", false),
        ("XCP-ng-8.3", "xcp-ng-8.3", true),
    ] {
        let resolved = Target::resolve(name).unwrap();
        assert_eq!(
            (resolved.target.to_string(), resolved.is_exact),
            (release.to_owned(), is_exact),
            "{name}"
        );
    }
}

#[test]
fn unknown_releases_name_the_nearest() {
    let message = |name: &str| name.parse::<Target>().unwrap_err().to_string();
    let nothing = "no known release has this name";
    for (name, nearest) in [
        ("4.20.9", "; the nearest are 4.20.2, 4.20.3, 4.20.4"),
        ("4.23", "; the nearest are 4.21.1, 4.21.2, 4.22.0"),
        ("xcp-ng-8.4", "; the nearest are xcp-ng-8.2, xcp-ng-8.3-2024, xcp-ng-8.3"),
        ("4.20.", "; the nearest are 4.20.2, 4.20.3, 4.20.4"),
        ("5.0", ""),
        ("", ""),
        ("4", ""),
        ("debian", ""),
        ("4.256", "; the nearest are 4.21.1, 4.21.2, 4.22.0"),
        ("\u{e9}\u{e9}\u{e9}", ""),
    ] {
        assert_eq!(message(name), format!("{nothing}{nearest}"), "{name}");
    }
}

#[test]
fn a_host_of_an_unknown_point_is_the_newest() {
    let of = |minor, point| Target::of_host(minor, point).map(|it| (it.target.to_string(), it.is_exact));
    assert_eq!(of(17, 3), Some(("4.17.3".to_owned(), true)));
    assert_eq!(of(20, 99), Some(("4.20.4".to_owned(), false)));
    assert_eq!(of(12, 0), None);
}

#[test]
fn sets_are_written_as_short_lists() {
    let set = |names: &[&str]| names.iter().copied().map(named).collect::<TargetSet>();
    let from = |minor| Target::all().filter(|target| target.release().0 >= minor).collect::<TargetSet>();
    for (set, text) in [
        (TargetSet::EMPTY, "no release"),
        (from(0), "any release from 4.13"),
        (from(14), "any release from 4.14"),
        (from(18), "Xen 4.18+"),
        (set(&["4.20.1", "4.20.2"]), "Xen 4.20.1 to 4.20.2"),
        (set(&["4.20.0", "4.20.4"]), "Xen 4.20.0, 4.20.4+"),
        (set(&["4.22.0"]), "Xen 4.22+"),
        (set(&["xcp-ng-8.2", "xcp-ng-8.3"]), "XCP-ng 8.2, XCP-ng 8.3"),
        (refusing(Fact::Lapic32).complement(), "Xen 4.18.5+, 4.19.2+, 4.20.1+, 4.21+, XCP-ng 8.3"),
        (
            refusing(Fact::Pv32Vm).complement(),
            "Xen 4.13 to 4.20, 4.21.0, XCP-ng 8.2, XCP-ng 8.3 of 2024, XCP-ng 8.3",
        ),
    ] {
        assert_eq!(set.to_string(), text);
    }
}

#[test]
fn a_target_is_a_byte() {
    assert_eq!(size_of::<Option<Target>>(), 2);
    assert_eq!(size_of::<Target>(), 1);
}
