//! The two ends of a subcommand that rewrites a stream.

use std::io;

use clap::Args;
use xenstream::rewrite::Output;
use xenstream::{Error, Input};

use crate::args::{PathOrDash, usage};
use crate::descriptor::{Stdout, is_unusable};
use crate::output;

/// A subcommand's input and output.
pub(crate) struct Ends<'a> {
    /// The subcommand's name.
    pub(crate) name: &'static str,
    pub(crate) input: &'a PathOrDash,
    /// `None` if nothing is to be written.
    pub(crate) output: Option<&'a PathOrDash>,
    /// An output that exists is replaced.
    pub(crate) overwrite: bool,
}

impl Ends<'_> {
    /// Has a stream rewritten from the one to the other. Standard streams that cannot carry one end the program.
    pub(crate) fn rewrite<A: Args, R>(
        &self,
        rewrite: impl FnOnce(Input<'_>, Output<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        if self.input.is_unusable_input() {
            usage::<A>(self.name, "IN is -: redirect standard input from a stream");
        }
        let stdin = io::stdin();
        let input = self.input.input(&stdin);
        match self.output {
            None => rewrite(input, Output::Writer(&mut io::sink())),
            Some(PathOrDash::Elsewhere(_)) => Err(Error::NotAFile),
            Some(PathOrDash::Path(path)) => rewrite(input, Output::Path { path, overwrite: self.overwrite }),
            Some(PathOrDash::Dash) => {
                if is_unusable(&io::stdout()) {
                    usage::<A>(self.name, "OUT is -: redirect standard output to a file or a pipe");
                }
                let mut stdout = Stdout::new().map_err(Error::Create)?;
                let written = stdout.file().metadata();
                if written.is_ok_and(|written| written.is_file() && self.input.is_same_file(&written)) {
                    return Err(Error::SameFile);
                }
                rewrite(input, Output::Writer(&mut stdout))
            }
        }
    }

    /// Reports an error, with the name of the end that it is about.
    pub(crate) fn failure(&self, error: &Error) {
        let output = self.output.filter(|_| output::is_of_output(error));
        output::failure(output.unwrap_or(self.input).name(), error);
    }
}
