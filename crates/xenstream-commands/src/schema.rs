//! JSON Schemas of what the program prints as JSON, from the types that it prints.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};
use xenstream::inspect::Row;

/// Returns the schemas by the name of the subcommand. With `--json` it prints one object on each line, which one of the
/// schema's alternatives describes; `host` prints one object.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Value)> {
    let with = |alternatives: &[fn(&mut SchemaGenerator) -> Schema]| {
        let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let any_of: Vec<Schema> =
            alternatives.iter().map(|alternative| alternative(&mut generator)).collect();
        let definitions = generator.take_definitions(true);
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "anyOf": any_of,
            "$defs": definitions,
        })
    };
    let verify = [
        of::<xenstream::json::Line<'_>>,
        of::<crate::tally::Object>,
        of::<crate::watch::Unchanged<'_>>,
        of::<crate::watch::stats::Object<'_>>,
    ];
    vec![
        ("convert", with(&[of::<crate::convert::Object<'_>>])),
        ("diff", with(&[of::<crate::diff::Object<'_>>])),
        ("extract", with(&[of::<crate::extract::Object<'_>>])),
        ("host", with(&[of::<xenstream::host::Host>])),
        ("inspect", with(&[of::<Row>, of::<crate::inspect::objects::Verdict<'_>>])),
        ("relay", with(&[of::<crate::relay::Line<'_>>])),
        ("rules", with(&[of::<crate::rules::RuleObject>])),
        ("targets", with(&[of::<crate::targets::FactObject>, of::<crate::targets::TargetObject>])),
        ("verify", with(&verify)),
    ]
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
