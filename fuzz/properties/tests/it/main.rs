//! The properties over what is checked in and what is made up, in one program.

mod corpus;
mod structured;
