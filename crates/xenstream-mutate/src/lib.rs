//! [`xenstream_synth::mutate`] for fuzzers of programs written in C: the functions that libFuzzer and AFL++ look for.
//! `include/xenstream_mutate.h` documents them.

use std::ffi::{c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{ptr, slice};

use xenstream_synth::mutate::{cross, mutate};

/// Bytes that a caller gave.
///
/// # Safety
/// `data` points to `size` bytes that stay as they are, or `size` is 0.
unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if data.is_null() || size == 0 {
        return &[];
    }
    // SAFETY: the caller promises it, and there is at least one byte.
    unsafe { slice::from_raw_parts(data, size) }
}

/// What the function makes; nothing if it panics, which must not reach C.
fn made(make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    catch_unwind(AssertUnwindSafe(make)).unwrap_or_default()
}

/// Copies the bytes out, and returns how many there are.
///
/// # Safety
/// There is room for `most` bytes at `out`.
unsafe fn give(made: &[u8], out: *mut u8, most: usize) -> usize {
    let size = made.len().min(most);
    if !out.is_null() {
        // SAFETY: no more than `most` bytes are written, and what was made is memory of its own.
        unsafe { ptr::copy_nonoverlapping(made.as_ptr(), out, size) };
    }
    size
}

/// Changes the stream in `data`, of `size` bytes, to one of at most `max_size`. Returns its size.
///
/// # Safety
/// `data` has room for the larger of both sizes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn LLVMFuzzerCustomMutator(
    data: *mut u8,
    size: usize,
    max_size: usize,
    seed: c_uint,
) -> usize {
    // SAFETY: `size` bytes are there.
    let stream = unsafe { bytes(data, size) };
    let made = made(|| mutate(stream, max_size, seed.into()));
    // SAFETY: there is room for `max_size` bytes, and the stream is not used any more.
    unsafe { give(&made, data, max_size) }
}

/// Makes one stream of two, of at most `max_out_size` bytes, at `out`. Returns its size.
///
/// # Safety
/// The inputs have the sizes given, and `out` has room for `max_out_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn LLVMFuzzerCustomCrossOver(
    data1: *const u8,
    size1: usize,
    data2: *const u8,
    size2: usize,
    out: *mut u8,
    max_out_size: usize,
    seed: c_uint,
) -> usize {
    // SAFETY: the caller promises it.
    let (first, second) = unsafe { (bytes(data1, size1), bytes(data2, size2)) };
    let made = made(|| cross(first, second, max_out_size, seed.into()));
    // SAFETY: there is room for `max_out_size` bytes.
    unsafe { give(&made, out, max_out_size) }
}

/// What AFL++ has between calls.
struct Afl {
    seed: u64,
    /// What was made last, which AFL++ reads until the next call.
    made: Vec<u8>,
}

/// Makes a state for [`afl_custom_fuzz`]. AFL++'s own state is not looked at.
#[unsafe(no_mangle)]
pub extern "C" fn afl_custom_init(_afl: *mut c_void, seed: c_uint) -> *mut c_void {
    Box::into_raw(Box::new(Afl { seed: seed.into(), made: Vec::new() })).cast()
}

/// Changes the stream in `buf`, or makes one of it and the one in `add_buf`, of at most `max_size` bytes. Returns its size
/// and has `out_buf` point to it.
///
/// # Safety
/// `data` is of [`afl_custom_init`], the inputs have the sizes given, and `out_buf` can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn afl_custom_fuzz(
    data: *mut c_void,
    buf: *mut u8,
    buf_size: usize,
    out_buf: *mut *mut u8,
    add_buf: *mut u8,
    add_buf_size: usize,
    max_size: usize,
) -> usize {
    // SAFETY: the state was made by `afl_custom_init`, and one call uses it at a time.
    let Some(state) = (unsafe { data.cast::<Afl>().as_mut() }) else { return 0 };
    // SAFETY: the caller promises it.
    let (stream, other) = unsafe { (bytes(buf, buf_size), bytes(add_buf, add_buf_size)) };
    state.seed = state.seed.wrapping_add(1);
    let seed = state.seed;
    state.made = made(|| {
        if other.is_empty() || seed % 4 != 0 {
            mutate(stream, max_size, seed)
        } else {
            cross(stream, other, max_size, seed)
        }
    });
    if !out_buf.is_null() {
        // SAFETY: the caller promises it.
        unsafe { *out_buf = state.made.as_mut_ptr() };
    }
    state.made.len()
}

/// Frees the state.
///
/// # Safety
/// `data` is of [`afl_custom_init`] and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn afl_custom_deinit(data: *mut c_void) {
    if !data.is_null() {
        // SAFETY: it was made by `Box::into_raw()` there, and this is the last use.
        drop(unsafe { Box::from_raw(data.cast::<Afl>()) });
    }
}
