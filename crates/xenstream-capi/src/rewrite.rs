//! Conversions and extractions from a descriptor to a new file. Like other calls on descriptors they allocate.

use core::ffi::{CStr, c_char, c_int, c_void};
use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use xenstream::Input;
use xenstream::extract::{Extract, OutputFormat, extract};
use xenstream::rewrite::{Change, Container, Convert, Converted, Loss, Obstacle, Output, convert};

use crate::choice::{
    XS_FORMAT_AUTO, XS_FORMAT_LIBVIRT, XS_FORMAT_LIBXC, XS_FORMAT_LIBXL, XS_FORMAT_XENOPSD, XS_FORMAT_XL,
    chosen, xs_format,
};
use crate::descriptor::{Call, Outcome, descriptor, xs_report};
use crate::pointer::{self, aligned};
use crate::policy::xs_policy;
use crate::status::{status_of, xs_status};

/// Make an ordinary stream of a checkpointed one, which ends at its last complete checkpoint, or at
/// xs_conversion.checkpoint.
pub const XS_CONVERT_PLAIN: u32 = 1 << 0;
/// Leave the last copy of each page.
pub const XS_CONVERT_COMPACT: u32 = 1 << 1;
/// Zero padding and reserved words, drop what readers pass over, put records in the order of savers.
pub const XS_CONVERT_NORMALISE: u32 = 1 << 2;
/// Repair what is certain.
pub const XS_CONVERT_REPAIR: u32 = 1 << 3;
/// Compress the output with zstd, in a library with the feature `decompress`.
pub const XS_CONVERT_ZSTD: u32 = 1 << 4;
/// Replace a file of the output's name.
pub const XS_CONVERT_OVERWRITE: u32 = 1 << 5;

const FLAGS: u32 = (XS_CONVERT_OVERWRITE << 1) - 1;

/// A change that a conversion made, or, with a `reason`, what is in its way. The strings are the library's, and live
/// until the call returns.
#[repr(C)]
pub struct xs_change {
    /// Offset in the input.
    pub offset: u64,
    /// The record, and what of it.
    pub place: *const c_char,
    /// The field that changed; null with a reason.
    pub field: *const c_char,
    /// What it was; null with a reason.
    pub before: *const c_char,
    /// What it is; null with a reason.
    pub after: *const c_char,
    /// Why there is no output; null for a change.
    pub reason: *const c_char,
    /// The name of what the guest loses, or would lose; null if that is nothing, or if no name allows it.
    pub loss: *const c_char,
}

/// Is called for each change and for what is in the way, with the context of the conversion. It must return.
pub type xs_on_change = Option<unsafe extern "C" fn(context: *mut c_void, change: *const xs_change)>;

/// What to make of a stream. Zeros stand for nothing; the release that it is for is that of the policy.
#[repr(C)]
pub struct xs_conversion {
    /// XS_CONVERT_ flags.
    pub flags: u32,
    /// The container that the guest is put into, as a format; XS_FORMAT_AUTO keeps the one that it is in.
    pub container: xs_format,
    /// The checkpoint at which a checkpointed stream ends, counting from 1; 0 stands for none.
    pub checkpoint: u64,
    /// The configuration for the container; may be null.
    pub config: *const c_void,
    /// Its length in bytes.
    pub config_length: usize,
    /// Names of what the guest may lose, apart by commas; may be null. docs/convert.md lists them.
    pub lossy: *const c_char,
    /// Called for each change; may be null.
    pub on_change: xs_on_change,
    /// Passed to that function.
    pub context: *mut c_void,
}

