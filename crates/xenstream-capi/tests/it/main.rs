//! The tests of the C library, in one program. `sigpipe` changes what signals do, and is a program of its own.

#[cfg(feature = "std")]
mod compiler;
#[cfg(feature = "std")]
mod descriptor;
mod misuse;
#[cfg(feature = "std")]
mod restore_helper;
#[cfg(feature = "std")]
mod rewrite;
