//! What is wrong with a stream, and where.

use core::ffi::{c_char, c_int};
use core::fmt::{self, Write};
use core::ptr;

use xenstream_core::{Fact, Layer, RecordRef, Rule, Violation};

use crate::choice::{self, xs_layer, xs_value};
use crate::name::{RULES, rule_number, type_name};
use crate::pointer::aligned;
use crate::status::xs_status;

/// In xs_violation.has: the violation is inside a record, which record_layer, record_index and record_offset
/// identify.
pub const XS_HAS_RECORD: u32 = 1;
/// In xs_violation.has: the type of the record is known and in record_type.
pub const XS_HAS_RECORD_TYPE: u32 = 2;
/// In xs_violation.has: some releases of Xen accept the stream. xs_violation_text() names them.
pub const XS_HAS_RELEASES: u32 = 4;

/// In xs_violation.has: no release takes it together with the rest of the stream.
const IS_COMBINATION: u32 = 8;
/// Where the number of the fact lies in xs_violation.has.
const FACT_SHIFT: u32 = 8;

/// One violation of a rule. Unused fields are 0 or null.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct xs_violation {
    /// The rule's name, such as "libxc::padding". Static, never null.
    pub rule: *const c_char,
    /// Which of XS_HAS_RECORD, XS_HAS_RECORD_TYPE and XS_HAS_RELEASES apply. Other bits are reserved.
    pub has: u32,
    /// The rule's number in this version of the library, see xs_rule_name().
    pub rule_number: u32,
    /// Offset in bytes from the start of the stream.
    pub offset: u64,
    /// The value, bound or limit that the rule asks for.
    pub expected: u64,
    /// The value that was found.
    pub found: u64,
    /// What `expected` is.
    pub expected_kind: xs_value,
    /// What `found` is.
    pub found_kind: xs_value,
    /// The layer of the rule.
    pub layer: xs_layer,
    /// The layer of the record.
    pub record_layer: xs_layer,
    /// The index of the record in its layer, from 0.
    pub record_index: u64,
    /// The number of the record's type.
    pub record_type: u64,
    /// Offset of the record's first byte.
    pub record_offset: u64,
    /// The name of the record's type, such as "PAGE_DATA". Static; null if it has none.
    pub record_type_name: *const c_char,
}

impl xs_violation {
    /// No violation: the rule is null, the rest 0.
    #[cfg(feature = "std")]
    pub(crate) const NONE: xs_violation = xs_violation {
        rule: ptr::null(),
        has: 0,
        rule_number: 0,
        offset: 0,
        expected: 0,
        found: 0,
        expected_kind: 0,
        found_kind: 0,
        layer: 0,
        record_layer: 0,
        record_index: 0,
        record_type: 0,
        record_offset: 0,
        record_type_name: ptr::null(),
    };

    pub(crate) fn new(violation: &Violation) -> xs_violation {
        let number = rule_number(violation.rule);
        let record = violation.record;
        let kind = record.and_then(|record| record.kind);
        let (expected_kind, expected) = choice::value_number(violation.expected);
        let (found_kind, found) = choice::value_number(violation.found);
        xs_violation {
            rule: RULES.get(number as usize).map_or(ptr::null(), |name| name.as_ptr()),
            has: u32::from(record.is_some()) * XS_HAS_RECORD
                + u32::from(kind.is_some()) * XS_HAS_RECORD_TYPE
                + u32::from(violation.is_combination) * IS_COMBINATION
                + violation.fact.map_or(0, |fact| XS_HAS_RELEASES + (u32::from(fact as u8) << FACT_SHIFT)),
            rule_number: number,
            offset: violation.offset,
            expected,
            found,
            expected_kind,
            found_kind,
            layer: choice::number(Layer::all(), &violation.layer()),
            record_layer: record.map_or(0, |record| choice::number(Layer::all(), &record.layer)),
            record_index: record.map_or(0, |record| record.index),
            record_type: kind.unwrap_or(0),
            record_offset: record.map_or(0, |record| record.offset),
            record_type_name: record.map_or(ptr::null(), |record| type_name(&record)),
        }
    }

