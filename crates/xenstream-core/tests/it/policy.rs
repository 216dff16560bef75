//! Profiles, levels and limits: their names and numbers, and that each is kept for itself.

use xenstream_core::wire::libxc::{self, types};
use xenstream_core::{Checkpointing, Format, Layer, Level, Limit, Policy, Profile, Rule, Rules, Verifier};

const NONE: u64 = u64::MAX;

/// Every limit with its name and what each profile sets, in bytes, pfns, vcpus, records and checkpoints.
const LIMITS: [(Limit, &str, [u64; 3]); 18] = [
    (Limit::LibxlRecord, "libxl-record", [4_294_967_295, 4_294_967_295, 16_777_216]),
    (Limit::LibxcRecord, "libxc-record", [134_217_728; 3]),
    (Limit::OptionalData, "optional-data", [16_777_216; 3]),
    (Limit::Xml, "xml", [16_777_216; 3]),
    (Limit::EmulatorContext, "emulator-context", [NONE, NONE, 4_194_304]),
    (Limit::XenopsdBlob, "xenopsd-blob", [67_108_864; 3]),
    (Limit::HvmPfn, "hvm-pfn", [68_719_476_736, 17_179_869_184, 268_435_456]),
    (Limit::P2mPfn, "p2m-pfn", [NONE, NONE, 268_435_456]),
    (Limit::Vcpus, "vcpus", [8_192, 8_192, 512]),
    (Limit::Records, "records", [NONE, NONE, 4_294_967_296]),
    (Limit::Checkpoints, "checkpoints", [NONE, NONE, 1_048_576]),
    (Limit::CheckpointSize, "checkpoint-size", [NONE, NONE, 1_073_741_824]),
    (Limit::P2mHoles, "p2m-holes", [NONE, NONE, 8192]),
    (Limit::XenstoreBytes, "xenstore-bytes", [NONE, NONE, 65_536]),
    (Limit::XenstorePairs, "xenstore-pairs", [NONE, NONE, 1024]),
    (Limit::ConfigDepth, "config-depth", [NONE, NONE, 64]),
    (Limit::ConfigValues, "config-values", [NONE, NONE, 65_536]),
    (Limit::ConfigNumber, "config-number", [NONE, NONE, 16_384]),
];

#[test]
fn limits_are_what_each_profile_sets() {
    assert!(LIMITS.into_iter().map(|(limit, ..)| limit).eq(Limit::all()));
    for (limit, name, values) in LIMITS {
        assert_eq!((limit.name(), limit.to_string().as_str(), name.parse()), (name, name, Ok(limit)));
        assert!(Profile::all().map(|profile| limit.default_for(profile)).eq(values), "{limit}");
        assert_eq!(
            [Profile::Spec, Profile::Restore, Profile::Hardened]
                .map(|profile| Policy::new(profile).limit(limit)),
            values,
            "{limit}"
        );
    }
    assert_eq!("".parse::<Limit>().unwrap_err().to_string(), "no limit has this name");
}

#[test]
fn a_limit_is_set_and_no_other() {
    for (limit, ..) in LIMITS {
        let policy = Policy::hardened().with_limit(limit, 12_345);
        for (other, _, [.., value]) in LIMITS {
            assert_eq!(policy.limit(other), if other == limit { 12_345 } else { value }, "{other}");
            assert_eq!(policy.is_limited(other), other == limit, "{other}");
            assert!(!Policy::hardened().is_limited(other));
        }
    }
}

#[test]
fn names_are_those_of_the_command_line() {
    assert_eq!(
        [Profile::Spec, Profile::Restore, Profile::Hardened].map(Profile::name),
        ["spec", "restore", "hardened"]
    );
    assert_eq!(
        [Profile::Spec, Profile::Restore, Profile::Hardened].map(|profile| profile.to_string()),
        ["spec", "restore", "hardened"]
    );
    let levels = [Level::Allow, Level::Warn, Level::Deny];
    assert_eq!(levels.map(|level| level.to_string()), ["allow", "warn", "deny"]);
}

