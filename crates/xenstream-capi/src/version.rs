//! What a program was linked with.

use core::ffi::{CStr, c_char};

use crate::abi::XS_ABI;

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version holds no NUL"),
};

/// Returns the library's version, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn xs_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Returns the library's XS_ABI. A program that loads the library itself must compare it with the header's, and use
/// no other function if they differ.
#[unsafe(no_mangle)]
pub extern "C" fn xs_abi() -> u32 {
    XS_ABI
}