    /// The violation that this was made from. Pointers are not followed: what is here may be anything.
    fn violation(&self) -> Result<Violation, xs_status> {
        let number = usize::try_from(self.rule_number).map_err(|_| xs_status::ErrorArgument)?;
        let kind = (self.has & XS_HAS_RECORD_TYPE != 0).then_some(self.record_type);
        let record = if self.has & XS_HAS_RECORD == 0 {
            None
        } else {
            let layer = choice::chosen(Layer::all(), self.record_layer)?;
            Some(RecordRef { layer, index: self.record_index, kind, offset: self.record_offset })
        };
        let rule = Rule::all().nth(number).ok_or(xs_status::ErrorArgument)?;
        let value = |kind, number| choice::value(kind, number, rule.layer());
        let mut violation = Violation::new(rule, self.offset, record)
            .found(value(self.found_kind, self.found)?)
            .expected(value(self.expected_kind, self.expected)?);
        violation.fact = self.fact()?;
        violation.is_combination = self.has & IS_COMBINATION != 0;
        Ok(violation)
    }
}

impl xs_violation {
    fn fact(&self) -> Result<Option<Fact>, xs_status> {
        if self.has & XS_HAS_RELEASES == 0 {
            return Ok(None);
        }
        let number = usize::try_from(self.has >> FACT_SHIFT).map_err(|_| xs_status::ErrorArgument)?;
        Fact::all().nth(number).map(Some).ok_or(xs_status::ErrorArgument)
    }
}

/// Writes a violation as one line of text: the rule, the place, and a sentence. Like snprintf(), it writes at most
/// `size` bytes, ends them with NUL, and truncates the rest.
///
/// `buffer` may be null if `size` is 0.
///
/// Returns the length of the whole line without its NUL, so the line was truncated if that is at least `size`; or
/// an error below 0, and then nothing is written: XS_STATUS_ERROR_NULL, XS_STATUS_ERROR_ALIGNMENT, or
/// XS_STATUS_ERROR_ARGUMENT if `violation` is not a violation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_violation_text(
    violation: *const xs_violation,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    let written = || -> Result<c_int, xs_status> {
        // SAFETY: not null and aligned; the caller's structure has integers and pointers, which can be anything.
        let violation = unsafe { aligned(violation)?.read() }.violation()?;
        if buffer.is_null() && size > 0 {
            return Err(xs_status::ErrorNull);
        }
        // SAFETY: the caller's buffer has `size` bytes.
        let mut line = unsafe { Line::new(buffer, size) };
        // A line takes everything that it is given.
        let _ = write!(line, "{violation}");
        Ok(line.length())
    };
    written().unwrap_or_else(|error| error as c_int)
}

/// A text in the caller's buffer: always with a final NUL, and no more of it than there is room for.
pub(crate) struct Line {
    buffer: *mut c_char,
    size: usize,
    /// Bytes of the whole text, be they in the buffer or not.
    length: usize,
}

impl Line {
    /// # Safety
    /// `size` bytes are at `buffer`, and nothing else uses them while the line lives.
    pub(crate) unsafe fn new(buffer: *mut c_char, size: usize) -> Line {
        if size > 0 {
            // SAFETY: there is a byte, as our caller promises.
            unsafe { buffer.write(0) };
        }
        Line { buffer, size, length: 0 }
    }

    /// Bytes of the whole text, as C functions return them.
    pub(crate) fn length(&self) -> c_int {
        c_int::try_from(self.length).unwrap_or(c_int::MAX)
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.size.saturating_sub(self.length) > 1 {
                // SAFETY: this byte and the one after it are inside the buffer.
                unsafe {
                    self.buffer.add(self.length).write(byte.cast_signed() as c_char);
                    self.buffer.add(self.length + 1).write(0);
                }
            }
            self.length = self.length.saturating_add(1);
        }
        Ok(())
    }
}
