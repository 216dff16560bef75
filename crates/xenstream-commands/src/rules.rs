//! `xenstream rules` and `xenstream explain`: the catalogue.

use std::io::{self, Write};

use serde::Serialize;
use xenstream::{Grade, Profile, Rule};

use crate::args::{ExplainArguments, RulesArguments};
use crate::output::{self, complain};
use crate::{FAILED, VALID};

/// Columns of running text.
const WIDTH: usize = 100;

/// Lists the rules. Returns the exit status.
pub(crate) fn list(arguments: &RulesArguments) -> io::Result<u8> {
    let mut out = output::stdout();
    if arguments.json {
        for rule in Rule::all() {
            serde_json::to_writer(&mut out, &RuleObject::new(rule))?;
            writeln!(out)?;
        }
    } else {
        let width = Rule::all().map(|rule| rule.name().len()).max().unwrap_or(0);
        let [spec, restore, hardened] = Profile::ALL.map(Profile::name);
        writeln!(out, "{:<width$}  {spec:<10}  {restore:<10}  {hardened:<10}  refuses", "rule")?;
        for rule in Rule::all() {
            let [spec, restore, hardened] = grades(rule);
            let title = rule.entry().title;
            writeln!(out, "{:<width$}  {spec:<10}  {restore:<10}  {hardened:<10}  {title}", rule.name())?;
        }
    }
    out.flush()?;
    Ok(VALID)
}

/// Explains a rule. Returns the exit status.
pub(crate) fn explain(arguments: &ExplainArguments) -> io::Result<u8> {
    let Ok(rule) = arguments.rule.parse::<Rule>() else {
        let name = output::name(&arguments.rule);
        complain(&format!("no rule is called '{name}'{}", suggestions(&arguments.rule)));
        return Ok(FAILED);
    };
    let entry = rule.entry();
    let mut out = output::stdout();
    writeln!(out, "{rule}: {}\n", entry.title)?;
    for text in [entry.refuses, entry.why] {
        writeln!(out, "{}\n", textwrap::fill(text, WIDTH))?;
    }
    writeln!(out, "{}", labelled("Source", entry.source))?;
    let [spec, restore, hardened] = grades(rule);
    let [a, b, c] = Profile::ALL.map(Profile::name);
    writeln!(out, "{}", labelled("Levels", &format!("{a}: {spec}, {b}: {restore}, {c}: {hardened}")))?;
    if rule.is_structural() {
        let text = "Past it nothing can be framed, so it is fatal in every profile and cannot be lowered.";
        writeln!(out, "{}", labelled("", text))?;
    }
    writeln!(out, "{}", labelled("Example", &example(rule)))?;
    out.flush()?;
    Ok(VALID)
}

/// Names of rules that are near this one, as the end of a sentence.
pub(crate) fn suggestions(name: &str) -> String {
    // The layer is often left out or mistaken: it only decides between rules of one name.
    fn own(name: &str) -> (String, &str) {
        let (layer, own) = name.rsplit_once("::").unwrap_or(("", name));
        (own.replace(['-', '_', ' '], "").to_lowercase(), layer)
    }
    let (wanted, layer) = own(name);
    let likeness = |rule: Rule| {
        let (own, rule_layer) = own(rule.name());
        strsim::jaro_winkler(&wanted, &own) + if layer == rule_layer { 0.01 } else { 0.0 }
    };
    match did_you_mean(Rule::all().map(|rule| (likeness(rule), rule.name())).collect()) {
        None => "; `xenstream rules` lists them all".to_owned(),
        Some(names) => format!("; did you mean {names}?"),
    }
}

/// The names of greatest likeness, `None` if there is none to speak of.
pub(crate) fn did_you_mean(mut near: Vec<(f64, &'static str)>) -> Option<String> {
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let best = near.first().map_or(0.0, |(likeness, _)| *likeness);
    let names: Vec<_> = near
        .into_iter()
        .take(3)
        .filter(|(likeness, _)| *likeness > 0.85 && *likeness > best - 0.05)
        .map(|(_, name)| name)
        .collect();
    (!names.is_empty()).then(|| names.join(" or "))
}

fn labelled(label: &str, text: &str) -> String {
    let first = format!("{label:<9}");
    textwrap::fill(text, textwrap::Options::new(WIDTH).initial_indent(&first).subsequent_indent("         "))
}

fn grades(rule: Rule) -> [&'static str; 3] {
    Profile::ALL.map(|profile| match rule.grade(profile) {
        Grade::Structural => "structural",
        Grade::Deny => "deny",
        Grade::Warn => "warn",
        Grade::Allow => "allow",
    })
}

#[derive(Serialize)]
struct RuleObject {
    rule: &'static str,
    layer: &'static str,
    structural: bool,
    levels: LevelsObject,
    title: &'static str,
    refuses: &'static str,
    why: &'static str,
    source: &'static str,
    example: String,
}

#[derive(Serialize)]
struct LevelsObject {
    spec: String,
    restore: String,
    hardened: String,
}

impl RuleObject {
    fn new(rule: Rule) -> RuleObject {
        let entry = rule.entry();
        let [spec, restore, hardened] = Profile::ALL.map(|profile| rule.grade(profile).level().to_string());
        RuleObject {
            rule: rule.name(),
            layer: rule.layer().name(),
            structural: rule.is_structural(),
            levels: LevelsObject { spec, restore, hardened },
            title: entry.title,
            refuses: entry.refuses,
            why: entry.why,
            source: entry.source,
            example: example(rule),
        }
    }
}

/// The name of the smallest stream that breaks the rule, in the corpus.
fn example(rule: Rule) -> String {
    format!("corpus/rules/{}.bin", rule.name().replace("::", "/"))
}
