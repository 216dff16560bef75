//! What the command line says.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, Resettable, TypedValueParser};
use clap::error::ErrorKind;
use clap::{
    Arg, ArgAction, ArgMatches, Args, Command as ClapCommand, CommandFactory, FromArgMatches, Id, Parser,
    Subcommand,
};
use xenstream::{Checkpointing, Format, Level, LevelError, Limit, Policy, Profile};

use crate::progress::When;
use crate::rules::suggestions;
use crate::{inspect, report, scrub, synth, verify_stream_v2};

// A test runs every example.

const HELP: &str = "\
Examples:
  xenstream verify guest.save           is it good, and if not, what is wrong?
  xenstream verify -q saves             the bad ones of a directory
  xenstream explain stream::truncated   what a message is about

Exit status:
  0  every image is valid
  1  an image is invalid
  2  usage, input or output error, whatever the images are";

const VERIFY_HELP: &str = "\
Examples:
  xenstream verify guest.save                       one image
  xenstream verify -q saves                         all below a directory, silent if they are valid
  xenstream verify --profile restore guest.save     would Xen restore it?
  xenstream verify --keep-going --json guest.save   everything there is to say, for a program
  cat guest.save | xenstream verify -               a stream on its way
  xenstream verify --limit hvm-pfn=16M --allow libxc::padding guest.save

Exit status:
  0  every image is valid
  1  an image is invalid
  2  usage, input or output error, whatever the images are";

const RELAY_HELP: &str = "\
Examples:
  cat guest.save | xenstream relay > copy.save
  cat guest.save | xenstream relay --json --report relay.json > copy.save

Exit status:
  0  the stream is valid and was passed on
  1  it is invalid; what was passed on ends in front of what is wrong
  2  usage, input or output error, or nobody reads standard output any more";

const RULES_HELP: &str = "\
Examples:
  xenstream rules | grep hvm::
  xenstream rules --json

Exit status:
  0  they were listed
  2  usage or output error";

const EXPLAIN_HELP: &str = "\
Examples:
  xenstream explain libxc::page-data-length

Exit status:
  0  it was explained
  2  no rule has this name, or output error";

/// Verifies Xen saved domains and migration streams before anybody restores them.
#[derive(Debug, Parser)]
#[command(name = "xenstream", version, after_help = HELP)]
pub(crate) struct Program {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say of images whether they are valid, and if not, what is wrong and where
    Verify(Deferred<VerifyArguments>),
    /// Pass a stream from standard input to standard output while it is verified
    Relay(Deferred<RelayArguments>),
    /// Show what is in an image, record by record
    Inspect(Deferred<inspect::Arguments>),
    /// Make a page with pictures of an image, to be looked at in a browser
    Report(Deferred<report::Arguments>),
    /// Write the same stream with the guest's memory blanked, so that it can be shown to others
    Scrub(Deferred<scrub::Arguments>),
    /// Make a stream of a guest of a given shape and size, valid or broken
    Synth(Deferred<synth::Arguments>),
    /// List the rules
    Rules(Deferred<RulesArguments>),
    /// Explain a rule
    Explain(Deferred<ExplainArguments>),
    /// Take the options of Xen's verify-stream-v2, and answer with its exit status
    ///
    /// Called by that name, the program does so too.
    #[command(name = verify_stream_v2::NAME)]
    VerifyStreamV2(Deferred<verify_stream_v2::Arguments>),
}

/// Arguments of a subcommand, described once it is called: a program that is started for each image does not describe
/// those of all the others.
#[derive(Debug)]
pub(crate) struct Deferred<A>(pub(crate) A);

impl<A: Args> Args for Deferred<A> {
    fn group_id() -> Option<Id> {
        A::group_id()
    }

    fn augment_args(command: ClapCommand) -> ClapCommand {
        command.defer(|command| as_described(command, A::augment_args))
    }

    fn augment_args_for_update(command: ClapCommand) -> ClapCommand {
        command.defer(|command| as_described(command, A::augment_args_for_update))
    }
}

