//! The bytes around what is wrong.

use std::fmt;
use std::ops::Range;

use xenstream_core::Violation;
use xenstream_core::wire::libxc::vcpu;
use xenstream_core::wire::{RECORD_HEADER, structures};

use crate::inspect::tap::Tap;
use crate::source::ahead::read_at;
use crate::{Input, Report};

/// Bytes in a line of a view.
const LINE: u64 = 16;
/// Lines before the one with the fault, and after it.
const BEFORE: u64 = 3;
const AFTER: u64 = 2;

/// The bytes around what is wrong, as many as could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Bytes of the field that is wrong, from the violation's offset on.
    pub width: u64,
    /// Which field is wrong, if it is declared.
    pub field: Option<FieldName>,
}

/// The name of a field. `Display` is for people: "cr0 of CPU".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldName {
    /// The field's name.
    pub field: &'static str,
    /// Index of its element, where it repeats.
    pub element: Option<u32>,
    /// The name of its structure.
    pub structure: &'static str,
    width: u32,
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field)?;
        if let Some(element) = self.element {
            write!(f, " {element}")?;
        }
        write!(f, " of {}", self.structure)
    }
}

impl FieldName {
    /// The declared field at the violation's offset.
    fn of(violation: &Violation, report: &Report) -> Option<FieldName> {
        let record = violation.record?;
        let mut offset = violation.offset.checked_sub(record.offset.checked_add(RECORD_HEADER)?)?;
        // The length tells one width of PV guest from the other, and is not told here.
        let length =
            if report.summary.guest_width == Some(4) { vcpu::HEADER + vcpu::BASIC_32 } else { u64::MAX };
        structures::of_body(record.layer, record.kind?, length).iter().find_map(|layout| {
            let Some(placed) = layout.field_at(offset) else {
                offset = offset.checked_sub(layout.size())?;
                return None;
            };
            let field = placed.field;
            let element = layout.repeats(field).then_some(placed.element);
            Some(FieldName { field: field.name, element, structure: layout.name, width: field.width })
        })
    }
}

impl View {
    /// The bytes around what is wrong: read again where the input can be, else what is left of those that passed.
    pub(super) fn of(report: &Report, input: &Input<'_>, tap: &Tap) -> Option<View> {
        let violation = report.violation()?;
        let offset = violation.offset;
        let word = report.summary.guest_width.unwrap_or(8);
        let field = FieldName::of(violation, report);
        let width = u64::from(violation.rule.entry().field.bytes(word))
            .max(field.map_or(0, |field| u64::from(field.width)));
        let line = offset - offset % LINE;
        let start = line.saturating_sub(BEFORE * LINE);
        let range = start..line.saturating_add((1 + AFTER) * LINE);
        let (start, bytes) = match input {
            // What was read again would be compressed.
            _ if report.compression.is_some() => kept(range, tap),
            Input::Positioned(file) => {
                let mut bytes = [0; ((BEFORE + 1 + AFTER) * LINE) as usize];
                let bytes = &mut bytes[..(range.end - range.start) as usize];
                // That it cannot be read once more is no reason to say nothing.
                (start, read_at(*file, bytes, start).unwrap_or_default().to_vec())
            }
            Input::Slice(bytes) => (start, part(bytes, &range).to_vec()),
            _ => kept(range, tap),
        };
        (!bytes.is_empty() && start <= offset).then_some(View { offset: start, bytes, width, field })
    }
}

fn kept(range: Range<u64>, tap: &Tap) -> (u64, Vec<u8>) {
    let (start, bytes) = tap.kept(range);
    (start, bytes.to_vec())
}

fn part<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[place(range.start)..place(range.end)]
}
