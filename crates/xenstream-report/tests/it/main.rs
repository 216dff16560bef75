//! The tests of the page, in one program.

mod browser;
mod pages;
