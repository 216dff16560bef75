//! Rules that compare one field with constants: how to break them follows from the tables in
//! [`wire`](xenstream_core::wire).

use xenstream_core::wire::layout::{Check, Field};
use xenstream_core::wire::libxc::types::STATIC_DATA_END;
use xenstream_core::wire::libxc::{Place, record};
use xenstream_core::wire::msr::DR0_ADDRESS_MASK;
use xenstream_core::wire::{hvm, structures};
use xenstream_core::{Polarity, Rule};

use super::hvm::DraftChain;
use crate::broken::{Break, Draft, Fault};
use crate::flat::{InItem, borders, fields, record_of};
use crate::hvm::Entry;
use crate::item::{Item, Part};
use crate::libxc::samples;
use crate::places::LAST;

/// A way for each rule that compares a field.
pub(crate) fn breaks() -> impl Iterator<Item = Break> {
    let fields = || structures::all().flat_map(|layout| layout.groups).flat_map(|group| group.fields);
    let is_compared = move |rule: &Rule| fields().any(|field| !refused(field, *rule).is_empty());
    Rule::all().filter(is_compared).map(|rule| Break::new(rule, "a structure with the field", compared))
}

/// Values at the border of a field that break this rule and no comparison before it.
fn refused(field: &Field, rule: Rule) -> Vec<u64> {
    // Most fields are compared with nothing.
    if !field.checks.iter().any(|check| check.rule() == Some(rule)) {
        return Vec::new();
    }
    // What newer releases take is no finding until a target is given.
    let is_taken =
        |check: &Check| check.fact().is_some_and(|fact| fact.entry().polarity == Polarity::Accepts);
    let broken = |value: &u64| field.checks.iter().find(|check| !check.passes(*value));
    let breaks_rule =
        |value: &u64| broken(value).is_some_and(|check| check.rule() == Some(rule) && !is_taken(check));
    borders(field).into_iter().filter(breaks_rule).collect()
}

/// The rule broken in any field that it is about, or in a structure more.
fn compared(d: &Draft<'_>) -> Option<Fault> {
    let items = d.stream.items().iter().enumerate();
    let places: Vec<(usize, InItem)> = items
        .flat_map(|(index, item)| fields(item).into_iter().map(move |place| (index, place)))
        .filter(|(_, place)| !refused(place.field, d.rule).is_empty())
        .collect();
    let Some((index, place)) = d.one_of(&places) else { return entry_more(d).or_else(|| record_more(d)) };
    let value = d.one_of(&refused(place.field, d.rule))?;
    let fault = d.field(index, place.at, place.holding(value))?;
    let record = record_of(d.stream, index, place);
    Some(Fault { record, ..fault })
}

/// An entry of HVM_CONTEXT more.
fn entry_more(d: &Draft<'_>) -> Option<Fault> {
    let known = (hvm::types::CPU..hvm::types::KNOWN).map(|typecode| match typecode {
        hvm::types::CPU_MSR => Entry::msrs(0, &[(DR0_ADDRESS_MASK, 0)]),
        typecode => Entry::reset(typecode, 0),
    });
    let places: Vec<(Entry, &Field)> = known
        .flat_map(|entry| entry.fields().map(move |field| (entry.clone(), field)))
        .filter(|(_, field)| !refused(field, d.rule).is_empty())
        .collect();
    let (entry, field) = places.get(d.choices.index(places.len())?)?;
    let value = d.one_of(&refused(field, d.rule))?;
    let at = entry.offset_of(field.name);
    DraftChain::any(d)?.with_first(d, &entry.clone().with(field.name, value), at)
}

/// A record of libxc more.
fn record_more(d: &Draft<'_>) -> Option<Fault> {
    let records = samples(d.expected.guest);
    let places: Vec<(&Item, InItem)> = records
        .iter()
        .flat_map(|item| fields(item).into_iter().map(move |place| (item, place)))
        .filter(|(_, place)| !refused(place.field, d.rule).is_empty())
        .collect();
    let (item, place) = d.one_of(&places)?;
    let value = d.one_of(&refused(place.field, d.rule))?;
    let (_, kind) = item.part().record()?;
    let index = match record(kind as u32)?.place {
        Place::Static => d.first(Part::libxc(STATIC_DATA_END))?,
        _ => d.last(LAST)?,
    };
    d.extra(index, item.clone().edited(place.at, place.holding(value)), place.at)
}
