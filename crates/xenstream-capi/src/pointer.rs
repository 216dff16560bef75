//! Checks what can be checked of pointers before they are followed. That they point to memory of the right size is the
//! caller's promise.

use core::ffi::{CStr, c_char, c_void};
use core::slice;

use crate::status::xs_status;

/// The longest name of a rule, layer or limit that is looked for, in bytes.
const NAME_MAX: usize = 64;

/// A pointer that may be followed for a `T`.
pub(crate) fn aligned<T>(pointer: *const T) -> Result<*const T, xs_status> {
    if pointer.is_null() {
        Err(xs_status::ErrorNull)
    } else if pointer.is_aligned() {
        Ok(pointer)
    } else {
        Err(xs_status::ErrorAlignment)
    }
}

/// Where a result goes.
pub(crate) struct Output<T>(*mut T);

impl<T> Output<T> {
    /// A place that has to be there.
    pub(crate) fn new(pointer: *mut T) -> Result<Output<T>, xs_status> {
        aligned(pointer)?;
        Ok(Output(pointer))
    }

    /// A place that may be missing.
    pub(crate) fn optional(pointer: *mut T) -> Result<Option<Output<T>>, xs_status> {
        if pointer.is_null() { Ok(None) } else { Output::new(pointer).map(Some) }
    }

    /// # Safety
    /// Memory for a `T` is there, and nothing else uses it.
    pub(crate) unsafe fn write(&self, value: T) {
        // SAFETY: neither null nor misaligned, as `new` saw; the rest is our caller's promise.
        unsafe { self.0.write(value) }
    }
}

/// The caller's bytes.
///
/// # Safety
/// `length` bytes are there, and nothing writes to them while the slice lives.
pub(crate) unsafe fn bytes<'a>(pointer: *const c_void, length: usize) -> Result<&'a [u8], xs_status> {
    if length == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(xs_status::ErrorNull);
    }
    if isize::try_from(length).is_err() || pointer.addr().checked_add(length).is_none() {
        return Err(xs_status::ErrorSize);
    }
    // SAFETY: not null, bytes need no alignment, and no object is so long or wraps; the rest is our caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer.cast(), length) })
}

/// The caller's string, if it can be a name.
///
/// # Safety
/// A string with a final NUL is there, and nothing writes to it while the slice lives.
pub(crate) unsafe fn name<'a>(pointer: *const c_char) -> Result<&'a str, xs_status> {
    if pointer.is_null() {
        return Err(xs_status::ErrorNull);
    }
    for length in 0..=NAME_MAX {
        // SAFETY: no byte before this one was the NUL, so this one belongs to the string too.
        if unsafe { pointer.add(length).read() } == 0 {
            // SAFETY: the NUL is the last of these bytes.
            let name = unsafe { CStr::from_bytes_with_nul_unchecked(bytes(pointer.cast(), length + 1)?) };
            return name.to_str().map_err(|_| xs_status::ErrorName);
        }
    }
    Err(xs_status::ErrorName)
}
