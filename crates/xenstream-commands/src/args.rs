//! What several subcommands take: how to judge a stream, numbers, paths.

mod levels;
mod number;
mod path;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, Command};
use xenstream::{
    Checkpointing, Format, Level, Limit, Options, Policy, Profile, ResolvedTarget, Rule, Target,
    UnknownTarget,
};

use levels::Levels;

use crate::output;

pub(crate) use number::parse_number;
pub(crate) use path::PathOrDash;

/// How to judge a stream: its format, and the policy. The same for all subcommands that verify.
#[derive(Debug, Args)]
pub(crate) struct Judging {
    /// Format of the stream; auto goes by its first bytes
    #[arg(short, long, default_value = "auto", value_parser = format_parser())]
    pub(crate) format: Format,

    /// How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from
    /// people you do not trust
    #[arg(long, default_value = "restore", value_parser = profile_parser())]
    pub(crate) profile: Profile,

    /// Release of Xen that the stream is to be restored on, such as 4.17.5, 4.20 (the newest known of its branch) or
    /// xcp-ng-8.3; what it does not take is refused. `xenstream targets` lists them
    #[arg(id = "release", long = "target", value_name = "RELEASE", value_parser = parse_target)]
    target: Option<NamedTarget>,

    #[command(flatten)]
    levels: Levels,

    /// Refuse what would only be warned about
    #[arg(long)]
    strict: bool,

    /// Set a limit, such as hvm-pfn=0x100000 or xml=1M; none lifts it
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = parse_limit)]
    limits: Vec<(Limit, u64)>,

    /// What kind of stream it is, where that cannot be told from it
    #[arg(long, default_value = "auto", value_parser = checkpointing_parser())]
    checkpointing: Checkpointing,
}

impl Judging {
    /// The format and the policy; `keep_going` goes on after what is wrong. Reports on standard error which release a
    /// branch stands for.
    pub(crate) fn options(&self, keep_going: bool) -> Options {
        let policy =
            Policy::new(self.profile).with_checkpointing(self.checkpointing).with_keep_going(keep_going);
        let policy = policy.with_target(self.target.as_ref().map(NamedTarget::announced));
        let mut policy = self.levels.apply(policy);
        if self.strict {
            for rule in Rule::all().filter(|rule| policy.level(*rule) == Level::Warn).collect::<Vec<_>>() {
                // A rule's own name is known, and nothing that is warned about is structural.
                let known = policy.set_level(rule.name(), Level::Deny);
                debug_assert!(known.is_ok(), "{rule}");
            }
        }
        let policy =
            self.limits.iter().fold(policy, |policy, (limit, value)| policy.with_limit(*limit, *value));
        Options::new(policy).with_format(self.format)
    }
}

/// A release, and what it was called on the command line.
#[derive(Clone, Debug)]
struct NamedTarget {
    name: String,
    resolved: ResolvedTarget,
}

impl NamedTarget {
    /// The release; says on standard error which it is, unless that was its own name.
    fn announced(&self) -> Target {
        let ResolvedTarget { target, is_exact } = self.resolved;
        if !is_exact {
            output::remark(&format!("target {} means {target}, the newest known of that branch", self.name));
        }
        target
    }
}

fn parse_target(name: &str) -> Result<NamedTarget, UnknownTarget> {
    Target::resolve(name).map(|resolved| NamedTarget { name: name.to_owned(), resolved })
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

fn profile_parser() -> impl TypedValueParser<Value = Profile> {
    named(Profile::ALL.map(|profile| (profile.name(), profile)))
}

fn checkpointing_parser() -> impl TypedValueParser<Value = Checkpointing> {
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

/// Ends the program with a usage error of the subcommand of this name, one that no parser can see.
pub(crate) fn usage<A: Args>(subcommand: &'static str, message: &str) -> ! {
    let command = Command::new(subcommand).bin_name(format!("xenstream {subcommand}"));
    A::augment_args(command).error(ErrorKind::MissingRequiredArgument, message).exit()
}