/// Converts the stream in a file, pipe or socket to a new file of this name. The file appears when it is whole, and only
/// if it verifies under the policy. With a null `path` nothing is written, and the changes are reported all the same.
///
/// `fd` stays open. `policy`, `conversion` and `report` may be null. `report` describes the input; its `bytes_written`
/// is the length of the output, and its `message` says what is in the way.
///
/// Returns XS_STATUS_OK if the stream is converted, or would be, XS_STATUS_INVALID if not, XS_STATUS_UNJUDGED if the input
/// cannot be judged; XS_STATUS_ERROR_OUTPUT if the file exists, is the input or cannot be written;
/// XS_STATUS_ERROR_NAME if no loss has a name in `lossy`; otherwise what xs_verify_fd() returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_convert_fd(
    fd: c_int,
    path: *const c_char,
    format: xs_format,
    policy: *const xs_policy,
    conversion: *const xs_conversion,
    report: *mut xs_report,
) -> xs_status {
    // SAFETY: the caller promises what the header asks of a policy and of a result.
    let call = unsafe { Call::new(format, policy, report) };
    status_of(call.and_then(|call| {
        // SAFETY: the caller promises what the header says of a conversion and of strings.
        let (wish, path) = unsafe { (wish(conversion)?, path_of(path)) };
        call.run(|options| {
            // SAFETY: the caller keeps the descriptor open until we return.
            let fd = unsafe { descriptor(fd) }?;
            let what = wish.convert.with_dry_run(path.is_none());
            let mut nowhere = io::sink();
            let output = match path {
                Some(path) => Output::Path { path, overwrite: wish.overwrite },
                None => Output::Writer(&mut nowhere),
            };
            Ok(match convert(Input::Descriptor(fd), output, options, &what) {
                Ok(converted) => {
                    wish.listener.report(&converted);
                    let made = match converted.obstacles.first() {
                        Some(Obstacle { place, reason, .. }) => Err(format!("{place}: {reason}")),
                        None => Ok(()),
                    };
                    Outcome::new(Ok(converted.report), converted.bytes.unwrap_or(0)).with_made(made)
                }
                Err(error) => Outcome::new(Err(error), 0),
            })
        })
    }))
}

/// The format of extracted memory.
pub type xs_memory_format = c_int;
/// An ELF core file with the vcpus' registers.
pub const XS_MEMORY_ELF: xs_memory_format = 0;
/// A sparse file by pfn.
pub const XS_MEMORY_RAW: xs_memory_format = 1;
/// What LiME writes.
pub const XS_MEMORY_LIME: xs_memory_format = 2;

/// Extracts the guest's memory from a file, pipe or socket to a new file of this name, as far as the image goes, be it
/// valid or not. The file appears when it is whole.
///
/// `first_pfn` and `last_pfn` bound the pages; 0 and UINT64_MAX stand for all. `checkpoint` counts from 1; 0 stands for
/// the last complete one. `fd` stays open. `policy` and `report` may be null; `bytes_written` is the length of the output,
/// 0 if no page was there.
///
/// Returns what xs_verify_fd() returns for the image; XS_STATUS_ERROR_OUTPUT if the file exists, is the input or cannot
/// be written; XS_STATUS_ERROR_INPUT if there is no such checkpoint; XS_STATUS_ERROR_ARGUMENT if the last pfn comes
/// before the first, or `memory_format` is none; XS_STATUS_ERROR_NULL if `path` is null.
#[allow(
    clippy::too_many_arguments,
    reason = "C has no defaults: a structure of four numbers would have to be filled too"
)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xs_extract_fd(
    fd: c_int,
    path: *const c_char,
    memory_format: xs_memory_format,
    first_pfn: u64,
    last_pfn: u64,
    checkpoint: u64,
    policy: *const xs_policy,
    report: *mut xs_report,
) -> xs_status {
    // SAFETY: the caller promises what the header asks of a policy and of a result.
    let call = unsafe { Call::new(XS_FORMAT_AUTO, policy, report) };
    status_of(call.and_then(|call| {
        // SAFETY: the caller promises what the header says of strings.
        let path = unsafe { path_of(path) }.ok_or(xs_status::ErrorNull)?;
        if first_pfn > last_pfn {
            return Err(xs_status::ErrorArgument);
        }
        let pfns = (first_pfn, last_pfn) != (0, u64::MAX);
        let what = Extract::new(chosen(OutputFormat::all(), memory_format)?)
            .with_pfns(pfns.then_some(first_pfn..=last_pfn))
            .with_checkpoint((checkpoint > 0).then_some(checkpoint));
        call.run(|options| {
            // SAFETY: the caller keeps the descriptor open until we return.
            let fd = unsafe { descriptor(fd) }?;
            Ok(match extract(Input::Descriptor(fd), path, options, &what) {
                Ok(extracted) => Outcome::new(Ok(extracted.report), extracted.bytes.unwrap_or(0)),
                Err(error) => Outcome::new(Err(error), 0),
            })
        })
    }))
}

/// A conversion that was asked for.
#[derive(Default)]
struct Wish {
    convert: Convert,
    overwrite: bool,
    listener: Listener,
}

