//! Suggestions for a name that does not exist.

use xenstream::{Fact, Limit, Rule};

/// Names of rules that resemble this one, as the end of an error message.
pub(crate) fn rules_like(name: &str) -> String {
    // The layer is often missing or wrong, so it only decides between rules of the same name.
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

/// Names of limits that resemble this one, as the end of an error message.
pub(crate) fn limits_like(name: &str) -> String {
    let wanted = name.to_lowercase().replace('_', "-");
    let near =
        Limit::all().map(|limit| (strsim::jaro_winkler(&wanted, limit.name()), limit.name())).collect();
    match did_you_mean(near) {
        None => format!("; the limits are {}", Limit::all().map(Limit::name).collect::<Vec<_>>().join(", ")),
        Some(names) => format!("; did you mean {names}?"),
    }
}

/// Names of rules or facts that resemble this one, as the end of an error message.
pub(crate) fn rules_or_facts_like(name: &str) -> String {
    let wanted = name.to_uppercase();
    let facts = Fact::all().map(|fact| (strsim::jaro_winkler(&wanted, fact.name()), fact.name())).collect();
    match did_you_mean(facts) {
        None => rules_like(name),
        Some(names) => format!("; did you mean {names}?"),
    }
}

/// The most similar names, or `None` if no name is similar enough.
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
