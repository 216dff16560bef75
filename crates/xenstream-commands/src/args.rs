//! Arguments that several subcommands share: how to judge a stream, numbers, paths.

mod levels;
mod number;
mod path;

use std::fs;
use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, Command};
use clap_complete::engine::ArgValueCandidates;
use xenstream::host::Host;
use xenstream::{
    Checkpointing, Format, Level, Limit, Options, Policy, Profile, ResolvedTarget, Rule, Target,
    UnknownTarget,
};

use levels::Levels;

use crate::suggest::limits_like;
use crate::{completions, output};

pub(crate) use number::parse_number;
pub(crate) use path::PathOrDash;

/// The format of a stream and the policy to judge it by, the same for all subcommands that verify.
#[derive(Debug, Args)]
pub(crate) struct Judging {
    /// Format of the stream; auto detects it from the first bytes
    #[arg(short, long, default_value = "auto", value_parser = format_parser())]
    pub(crate) format: Format,

    /// How strict to be: the written specification (spec), what Xen restores, or hardened against untrusted senders
    #[arg(long, default_value = "restore", value_parser = profile_parser())]
    pub(crate) profile: Profile,

    /// Release of Xen to restore on, such as 4.17.5, 4.20 or xcp-ng-8.3: whatever it refuses is an error
    ///
    /// A branch such as 4.20 means its newest known point release. `xenstream targets` lists the releases.
    #[arg(id = "release", long = "target", value_name = "RELEASE", value_parser = parse_target, add = ArgValueCandidates::new(completions::targets))]
    target: Option<NamedTarget>,

    /// Host to restore on, as `xenstream host` describes it: its release, processor, memory, bridges and disks
    ///
    /// Its release is the target, unless --target names another. What the description does not know is not judged.
    #[arg(id = "host", long = "host", value_name = "HOST.JSON", value_parser = read_host)]
    host: Option<Arc<Host>>,

    #[command(flatten)]
    levels: Levels,

    /// Treat warnings as errors
    #[arg(long, hide_short_help = true)]
    strict: bool,

    /// Set a limit, such as hvm-pfn=0x100000 or xml=1M; the value none removes it
    #[arg(
        long = "limit",
        value_name = "NAME=VALUE",
        value_parser = parse_limit,
        add = ArgValueCandidates::new(completions::limits),
        hide_short_help = true
    )]
    limits: Vec<(Limit, u64)>,

    /// Kind of stream, where the stream itself does not say
    #[arg(
        long,
        value_name = "KIND",
        default_value = "auto",
        value_parser = checkpointing_parser(),
        hide_short_help = true
    )]
    checkpointing: Checkpointing,
}

impl Judging {
    /// Returns the format and the policy. With `keep_going`, verification continues after a finding. Reports on standard
    /// error which release a branch name stands for.
    pub(crate) fn options(&self, keep_going: bool) -> Options {
        self.options_for(None, keep_going)
    }

    /// The same, for this host unless the command line names another.
    pub(crate) fn options_for(&self, host: Option<Arc<Host>>, keep_going: bool) -> Options {
        let policy =
            Policy::new(self.profile).with_checkpointing(self.checkpointing).with_keep_going(keep_going);
        let policy = policy.with_target(self.target.as_ref().map(NamedTarget::announced));
        let mut policy = self.levels.apply(policy);
        if self.strict {
            for rule in Rule::all().filter(|rule| policy.level(*rule) == Level::Warn).collect::<Vec<_>>() {
                policy = policy.with_level(rule, Level::Deny).expect("every rule can be at deny");
            }
        }
        let policy =
            self.limits.iter().fold(policy, |policy, (limit, value)| policy.with_limit(*limit, *value));
        let options = Options::new(policy).with_format(self.format);
        match self.host.clone().or(host) {
            Some(host) => options.with_host(host),
            None => options,
        }
    }
}

/// A release, and the name by which the command line gave it.
#[derive(Clone, Debug)]
struct NamedTarget {
    name: String,
    resolved: ResolvedTarget,
}

impl NamedTarget {
    /// Returns the release. Reports on standard error which one it is, unless its full name was given.
    fn announced(&self) -> Target {
        let ResolvedTarget { target, is_exact, .. } = self.resolved;
        if !is_exact {
            output::remark(&format!("target {} means {target}, the newest known of that branch", self.name));
        }
        target
    }
}

fn parse_target(name: &str) -> Result<NamedTarget, UnknownTarget> {
    Target::resolve(name).map(|resolved| NamedTarget { name: name.to_owned(), resolved })
}

pub(crate) fn read_host(path: &str) -> Result<Arc<Host>, String> {
    let text = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    Host::from_json(&text).map(Arc::new).map_err(|error| error.to_string())
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::all().map(Format::name)).try_map(|name| name.parse::<Format>())
}

fn profile_parser() -> impl TypedValueParser<Value = Profile> {
    named([Profile::Spec, Profile::Restore, Profile::Hardened].map(|profile| (profile.name(), profile)))
}

fn checkpointing_parser() -> impl TypedValueParser<Value = Checkpointing> {
    named([
        ("auto", Checkpointing::Auto),
        ("plain", Checkpointing::Plain),
        ("remus", Checkpointing::Remus),
        ("colo", Checkpointing::Colo),
    ])
}

/// A parser that takes any of these values by name.
pub(crate) fn values<T: Copy + Send + Sync + 'static>(
    values: impl Iterator<Item = T> + Clone + Send + Sync + 'static,
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(values.clone().map(name))
        .try_map(move |given| values.clone().find(|value| name(*value) == given).ok_or("no such value"))
}

/// A parser that takes any of these names and returns its value.
fn named<T: Copy + Default + Send + Sync + 'static, const N: usize>(
    values: [(&'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    let names = values.map(|(name, _)| name);
    PossibleValuesParser::new(names).map(move |given| {
        // The inner parser lets no other name pass.
        values.iter().find(|(name, _)| *name == given).map_or_else(T::default, |(_, value)| *value)
    })
}

fn parse_limit(text: &str) -> Result<(Limit, u64), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let limit = name.parse::<Limit>().map_err(|_| format!("unknown limit '{name}'{}", limits_like(name)))?;
    let value = parse_number(value)
        .ok_or_else(|| format!("'{value}' is not a number: use 4096, 0x1000, 4K (also M, G, T) or none"))?;
    Ok((limit, value))
}

/// Ends the program with a usage error of this subcommand that the parser cannot detect.
pub(crate) fn usage<A: Args>(subcommand: &'static str, message: &str) -> ! {
    let command = Command::new(subcommand).bin_name(format!("xenstream {subcommand}"));
    A::augment_args(command).error(ErrorKind::MissingRequiredArgument, message).exit()
}
