//! What holds of every entry of the catalogue.

use std::collections::BTreeSet;

use xenstream_core::{
    Entry, Format, Framing, Grade, Layer, Limit, Profile, RecordRef, Rule, Value, Violation,
};

/// What may stand between the braces of a message.
const PLACEHOLDERS: &[&str] = &[
    "found",
    "found:x",
    "expected",
    "expected:x",
    "beginning",
    "converter",
    "follows",
    "lack",
    "legacy",
    "missing",
    "range",
    "reading",
    "to",
    "torn",
];

/// Breaks the assertions of one test for all rules at once, so that a failure names every offender.
#[track_caller]
fn assert_none(what: &str, offends: impl Fn(Rule) -> bool) {
    let offenders: Vec<&str> = Rule::all().filter(|rule| offends(*rule)).map(Rule::name).collect();
    assert!(offenders.is_empty(), "{what}: {offenders:?}");
}

fn violation(rule: Rule, record: Option<RecordRef>) -> Violation {
    Violation::new(rule, 4253, record).found(0x10).expected(0x1_0000)
}

fn record(kind: Option<u64>) -> Option<RecordRef> {
    Some(RecordRef { layer: Layer::Libxc, index: 3, kind, offset: 4200 })
}

/// The texts between braces.
fn placeholders(message: &str) -> impl Iterator<Item = &str> {
    message.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or(rest))
}

