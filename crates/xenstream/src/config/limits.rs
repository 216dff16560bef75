//! What in a JSON configuration costs libxl more than it should: nesting, the number of values, and numbers that size a
//! bitmap.

use xenstream_core::{Limit, Policy, Rule};

/// A bound that a configuration passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Excess {
    pub(super) rule: Rule,
    /// Bytes from the start of the text.
    pub(super) at: usize,
    pub(super) found: u64,
    pub(super) expected: u64,
}

/// Walks through well-formed JSON, token by token.
struct Walk<'p> {
    policy: &'p Policy,
    /// The arrays and objects around the current byte, whether each is an array.
    open: Vec<bool>,
    values: u64,
    excesses: Vec<Excess>,
}

/// The first excess of each kind, in the order of the text, which is well-formed JSON.
pub(super) fn excesses(text: &[u8], policy: &Policy) -> Vec<Excess> {
    let mut walk = Walk { policy, open: Vec::new(), values: 0, excesses: Vec::new() };
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = &text[at..];
        let length = match byte {
            b'{' | b'[' => {
                walk.value(at);
                walk.open.push(*byte == b'[');
                walk.counted(Limit::ConfigDepth, Rule::XlConfigDepth, at, walk.open.len() as u64);
                1
            }
            b'}' | b']' => {
                walk.open.pop();
                1
            }
            b'"' => {
                walk.value(at);
                string(rest)
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                walk.value(at);
                let end = rest
                    .iter()
                    .position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n'));
                let end = end.unwrap_or(rest.len());
                walk.scalar(at, &rest[..end]);
                end
            }
            // White space, commas and colons.
            _ => 1,
        };
        at += length;
    }
    walk.excesses
}

/// Bytes of the string that the text begins with, quotes included.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

impl Walk<'_> {
    /// A value or a key begins here.
    fn value(&mut self, at: usize) {
        self.values += 1;
        self.counted(Limit::ConfigValues, Rule::XlConfigValues, at, self.values);
    }

    /// A number, or a word.
    fn scalar(&mut self, at: usize, text: &[u8]) {
        let in_array = self.open.last().is_some_and(|is_array| *is_array);
        if !in_array || text.first().is_some_and(u8::is_ascii_lowercase) {
            return;
        }
        // What is negative, a fraction or out of range is too large for any bitmap.
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
        let limit = self.policy.limit(Limit::ConfigNumber);
        if limit != u64::MAX && number >= limit {
            self.note(Excess { rule: Rule::XlConfigNumber, at, found: number, expected: limit });
        }
    }

    /// Notes a count that is over its limit.
    fn counted(&mut self, limit: Limit, rule: Rule, at: usize, found: u64) {
        let expected = self.policy.limit(limit);
        if found > expected {
            self.note(Excess { rule, at, found, expected });
        }
    }

    /// Notes the first of each kind.
    fn note(&mut self, excess: Excess) {
        if !self.excesses.iter().any(|noted| noted.rule == excess.rule) {
            self.excesses.push(excess);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, limit: Limit, value: u64) -> Option<(Rule, usize)> {
        let policy = Policy::spec().with_limit(limit, value);
        excesses(text.as_bytes(), &policy).first().map(|excess| (excess.rule, excess.at))
    }

    #[test]
    fn nesting_is_counted_from_the_outermost() {
        assert_eq!(found(r#"{"a": [[]]}"#, Limit::ConfigDepth, 3), None);
        assert_eq!(found(r#"{"a": [[]]}"#, Limit::ConfigDepth, 2), Some((Rule::XlConfigDepth, 7)));
        assert_eq!(found("[[],[],[]]", Limit::ConfigDepth, 2), None);
    }

    #[test]
    fn keys_and_values_are_counted() {
        let text = r#"{"a\"}": ["x", 1, true, null]}"#;
        assert_eq!(found(text, Limit::ConfigValues, 7), None);
        assert_eq!(found(text, Limit::ConfigValues, 6), Some((Rule::XlConfigValues, 24)));
    }

    #[test]
    fn only_numbers_in_arrays_are_bounded() {
        let rule = Rule::XlConfigNumber;
        assert_eq!(found(r#"{"a": 99, "b": [9, "99"]}"#, Limit::ConfigNumber, 10), None);
        assert_eq!(found(r#"[{"a": 99}, 9]"#, Limit::ConfigNumber, 10), None);
        for (text, at) in
            [("[10]", 1), ("[9, 10]", 4), ("[-1]", 1), ("[1e9]", 1), ("[99999999999999999999]", 1)]
        {
            assert_eq!(found(text, Limit::ConfigNumber, 10), Some((rule, at)), "{text}");
        }
    }

    #[test]
    fn other_profiles_bound_nothing() {
        let deep = "[".repeat(100_000) + "-1" + &"]".repeat(100_000);
        for policy in [Policy::spec(), Policy::restore()] {
            assert_eq!(excesses(deep.as_bytes(), &policy), []);
        }
        let rules: Vec<Rule> =
            excesses(deep.as_bytes(), &Policy::hardened()).iter().map(|excess| excess.rule).collect();
        assert_eq!(rules, [Rule::XlConfigDepth, Rule::XlConfigValues, Rule::XlConfigNumber]);
    }
}