#[test]
fn profiles_have_policies() {
    let policies = [Policy::spec(), Policy::restore(), Policy::hardened()];
    for (profile, policy) in Profile::all().zip(policies) {
        assert_eq!((policy.profile(), &policy), (profile, &Policy::new(profile)));
        assert_eq!((policy.checkpointing(), policy.keeps_going()), (Checkpointing::Auto, false));
        for rule in Rule::all() {
            assert_eq!(policy.level(rule), rule.grade(profile).level(), "{rule} under {profile}");
        }
        let reported = policy.with_checkpointing(Checkpointing::Colo).with_keep_going(true);
        assert_eq!((reported.checkpointing(), reported.keeps_going()), (Checkpointing::Colo, true));
    }
}

#[test]
fn a_level_is_set_and_no_other() {
    for rule in Rule::all() {
        for level in [Level::Allow, Level::Warn, Level::Deny] {
            match Policy::spec().with_level(rule, level) {
                Ok(policy) => {
                    assert!(!rule.is_structural() || level == Level::Deny);
                    for other in Rule::all() {
                        let unchanged = other.grade(Profile::Spec).level();
                        assert_eq!(policy.level(other), if other == rule { level } else { unchanged });
                    }
                }
                Err(error) => {
                    assert!(rule.is_structural() && level != Level::Deny);
                    assert_eq!(error.rule, rule);
                    let message = format!("{rule} is structural and cannot be lowered");
                    assert_eq!(error.to_string(), message);
                }
            }
        }
    }
}

#[test]
fn a_layer_is_set_but_for_its_structural_rules() {
    let policy = Policy::hardened().with_level("libxl::*".parse::<Rules>().unwrap(), Level::Allow).unwrap();
    assert_eq!(Policy::hardened().with_level(Layer::Libxl, Level::Allow), Ok(policy.clone()));
    for rule in Rule::all() {
        let level = match rule.layer().name() {
            "libxl" if !rule.is_structural() => Level::Allow,
            _ => rule.grade(Profile::Hardened).level(),
        };
        assert_eq!(policy.level(rule), level, "{rule}");
    }
    for name in ["", "::*", "libxl", "libxl::", "libxl::no-such-rule", "nothing::*", "lib::*"] {
        let error = name.parse::<Rules>().unwrap_err();
        assert_eq!(error.to_string(), "no rule has this name", "{name:?}");
    }
    for rules in Rule::all().map(Rules::from).chain(Layer::all().map(Rules::from)) {
        assert_eq!(rules.to_string().parse(), Ok(rules));
    }
}

/// Restore takes a converted stream with a gap in its memory, unless this rule's level was set by hand.
#[test]
fn explicit_level_overrides_profile_exception() {
    let rule = Rule::LibxcMemoryGap;
    let verdict = |policy: &Policy| {
        let mut verifier = Verifier::new(Format::Libxc, policy);
        verifier
            .push(&converted_with_gap(), &mut ())
            .and_then(|_| verifier.finish(&mut ()))
            .map_err(|found| found.rule)
    };
    let restore = Policy::restore().with_level(Rule::LibxcHvmContextMissing, Level::Allow).unwrap();
    assert!(verdict(&restore).is_ok());
    for other in Rule::all() {
        // To what it is already: what counts is that it was said, once or twice.
        let set = |policy: Policy| policy.with_level(other, restore.level(other)).unwrap();
        let expected = if other == rule { Err(rule) } else { Ok(()) };
        assert_eq!(verdict(&set(restore.clone())).map(|_| ()), expected, "{other}");
        assert_eq!(verdict(&set(set(restore.clone()))).map(|_| ()), expected, "{other}, twice");
        let both = set(restore.clone().with_level(rule, Level::Deny).unwrap());
        assert_eq!(verdict(&both).map(|_| ()), Err(rule), "{other} after it");
    }
}

/// Headers of an HVM guest that a converter wrote, STATIC_DATA_END, a PAGE_DATA without pfn 0, and END.
fn converted_with_gap() -> Vec<u8> {
    let mut bytes = vec![0xFF; 8];
    bytes.extend(libxc::ID.to_be_bytes());
    bytes.extend([0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
    for word in [libxc::DOMAIN_X86_HVM, u32::from(libxc::PAGE_SHIFT), 0, 1] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([types::STATIC_DATA_END, 0, types::PAGE_DATA, 16, 1, 0].map(u32::to_le_bytes).concat());
    bytes.extend((libxc::page::XTAB << libxc::page::TYPE_SHIFT | 1).to_le_bytes());
    bytes.extend([types::END, 0].map(u32::to_le_bytes).concat());
    bytes
}
