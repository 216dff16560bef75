//! The tests of what is built, in one program.

mod cases;
mod common;
mod corpus;
mod facts;
mod flat;
mod image;
mod messages;
mod mutate;
mod need;
mod often;
mod pv;
mod registers;
mod strings;
mod valid;
mod vcpus;
