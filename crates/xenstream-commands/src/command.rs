//! The subcommands. The arguments of each are in its own file.

use clap::builder::Resettable;
use clap::{ArgMatches, Args, FromArgMatches, Id, Parser, Subcommand};

use crate::{
    completions, convert, diff, explain, extract, host, inspect, relay, report, rules, scrub, synth, targets,
    verify, verify_stream_v2,
};

// A test runs every example.

const HELP: &str = "\
Examples:
  xenstream verify guest.save           will this image restore, and if not, why not?
  xenstream verify -q saves             report only the bad images in a directory
  xenstream explain stream::truncated   explain a message

Exit status:
  0  every image is valid
  1  an image is invalid
  2  usage, input or output error
  3  an image cannot be judged, and none is invalid";

/// Verify Xen saved domains and migration streams before they are restored
#[derive(Debug, Parser)]
#[command(name = "xenstream", version, after_help = HELP)]
pub(crate) struct Program {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Verify images and report what is wrong, and where
    Verify(Deferred<verify::Arguments>),
    /// Pass a stream from standard input to standard output while it is verified
    Relay(Deferred<relay::Arguments>),
    /// Show what is in an image, record by record
    Inspect(Deferred<inspect::Arguments>),
    /// Draw an image as an HTML page for a browser
    Report(Deferred<report::Arguments>),
    /// Blank the guest's memory in a stream so that it can be shared
    Scrub(Deferred<scrub::Arguments>),
    /// Rewrite a guest for another release of Xen, another toolstack, or plain xl restore
    Convert(Deferred<convert::Arguments>),
    /// Extract the guest's memory for debuggers and memory forensics
    Extract(Deferred<extract::Arguments>),
    /// Compare two images: configuration, registers, CPU policy, devices, memory
    Diff(Deferred<diff::Arguments>),
    /// Generate a stream of a given shape and size, valid or broken
    Synth(Deferred<synth::Arguments>),
    /// Describe this host as JSON, so that images can be judged for it
    Host(Deferred<host::Arguments>),
    /// List the rules
    Rules(Deferred<rules::Arguments>),
    /// List the known releases of Xen, and what changed between them
    Targets(Deferred<targets::Arguments>),
    /// Explain a rule, a change between releases of Xen, or a line from a log
    Explain(Deferred<explain::Arguments>),
    /// Print a script that makes a shell complete command lines of this program
    Completions(Deferred<completions::Arguments>),
    /// Accept the options of Xen's verify-stream-v2, and return its exit status
    ///
    /// The program does the same when it is called by that name.
    #[command(name = verify_stream_v2::NAME)]
    VerifyStreamV2(Deferred<verify_stream_v2::Arguments>),
}

/// Arguments of a subcommand, described only when it is called: a program that is started for each image does not spend
/// time on the arguments of all the others.
#[derive(Debug)]
pub(crate) struct Deferred<A>(pub(crate) A);

impl<A: Args> Args for Deferred<A> {
    fn group_id() -> Option<Id> {
        A::group_id()
    }

    fn augment_args(command: clap::Command) -> clap::Command {
        command.defer(|command| as_described(command, A::augment_args))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command.defer(|command| as_described(command, A::augment_args_for_update))
    }
}

/// Adds the arguments to a command, but keeps the command's own description: the arguments' doc comment is for readers of
/// the code.
fn as_described(command: clap::Command, augment: fn(clap::Command) -> clap::Command) -> clap::Command {
    let about = command.get_about().cloned();
    let long_about = command.get_long_about().cloned();
    augment(command).about(Resettable::from(about)).long_about(Resettable::from(long_about))
}

impl<A: FromArgMatches> FromArgMatches for Deferred<A> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Deferred<A>, clap::Error> {
        A::from_arg_matches(matches).map(Deferred)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use xenstream::Level;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Program::command().debug_assert();
    }

    #[test]
    fn last_level_wins() {
        let policy = |line: &str| {
            let words = ["xenstream", "verify", "file"].into_iter().chain(line.split_whitespace());
            match Program::try_parse_from(words).map(|program| program.command) {
                Ok(Command::Verify(Deferred(arguments))) => Some(arguments.options().policy),
                _ => None,
            }
        };
        let rule = xenstream::Rule::LibxcPadding;
        for (line, level) in [
            ("--warn libxc::padding", Level::Warn),
            ("--warn libxc::padding --deny libxc::*", Level::Deny),
            ("--deny libxc::* --allow libxc::padding", Level::Allow),
            ("--allow libxc::* --warn libxc::padding --profile hardened", Level::Warn),
        ] {
            assert_eq!(policy(line).unwrap().level(rule), level, "{line}");
        }
        for line in ["--allow stream::truncated", "--deny libxc::nonsense", "--warn nonsense::*"] {
            assert_eq!(policy(line), None, "{line}");
        }
    }
}