/// The command with these arguments, and with its own words of what it is about: arguments have some too, which are
/// there for who reads the code.
fn as_described(command: ClapCommand, augment: fn(ClapCommand) -> ClapCommand) -> ClapCommand {
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

#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub(crate) struct VerifyArguments {
    /// Images, directories of images, or - for standard input, which is also read when nothing is named
    #[arg(value_name = "FILE|DIR|-")]
    pub(crate) targets: Vec<PathBuf>,

    /// Format of the images; auto goes by their first bytes
    #[arg(short, long, default_value = "auto", value_parser = format_parser())]
    pub(crate) format: Format,

    /// How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from
    /// people you do not trust
    #[arg(long, default_value = "spec", value_parser = profile_parser())]
    pub(crate) profile: Profile,

    #[command(flatten)]
    pub(crate) changes: Changes,

    /// Report everything that is wrong with an image, not only the first thing
    #[arg(long)]
    pub(crate) keep_going: bool,

    /// Print a JSON object for each image, on a line of its own
    #[arg(long)]
    pub(crate) json: bool,

    /// Say nothing of valid images
    #[arg(short, long, conflicts_with_all = ["verbose", "json"])]
    pub(crate) quiet: bool,

    /// List the records of each image
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) verbose: bool,

    /// Show on standard error how far the work is, once it has taken half a second; auto: on a terminal, unless that is
    /// where records are listed
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    progress: Option<When>,
}

impl VerifyArguments {
    pub(crate) fn policy(&self) -> Policy {
        self.changes.policy(self.profile).with_keep_going(self.keep_going)
    }

    pub(crate) fn progress(&self) -> When {
        match self.progress {
            Some(when) => when,
            None if self.quiet => When::Never,
            None => When::Auto,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = RELAY_HELP)]
pub(crate) struct RelayArguments {
    /// Format of the stream; auto goes by its first bytes
    #[arg(short, long, default_value = "auto", value_parser = format_parser())]
    pub(crate) format: Format,

    /// How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for streams from
    /// people you do not trust
    #[arg(long, default_value = "hardened", value_parser = profile_parser())]
    pub(crate) profile: Profile,

    #[command(flatten)]
    pub(crate) changes: Changes,

    /// Print the report as a JSON object on a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the report to this file and not to standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Say nothing of a valid stream
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

/// Changes to a profile.
#[derive(Debug, Args)]
pub(crate) struct Changes {
    #[command(flatten)]
    levels: Levels,

    /// Set a limit, such as hvm-pfn=0x100000 or xml=1M; none lifts it
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = parse_limit)]
    limits: Vec<(Limit, u64)>,

    /// What kind of stream it is, where that cannot be told from it
    #[arg(long, default_value = "auto", value_parser = checkpointing_parser())]
    checkpointing: Checkpointing,
}

impl Changes {
    /// The profile's policy with these changes.
    pub(crate) fn policy(&self, profile: Profile) -> Policy {
        let mut policy = Policy::new(profile).with_checkpointing(self.checkpointing);
        for (level, name) in &self.levels.0 {
            // Names were looked up when the command line was read.
            let known = policy.set_level(name, *level);
            debug_assert!(known.is_ok(), "{name}");
        }
        self.limits.iter().fold(policy, |policy, (limit, value)| policy.with_limit(*limit, *value))
    }
}

#[derive(Debug, Args)]
#[command(after_help = RULES_HELP)]
pub(crate) struct RulesArguments {
    /// Print a JSON object for each rule, on a line of its own
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_HELP)]
pub(crate) struct ExplainArguments {
    /// The rule's name, such as libxc::page-data-length
    pub(crate) rule: String,
}

/// Levels of rules, in the order of the command line: a later one overrides an earlier one, be it a rule's own or its
/// layer's.
#[derive(Clone, Debug)]
pub(crate) struct Levels(Vec<(Level, String)>);

const LEVELS: [(&str, Level, &str); 3] = [
    ("deny", Level::Deny, "Refuse images that break this rule, or any rule of a layer (libxl::*)"),
    ("warn", Level::Warn, "Only warn when this rule is broken"),
    ("allow", Level::Allow, "Ignore this rule"),
];

impl Args for Levels {
    fn augment_args(command: ClapCommand) -> ClapCommand {
        command.args(LEVELS.map(|(name, _, help)| {
            Arg::new(name).long(name).value_name("RULE").help(help).action(ArgAction::Append)
        }))
    }

    fn augment_args_for_update(command: ClapCommand) -> ClapCommand {
        Levels::augment_args(command)
    }
}

