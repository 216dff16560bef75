//! Images on web servers and in object stores, read by range requests.
//!
//! An [`Object`] can be read at any offset, as a file can. Every answer must be about the version of the object that was
//! opened, or it is an error: a verdict is never about two versions.

#![forbid(unsafe_code)]

mod cache;
mod credentials;
mod error;
mod location;
mod object;

pub use credentials::Credentials;
pub use error::Error;
pub use location::{Location, shown};
pub use object::{Object, Patience};
