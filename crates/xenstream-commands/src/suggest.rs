//! What may have been meant by a name that does not exist.

use xenstream::{Fact, Rule};

/// Names of rules that are near this one, as the end of a sentence.
pub(crate) fn rules_like(name: &str) -> String {
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

/// Names of rules or facts that are near this one, as the end of a sentence.
pub(crate) fn rules_or_facts_like(name: &str) -> String {
    let wanted = name.to_uppercase();
    let facts = Fact::all().map(|fact| (strsim::jaro_winkler(&wanted, fact.name()), fact.name())).collect();
    match did_you_mean(facts) {
        None => rules_like(name),
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