fn is_kebab_case(name: &str) -> bool {
    name.split('-').all(|word| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

/// `layer::kebab-case` as the variant of [`Rule`] is called.
fn camel_case(name: &str) -> String {
    name.split(['-', ':'])
        .filter_map(|word| word.split_at_checked(1))
        .map(|(head, tail)| head.to_ascii_uppercase() + tail)
        .collect()
}

fn is_structural(grade: Grade) -> bool {
    matches!(grade, Grade::Structural | Grade::Unjudged)
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<&str> = Rule::all().map(Rule::name).collect();
    assert_eq!(names.len(), Rule::COUNT);
}

#[test]
fn names_are_a_layer_and_kebab_case() {
    assert_none("not layer::kebab-case", |rule| match rule.name().split_once("::") {
        Some((layer, name)) => layer != rule.layer().name() || !is_kebab_case(name),
        None => true,
    });
}

#[test]
fn variants_are_called_like_their_rules() {
    assert_none("the variant has another name", |rule| format!("{rule:?}") != camel_case(rule.name()));
}

#[test]
fn names_are_understood() {
    assert_none("is not parsed back", |rule| rule.name().parse() != Ok(rule));
    assert!("libxc::no-such-rule".parse::<Rule>().is_err());
}

#[test]
fn layers_stand_together_and_in_order() {
    let layers: Vec<Layer> = Rule::all().map(Rule::layer).collect();
    assert!(layers.is_sorted());
    assert_eq!(layers.into_iter().collect::<BTreeSet<_>>(), Layer::all().collect());
}

#[test]
fn structural_rules_are_structural_everywhere() {
    assert_none("structural in some profiles only", |rule| {
        let grades = [Profile::Spec, Profile::Restore, Profile::Hardened].map(|profile| rule.grade(profile));
        grades.into_iter().any(is_structural) && !grades.into_iter().all(is_structural)
    });
    assert_none("is_structural disagrees", |rule| {
        rule.is_structural() != is_structural(rule.grade(Profile::Hardened))
    });
}

#[test]
fn unjudged_is_unjudged_in_every_profile() {
    assert_none("unjudged in some profiles only", |rule| {
        let grades = [Profile::Spec, Profile::Restore, Profile::Hardened].map(|profile| rule.grade(profile));
        grades.contains(&Grade::Unjudged) && grades != [Grade::Unjudged; 3]
    });
}

#[test]
fn structural_rules_alone_end_a_stream() {
    assert_none("structural and goes on, or the other way round", |rule| {
        rule.is_structural() != matches!(rule.entry().framing, Framing::Ends { .. })
    });
}

#[test]
fn fields_are_at_most_a_word_wide() {
    assert_none("wider than 8 bytes", |rule| rule.entry().field.bytes(8) > 8);
    assert_none("damage begins inside the field", |rule| {
        let Entry { field, framing, .. } = rule.entry();
        matches!(framing, Framing::Lost { after, .. } if *after < field.bytes(8))
    });
}

/// Hardened is what spec and restore refuse, and more.
#[test]
fn hardened_is_the_strictest() {
    assert_none("laxer under hardened than elsewhere", |rule| {
        let hardened = rule.grade(Profile::Hardened).level();
        Profile::all().any(|profile| rule.grade(profile).level() > hardened)
    });
}

#[test]
fn messages_have_known_placeholders_only() {
    assert_none("unknown placeholder", |rule| {
        placeholders(rule.entry().message).any(|place| !PLACEHOLDERS.contains(&place))
    });
}

/// A placeholder that `Display` does not know would be printed as its own name.
#[test]
fn placeholders_are_filled_in() {
    for record in [None, record(None), record(Some(1))] {
        assert_none("braces are left over", |rule| {
            violation(rule, record).message().to_string().contains(['{', '}'])
        });
    }
    assert_none("a placeholder is not filled in", |rule| {
        let template = rule.entry().message;
        let message = violation(rule, None).message().to_string();
        placeholders(template).any(|place| {
            !message.contains(match place {
                "found" => "16",
                "expected" => "65536",
                "expected:x" => "0x10000",
                "found:x" => "0x10",
                // Whether a record is incomplete shows by its offset, and a legacy image by its first bytes.
                "torn" | "legacy" => "",
                "lack" => "that lacks 64.0 KiB",
                "beginning" => "its magic is not at the start",
                "follows" => "more bytes follow",
                "range" => "below",
                "converter" => "convert-legacy-stream",
                "to" => " to 0x10",
                "missing" => "pfns 0x10 to 0xffff are missing: 255.9 MiB",
                _ => "a header",
            })
        })
    });
}

#[test]
fn truncation_says_what_was_being_read() {
    let message = |record, lack| {
        let violation = Violation::new(Rule::StreamTruncated, 16, record).found(16).expected(lack);
        violation.message().to_string()
    };
    assert_eq!(message(None, Value::None), "the input ends after 16 bytes, inside a header");
    assert_eq!(message(record(None), Value::None), "the input ends after 16 bytes, inside a record header");
    assert_eq!(
        message(record(Some(1)), Value::Number(0x1_0000)),
        "the input ends after 16 bytes, inside a record that lacks 64.0 KiB"
    );
}

#[test]
fn missing_memory_is_reported_with_its_size() {
    let message = |rule, found, expected| {
        Violation::new(rule, 0, None).found(found).expected(expected).message().to_string()
    };
    let gap = |first, pfn| message(Rule::LibxcMemoryGap, pfn, first);
    assert_eq!(gap(0, 0x400), "pfns 0x0 to 0x3ff are missing: 4.0 MiB of the guest's memory");
    assert_eq!(gap(6, 7), "pfn 0x6 is missing: 4.0 KiB of the guest's memory");
    let short = message(Rule::LibxcMemoryShort, 0x4_0000, 0xF_F000);
    assert!(
        short.starts_with("pfns 0x40000 to 0xfefff are missing: 2.9 GiB of the guest's memory"),
        "{short}"
    );
}

#[test]
fn failover_names_the_checkpoint() {
    let message = violation(Rule::StreamFailover, record(Some(1))).message().to_string();
    assert!(
        message.ends_with("restorable to checkpoint 16, and the record after it is incomplete"),
        "{message}"
    );
    let whole = violation(Rule::StreamFailover, None);
    assert!(whole.message().to_string().ends_with("restorable to checkpoint 16"), "{}", whole.message());
}

#[test]
fn unrecognised_message_names_the_requested_format() {
    let message = |format| {
        let violation = violation(Rule::StreamUnrecognised, None).expected(Value::Format(format));
        violation.message().to_string()
    };
    assert_eq!(
        message(Format::Auto),
        "there is no magic of an xl, libvirt, xenopsd, libxl or libxc stream at the start"
    );
    assert_eq!(
        message(Format::Libvirt),
        "the requested format is libvirt, but its magic is not at the start"
    );
}

#[test]
fn p2m_range_message_names_the_wrong_end() {
    let message = |found| violation(Rule::LibxcP2mFramesRange, None).found(found).message().to_string();
    assert_eq!(message(0xFFFF), "end_pfn 0xffff lies below start_pfn 0x10000");
    assert_eq!(message(0x1_0000), "end_pfn 0x10000 reaches the limit p2m-pfn of 0x10000");
}

/// A message about a limit names it, so that people know which one to raise.
#[test]
fn every_limit_is_named_in_a_message() {
    for limit in Limit::all() {
        let phrase = format!("limit {limit}");
        let whole = |rule| violation(rule, None).found(u64::MAX).message().to_string();
        let mut messages = Rule::all().map(whole);
        assert!(messages.any(|message| message.contains(&phrase)), "no message names the {phrase}");
    }
}

#[test]
fn texts_are_punctuated() {
    let is_sentence = |text: &str| text.ends_with('.') && text.starts_with(|c: char| !c.is_whitespace());
    assert_none("title, source or message ends in a period, or is empty", |rule| {
        let entry = rule.entry();
        [entry.title, entry.source, entry.message].iter().any(|text| text.is_empty() || text.ends_with('.'))
    });
    assert_none("refuses or why is no sentence", |rule| {
        let entry = rule.entry();
        !is_sentence(entry.refuses) || !is_sentence(entry.why)
    });
    // The second says what differs under a profile.
    assert_none("refuses is more than two sentences", |rule| rule.entry().refuses.matches(". ").count() > 1);
}
