//! docs/rules.md, from the catalogue.

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
         {} named checks. In each profile a rule has a level: **D**eny refuses the stream, **W**arn reports it, **A**llow\n\
         passes it over. **S**tructural rules refuse in every profile, since past them nothing can be framed; any other\n\
         level can be changed rule by rule, with `--deny`, `--warn` and `--allow`.\n\n\
         - `spec`: the written specifications, as strictly as Xen's own verifier means to check them\n\
         - `restore`: would `xl restore` of a released Xen take it?\n\
         - `hardened`: a gate in front of a restorer, for images from people you do not trust\n\n\
         `xenstream explain RULE` says the same of one rule. Each example is the smallest stream that breaks the rule;\n\
         beside it lies a neighbour, `.ok.bin`, that differs in the one thing and is accepted.\n",
        Rule::COUNT
    )?;
    text.write_str(ORDER)?;
    let cases = cases::all();
    for layer in Layer::ALL {
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
        let [spec, restore, hardened] = Profile::ALL.map(|profile| letter(rule.grade(profile)));
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
    for limit in Limit::ALL {
        let [spec, restore, hardened] = limit.defaults().map(|value| match value {
            u64::MAX => "none".to_owned(),
            value => value.to_string(),
        });
        writeln!(text, "| {limit} | {spec} | {restore} | {hardened} |")?;
    }
    Ok(())
}

fn grades(rule: Rule) -> String {
    let [spec, restore, hardened] = Profile::ALL.map(|profile| rule.grade(profile).name());
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

/// Which rule wins where several are broken: what the comments in the core refer to by number.
const ORDER: &str = "
## Which rule wins, and where offsets point

Rules are judged in the order in which bytes arrive, each at the first field that decides it. Of a record:

1. its type;
2. its place: what has to come before it, and what may not;
3. its length: the limit first, then what its type asks for;
4. the fields of its body, in their order;
5. its padding, at the first byte that is not zero.

The first three are judged together when the header is complete. A rule at allow or warn changes nothing for the next one;
after a wrong length that was lowered the body is passed over unread. Of a rule the first 8 warnings of a stream are listed,
and all are counted.

An offset counts from the input's first byte, decompressed. Rules on type and place point at the record, rules on length at
its `body_length`, also where only the body decides; rules on something missing at the record that shows it; others at the
field, for `page-data-*` at the entry, for strings of xenstore at the string or the byte. `stream::truncated` and
`stream::failover` point at the input's end, `stream::trailing-data` after the stream's.
";
