//! docs/rules.md, generated from the catalogue.

use std::fmt::{self, Write as _};

use xenstream_core::{Grade, Layer, Limit, Profile, Rule};
use xenstream_synth::cases::{self, Case};
use xenstream_synth::corpus::RULES;

/// Writes the whole file.
pub(super) fn rules(text: &mut String) -> fmt::Result {
    write!(
        text,
        "<!-- Made by `cargo xtask docs` from crates/xenstream-core/src/catalogue. -->\n\n\
         # The rules\n\n\
         {} named checks. In each profile, a rule has a level: **D**eny makes the stream invalid, **W**arn reports a\n\
         warning, and **A**llow ignores the rule. **S**tructural rules are denied in every profile, because nothing after\n\
         such a violation can be parsed. **U**njudged rules mean that the rest cannot be judged. All other levels can be\n\
         changed rule by rule, with `--deny`, `--warn` and `--allow`.\n\n\
         - `spec`: does the stream follow the written specifications?\n\
         - `restore`: would `xl restore` of a released Xen accept it?\n\
         - `hardened`: is it safe to restore if you do not trust the sender?\n\n\
         `xenstream explain RULE` prints the section about one rule. Each example is the smallest stream that breaks the\n\
         rule; the `.ok.bin` file beside it differs only in that, and is accepted.\n",
        Rule::COUNT
    )?;
    text.write_str(ORDER)?;
    let cases = cases::all();
    for layer in Layer::all() {
        layer_section(text, layer, &cases)?;
    }
    limits(text)
}

fn layer_section(text: &mut String, layer: Layer, cases: &[Case]) -> fmt::Result {
    let rules: Vec<Rule> = Rule::all().filter(|rule| rule.layer() == layer).collect();
    writeln!(
        text,
        "\n## {layer}\n\n| rule | spec | restore | hardened | what is wrong |\n|---|---|---|---|---|"
    )?;
    for rule in &rules {
        let [spec, restore, hardened] =
            [Profile::Spec, Profile::Restore, Profile::Hardened].map(|profile| letter(rule.grade(profile)));
        let (anchor, title) = (anchor(*rule), rule.entry().title);
        writeln!(text, "| [`{rule}`](#{anchor}) | {spec} | {restore} | {hardened} | {title} |")?;
    }
    for rule in &rules {
        rule_section(text, *rule, cases)?;
    }
    Ok(())
}

fn rule_section(text: &mut String, rule: Rule, cases: &[Case]) -> fmt::Result {
    let entry = rule.entry();
    writeln!(text, "\n### {rule}\n\n*{}*: {}\n", entry.title, grades(rule))?;
    writeln!(text, "{}\n\n{}\n\nSource: {}", entry.refuses, entry.why, entry.source)?;
    if let Some(case) = cases.iter().find(|case| case.rule == rule) {
        let path = format!("{RULES}/{}/{}.bin", rule.layer(), case.name());
        writeln!(text, "\nExample: [corpus/{path}](../corpus/{path}), at offset {}", case.offset)?;
    }
    Ok(())
}

fn limits(text: &mut String) -> fmt::Result {
    text.write_str("\n## Limits\n\nSet with `--limit NAME=VALUE`.\n\n")?;
    text.write_str("| limit | spec | restore | hardened |\n|---|---|---|---|\n")?;
    for limit in Limit::all() {
        let [spec, restore, hardened] = [Profile::Spec, Profile::Restore, Profile::Hardened]
            .map(|profile| limit.default_for(profile))
            .map(|value| match value {
                u64::MAX => "none".to_owned(),
                value => value.to_string(),
            });
        writeln!(text, "| {limit} | {spec} | {restore} | {hardened} |")?;
    }
    Ok(())
}

fn grades(rule: Rule) -> String {
    let [spec, restore, hardened] =
        [Profile::Spec, Profile::Restore, Profile::Hardened].map(|profile| rule.grade(profile).name());
    if spec == restore && restore == hardened {
        format!("{spec} in every profile")
    } else {
        format!("{spec} under `spec`, {restore} under `restore`, {hardened} under `hardened`")
    }
}

fn letter(grade: Grade) -> char {
    match grade {
        Grade::Structural => 'S',
        Grade::Unjudged => 'U',
        Grade::Deny => 'D',
        Grade::Warn => 'W',
        Grade::Allow => 'A',
    }
}

/// The anchor that a heading of the rule's name gets: letters, digits and hyphens stay.
pub(super) fn anchor(rule: Rule) -> String {
    rule.name().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

/// Which rule wins if several are broken. Comments in the core refer to the numbers.
const ORDER: &str = "
## Which rule wins, and where offsets point

Rules are judged in the order in which bytes arrive, each at the first field that decides it. For a record, these are:

1. its type;
2. its place: what must come before it, and what must not;
3. its length: the limit first, then what its type requires;
4. the fields of its body, in order;
5. its padding, at the first byte that is not zero.

The first three are judged together when the header is complete. A rule at `allow` or `warn` does not affect the next one.
If a wrong length was lowered to one of these, the body is skipped unread. The first 8 warnings of each rule are listed, and
all are counted.

An offset counts from the first byte of the decompressed input. It points at

- the record, for rules about type and place;
- `body_length`, for rules about length, even if only the body decides;
- the record that reveals it, for something missing;
- the entry, for `page-data-*`, and the string or byte, for xenstore strings;
- the end of the input, for `stream::truncated` and `stream::failover`, and the end of the stream, for
  `stream::trailing-data`;
- the field, for all other rules.
";
