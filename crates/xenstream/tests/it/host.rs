//! Real hosts, as their tools described them, and real images judged for them.

use std::fs;

use xenstream::host::{Host, Sources, collect};
use xenstream::{CpuVendor, Layer, Options, Policy, Report, Rule, verify_path};

use crate::common::{corpus, recorded_host};

/// Images of guests that used AVX. The hosts were described without, and refused the first three ("Failed to set vcpu0's xsave
/// info"); the other two were only put to a processor with AVX.
const AVX_IN_USE: [&str; 5] = ["pv64-1v-migrate.", "pv64-1v.", "pv64-2v.", "pv64-1v-4.20.", "pvh64-1v-4.20."];

const BRANCHES: [(&str, &str); 3] = [("4.14", "4.14.6"), ("4.17", "4.17.7"), ("4.20", "4.20.4")];

/// The rules on the host that refuse or warn.
fn found(report: &Report) -> Vec<Rule> {
    let warnings = report.warnings.listed().iter().chain(report.violation());
    warnings.map(|violation| violation.rule).filter(|rule| rule.layer() == Layer::Host).collect()
}

#[test]
fn recorded_tools_describe_the_host() {
    for (branch, release) in BRANCHES {
        let host = recorded_host(branch);
        assert_eq!(host.release.as_deref(), Some(release));
        assert_eq!(host.vendor(), Some(CpuVendor::AMD));
        assert_eq!(host.memory.total_kib, Some(2303 * 1024));
        assert!(host.memory.free_kib.is_some_and(|free| free < 1200 * 1024));
        assert!(host.xen.capabilities.as_ref().unwrap().iter().any(|word| word == "hvm-3.0-x86_64"));
        let policies = &host.policies;
        let all = [&policies.raw, &policies.host, &policies.pv_max, &policies.hvm_max];
        let all = all.into_iter().chain([&policies.pv_default, &policies.hvm_default]);
        for policy in all {
            let policy = policy.as_ref().unwrap();
            assert_eq!((policy.register(0, 0, 0), policy.msrs.len()), (0xD, 2));
        }
        // What the command writes is read back.
        let json = serde_json::to_vec_pretty(&host).unwrap();
        assert_eq!(Host::from_json(&json).unwrap(), host);
    }
}

#[test]
fn no_host_refuses_what_it_took() {
    for (branch, _) in BRANCHES {
        let host = std::sync::Arc::new(recorded_host(branch));
        for entry in fs::read_dir(corpus("real")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "xz") {
                continue;
            }
            let options = Options::new(Policy::restore()).with_host(std::sync::Arc::clone(&host));
            let report = verify_path(&path, &options).unwrap();
            let name = path.file_name().unwrap().to_string_lossy();
            let used_avx = AVX_IN_USE.iter().any(|image| name.starts_with(image));
            // Of some images the release refuses something else first.
            let comes_first =
                report.violation().is_some_and(|violation| violation.rule.layer() != Layer::Host);
            // Others were saved with features that this processor does not have, and were taken all the same.
            let others = found(&report).into_iter().find(|rule| *rule != Rule::HostCpuFeatures);
            let expected = (used_avx && !comes_first).then_some(Rule::HostXsaveFeatures);
            assert_eq!(others, expected, "{name} on {branch}");
        }
    }
}

#[test]
fn features_that_the_host_lacks_are_warned_about() {
    let host = recorded_host("4.17");
    let options = Options::new(Policy::restore()).with_host(host);
    let report = verify_path(corpus("real/hvm-bios.xl.xz"), &options).unwrap();
    // AVX, FMA and F16C; AVX2; VAES.
    let expected = [0x3000_1000, 0x20, 0x200].map(|bits| (Rule::HostCpuFeatures, bits));
    let warnings = report.warnings.listed().iter();
    let warnings = warnings.map(|warning| (warning.rule, warning.found.number().unwrap()));
    assert_eq!(warnings.collect::<Vec<_>>(), expected);
    assert!(report.is_valid());
}

#[test]
fn another_vendor_is_refused_since_4_22() {
    let mut host = recorded_host("4.20");
    host.cpu.vendor = Some("GenuineIntel".to_owned());
    for (release, refused) in [("4.20.4", None), ("4.22.0", Some(Rule::HostCpuVendor))] {
        host.release = Some(release.to_owned());
        let options = Options::new(Policy::restore()).with_host(host.clone());
        let report = verify_path(corpus("real/hvm-bios8-4.20.xl.xz"), &options).unwrap();
        assert_eq!(report.violation().map(|violation| violation.rule), refused, "{release}");
        assert!(found(&report).contains(&Rule::HostCpuVendor));
    }
}

#[test]
fn the_target_is_the_release_of_the_host() {
    let host = recorded_host("4.14");
    let options = Options::new(Policy::restore()).with_host(host.clone());
    assert_eq!(options.policy.target(), host.target());
    let named = "4.20.0".parse().ok();
    let options = Options::new(Policy::restore().with_target(named)).with_host(host);
    assert_eq!(options.policy.target(), named);
}

#[test]
fn this_host_is_described_without_xen() {
    let host = collect(&Sources::default()).unwrap();
    assert!(host.is_here());
    assert!(host.name.is_some() && host.interfaces.is_some());
    let json = serde_json::to_vec(&host).unwrap();
    assert_eq!(Host::from_json(&json).unwrap(), host);
    let other = Host { boot_id: Some("another".to_owned()), ..host };
    assert!(!other.is_here());
}

#[test]
fn listed_directories_are_complete_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("below")).unwrap();
    fs::write(directory.path().join("below/a.img"), "").unwrap();
    let sources = Sources::default().with_disks(vec![directory.path().to_owned()]);
    let host = collect(&sources).unwrap();
    assert!(host.disks.paths.iter().any(|path| path.ends_with("below/a.img")));
    let sources = Sources::default().with_disks(vec![directory.path().join("absent")]);
    assert!(collect(&sources).is_err());
}
