//! What two streams differ in. Like other calls on descriptors it allocates.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null;
use std::ffi::CString;
use std::ops::RangeInclusive;

use xenstream::Input;
use xenstream::diff::{Compare, Diff, DiffError, Difference, diff};

use crate::choice::xs_format;
use crate::descriptor::{Call, Outcome, descriptor, xs_report};
use crate::pointer::Output;
use crate::policy::xs_policy;
use crate::rewrite::string;
use crate::status::{status_of, xs_status};

/// A difference between two streams. The strings are the library's, and live until the call returns.
#[repr(C)]
pub struct xs_difference {
    /// The layer of the header or record; null for memory and for verdicts.
    pub layer: *const c_char,
    /// The header or record, with the vcpu or instance that it is about; `memory`, `verdict`, or `records` for those that
    /// were not compared.
    pub place: *const c_char,
    /// The value's name; null if a whole record or pages are meant that only one stream has.
    pub field: *const c_char,
    /// The value in the first stream; null if it is not there, and for the contents of pages. Long values are cut, and
    /// bytes are in hex.
    pub a: *const c_char,
    /// The same in the second one.
    pub b: *const c_char,
    /// The number of bytes that differ in an area of bytes; otherwise 0.
    pub bytes: u64,
    /// The offset of the first of them in the record's body.
    pub offset: u64,
    /// The first pfn of a run of pages, for memory.
    pub first_pfn: u64,
    /// The last one.
    pub last_pfn: u64,
}

/// Is called for each difference, with the context that was given. It must return.
pub type xs_on_difference =
    Option<unsafe extern "C" fn(context: *mut c_void, difference: *const xs_difference)>;

/// Compares the streams in two files, pipes or sockets: configuration, registers, devices, memory by pfn, verdicts.
/// Padding and the order of records do not count. If a stream has checkpoints, its last complete one is compared. A
/// pipe, a socket or a compressed image is copied to an unnamed temporary file first.
///
/// `*differences` is the number of differences, 0 if the streams are the same and after an error; each is passed to
/// `on_difference`, which may be null. Kinds of records beyond the first 65,536 are not compared: they count as one
/// more difference, whose place is `records`. `a` and `b` stay open. `policy` and `report` may be null. `report`
/// describes the first stream, or the one that could not be read.
///
/// Returns XS_STATUS_OK if the streams were compared, whatever their verdicts; XS_STATUS_ERROR_NULL if `differences` is
/// null; otherwise the errors of xs_verify_fd().
#[allow(
    clippy::too_many_arguments,
    reason = "C has no defaults: a structure of these would have to be filled too"
)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_diff_fd(
    a: c_int,
    b: c_int,
    format: xs_format,
    policy: *const xs_policy,
    on_difference: xs_on_difference,
    context: *mut c_void,
    differences: *mut u64,
    report: *mut xs_report,
) -> xs_status {
    // SAFETY: the caller promises what the header asks of a policy and of a result.
    let call = unsafe { Call::new(format, policy, report) };
    status_of(call.and_then(|call| {
        let count = Output::new(differences)?;
        let listener = Listener { function: on_difference, context };
        call.run(|options| {
            // SAFETY: the caller keeps the descriptors open until we return.
            let inputs = unsafe { [descriptor(a)?, descriptor(b)?] };
            // SAFETY: as our caller promises.
            unsafe { count.write(0) };
            Ok(match diff(inputs.map(Input::Descriptor), options, &Compare::default()) {
                Ok(diff) => {
                    let reported = listener.report(&diff);
                    // SAFETY: as our caller promises.
                    unsafe { count.write(reported) };
                    let [first, _] = diff.reports;
                    Outcome::new(Ok(first), 0).with_made(Ok(()))
                }
                Err(DiffError { error, .. }) => Outcome::new(Err(error), 0),
            })
        })
    }))
}

/// The function that is called for differences.
struct Listener {
    function: xs_on_difference,
    context: *mut c_void,
}

impl Listener {
    /// Reports all differences. Returns how many there are.
    fn report(&self, diff: &Diff) -> u64 {
        let mut count = 0;
        for difference in &diff.records {
            let Difference { layer, place, field, values: [a, b], bytes, .. } = difference;
            let (bytes, offset) = bytes.unwrap_or((0, 0));
            let [a, b] = [a, b].map(Option::as_deref);
            self.call(Some(layer.name()), place, [field.as_deref(), a, b], [bytes, offset, 0, 0]);
            count += 1;
        }
        if diff.is_cut {
            self.call(None, "records", [None; 3], [0; 4]);
            count += 1;
        }
        let [only_a, only_b] = &diff.pages.only;
        let kinds: [(&[RangeInclusive<u64>], _); 3] = [
            (&diff.pages.differing, [Some("contents"), None, None]),
            (only_a, [None, Some("present"), None]),
            (only_b, [None, None, Some("present")]),
        ];
        for (ranges, texts) in kinds {
            for range in ranges {
                self.call(None, "memory", texts, [0, 0, *range.start(), *range.end()]);
                count += 1;
            }
        }
        let [a, b] = diff.reports.each_ref().map(|report| report.verdict.name());
        if a != b {
            self.call(None, "verdict", [Some("verdict"), Some(a), Some(b)], [0; 4]);
            count += 1;
        }
        count
    }

    fn call(
        &self,
        layer: Option<&str>,
        place: &str,
        texts: [Option<&str>; 3],
        [bytes, offset, first_pfn, last_pfn]: [u64; 4],
    ) {
        let Some(function) = self.function else { return };
        let [layer, place] = [layer, Some(place)].map(|text| text.map(string));
        let texts = texts.map(|text| text.map(string));
        let at = |text: &Option<CString>| text.as_ref().map_or(null(), |text| text.as_ptr());
        let [field, a, b] = texts.each_ref().map(at);
        let difference = xs_difference {
            layer: at(&layer),
            place: at(&place),
            field,
            a,
            b,
            bytes,
            offset,
            first_pfn,
            last_pfn,
        };
        // SAFETY: the caller gave us a function of this type, which can be called until we return.
        unsafe { function(self.context, &difference) };
    }
}