/// # Safety
/// What the header says of a conversion.
unsafe fn wish(conversion: *const xs_conversion) -> Result<Wish, xs_status> {
    if conversion.is_null() {
        return Ok(Wish::default());
    }
    // SAFETY: neither null nor misaligned; the rest is our caller's promise.
    let asked = unsafe { &*aligned(conversion)? };
    let has = |flag| asked.flags & flag != 0;
    let container = match asked.container {
        XS_FORMAT_AUTO => None,
        XS_FORMAT_XL => Some(Container::Xl),
        XS_FORMAT_LIBVIRT => Some(Container::Libvirt),
        XS_FORMAT_XENOPSD => Some(Container::Xenopsd),
        XS_FORMAT_LIBXL => Some(Container::Libxl),
        XS_FORMAT_LIBXC => Some(Container::Libxc),
        _ => return Err(xs_status::ErrorArgument),
    };
    if asked.flags & !FLAGS != 0 {
        return Err(xs_status::ErrorArgument);
    }
    // SAFETY: as our caller promises.
    let config = unsafe { pointer::bytes(asked.config, asked.config_length) }?;
    let mut losses = Vec::new();
    if !asked.lossy.is_null() {
        // SAFETY: not null; that it ends is our caller's promise.
        let names = unsafe { CStr::from_ptr(asked.lossy) }.to_str().map_err(|_| xs_status::ErrorName)?;
        for name in names.split(',').filter(|name| !name.is_empty()) {
            losses.push(name.parse::<Loss>().map_err(|_| xs_status::ErrorName)?);
        }
    }
    if has(XS_CONVERT_ZSTD) && !cfg!(feature = "decompress") {
        return Err(xs_status::ErrorArgument);
    }
    let convert = Convert::default()
        .with_plain(has(XS_CONVERT_PLAIN))
        .with_compact(has(XS_CONVERT_COMPACT))
        .with_normalise(has(XS_CONVERT_NORMALISE))
        .with_repair(has(XS_CONVERT_REPAIR))
        .with_checkpoint((asked.checkpoint > 0).then_some(asked.checkpoint))
        .with_container(container)
        .with_config((!asked.config.is_null()).then(|| config.to_vec()))
        .with_lossy(&losses);
    #[cfg(feature = "decompress")]
    let convert = convert.with_zstd(has(XS_CONVERT_ZSTD));
    let listener = Listener { function: asked.on_change, context: asked.context };
    Ok(Wish { convert, overwrite: has(XS_CONVERT_OVERWRITE), listener })
}

/// # Safety
/// What the header says of strings.
unsafe fn path_of<'a>(path: *const c_char) -> Option<&'a Path> {
    // SAFETY: not null; that it ends is our caller's promise.
    let path = (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) })?;
    Some(Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// The function that is called for changes.
struct Listener {
    function: xs_on_change,
    context: *mut c_void,
}

impl Default for Listener {
    fn default() -> Listener {
        Listener { function: None, context: core::ptr::null_mut() }
    }
}

impl Listener {
    fn report(&self, converted: &Converted) {
        let null = core::ptr::null();
        for Change { offset, place, field, before, after, loss, .. } in &converted.changes {
            let [place, field, before, after] = [place, field, before, after].map(|text| string(text));
            let loss = loss.map(|loss| string(loss.name()));
            self.call(&xs_change {
                offset: *offset,
                place: place.as_ptr(),
                field: field.as_ptr(),
                before: before.as_ptr(),
                after: after.as_ptr(),
                reason: null,
                loss: loss.as_ref().map_or(null, |loss| loss.as_ptr()),
            });
        }
        for Obstacle { offset, place, reason, loss, .. } in &converted.obstacles {
            let [place, reason] = [place, reason].map(|text| string(text));
            let loss = loss.map(|loss| string(loss.name()));
            self.call(&xs_change {
                offset: *offset,
                place: place.as_ptr(),
                field: null,
                before: null,
                after: null,
                reason: reason.as_ptr(),
                loss: loss.as_ref().map_or(null, |loss| loss.as_ptr()),
            });
        }
    }

    fn call(&self, change: &xs_change) {
        if let Some(function) = self.function {
            // SAFETY: the caller gave us a function of this type, which can be called until we return.
            unsafe { function(self.context, change) };
        }
    }
}

/// A string for C, in which no byte is NUL but the last.
pub(crate) fn string(text: &str) -> CString {
    CString::new(text.replace('\0', "?")).unwrap_or_default()
}