impl FromArgMatches for Levels {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Levels, clap::Error> {
        let mut changes = Vec::new();
        for (name, level, _) in LEVELS {
            let indices = matches.indices_of(name).into_iter().flatten();
            let rules = matches.get_many::<String>(name).into_iter().flatten();
            changes.extend(indices.zip(rules).map(|(index, rule)| (index, level, rule.clone())));
        }
        changes.sort_by_key(|(index, ..)| *index);
        for (_, level, rule) in &changes {
            Policy::spec().set_level(rule, *level).map_err(|error| level_error(rule, error))?;
        }
        Ok(Levels(changes.into_iter().map(|(_, level, rule)| (level, rule)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Levels::from_arg_matches(matches)?;
        Ok(())
    }
}

fn level_error(rule: &str, error: LevelError) -> clap::Error {
    let message = match error {
        LevelError::Structural(_) => error.to_string(),
        LevelError::Unknown => format!("no rule is called '{rule}'{}", suggestions(rule)),
    };
    clap::Error::raw(ErrorKind::ValueValidation, message)
}

pub(crate) fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

pub(crate) fn profile_parser() -> impl TypedValueParser<Value = Profile> {
    named(Profile::ALL.map(|profile| (profile.name(), profile)))
}

pub(crate) fn checkpointing_parser() -> impl TypedValueParser<Value = Checkpointing> {
    named([
        ("auto", Checkpointing::Auto),
        ("plain", Checkpointing::Plain),
        ("remus", Checkpointing::Remus),
        ("colo", Checkpointing::Colo),
    ])
}

/// Any of these values, by name.
pub(crate) fn values<T: Copy + Send + Sync + 'static, const N: usize>(
    values: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(values.map(name))
        .try_map(move |given| values.into_iter().find(|value| name(*value) == given).ok_or("no such value"))
}

/// One of a few names, each with its value.
fn named<T: Copy + Default + Send + Sync + 'static, const N: usize>(
    values: [(&'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    let names = values.map(|(name, _)| name);
    PossibleValuesParser::new(names).map(move |given| {
        // No other name passes the parser in front.
        values.iter().find(|(name, _)| *name == given).map_or_else(T::default, |(_, value)| *value)
    })
}

fn parse_limit(text: &str) -> Result<(Limit, u64), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let limit = name.parse::<Limit>().map_err(|_| {
        let names = Limit::ALL.map(Limit::name).join(", ");
        format!("no limit is called '{name}': there are {names}")
    })?;
    let value = parse_number(value)
        .ok_or_else(|| format!("'{value}' is no number: try 4096, 0x1000, 4K (also M, G, T) or none"))?;
    Ok((limit, value))
}

/// A number, in decimal or hex, with or without a power of 1024 behind it.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    if text == "none" {
        return Some(u64::MAX);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'));
    }
    let (digits, power) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 10),
        (at, 'M' | 'm') => (&text[..at], 20),
        (at, 'G' | 'g') => (&text[..at], 30),
        (at, 'T' | 't') => (&text[..at], 40),
        _ => (text, 0),
    };
    let number = digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+'))?;
    number.checked_mul(1 << power)
}

/// Ends the program with a usage error that no parser can see.
pub(crate) fn usage(subcommand: &str, message: &str) -> ! {
    let mut program = Program::command();
    program.build();
    let command = program.find_subcommand(subcommand).cloned();
    command.unwrap_or(program).error(ErrorKind::MissingRequiredArgument, message).exit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Program::command().debug_assert();
    }

    #[test]
    fn numbers() {
        for (text, number) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("0x1f", Some(31)),
            ("4K", Some(4096)),
            ("2m", Some(2 << 20)),
            ("1G", Some(1 << 30)),
            ("16777215T", Some(16_777_215 << 40)),
            ("16777216T", None),
            ("none", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("K", None),
            ("0x", None),
            ("0x+1", None),
            ("+1", None),
            ("-1", None),
            ("1K ", None),
        ] {
            assert_eq!(parse_number(text), number, "{text:?}");
        }
    }

    #[test]
    fn the_last_level_wins() {
        let policy = |line: &str| {
            let words = ["xenstream", "verify", "file"].into_iter().chain(line.split_whitespace());
            match Program::try_parse_from(words).map(|program| program.command) {
                Ok(Command::Verify(Deferred(arguments))) => Some(arguments.policy()),
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
