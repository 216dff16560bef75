//! `--deny`, `--warn` and `--allow`.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use clap_complete::engine::ArgValueCandidates;
use xenstream::{Level, Policy, Rules};

use crate::completions;
use crate::suggest::rules_like;

/// Levels of rules, in the order of the command line. A later one overrides an earlier one, whether it names a rule or a
/// whole layer.
#[derive(Clone, Debug)]
pub(crate) struct Levels(Vec<(Level, Rules)>);

impl Levels {
    /// Returns the policy with these levels.
    pub(crate) fn apply(&self, mut policy: Policy) -> Policy {
        for (level, rules) in &self.0 {
            policy = policy.with_level(*rules, *level).expect("the parser refuses structural rules");
        }
        policy
    }
}

const LEVELS: [(&str, Level, &str); 3] = [
    ("deny", Level::Deny, "Refuse images that break this rule, or any rule of a layer ('libxl::*')"),
    ("warn", Level::Warn, "Warn about images that break this rule"),
    ("allow", Level::Allow, "Ignore this rule"),
];

impl Args for Levels {
    fn augment_args(command: Command) -> Command {
        command.args(LEVELS.map(|(name, _, help)| {
            Arg::new(name)
                .long(name)
                .value_name("RULE")
                .help(help)
                .action(ArgAction::Append)
                .add(ArgValueCandidates::new(completions::levels))
                .hide_short_help(true)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Levels::augment_args(command)
    }
}

impl FromArgMatches for Levels {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Levels, clap::Error> {
        let mut changes = Vec::new();
        for (name, level, _) in LEVELS {
            let indices = matches.indices_of(name).into_iter().flatten();
            let rules = matches.get_many::<String>(name).into_iter().flatten();
            changes.extend(indices.zip(rules).map(|(index, name)| (index, level, name)));
        }
        changes.sort_by_key(|(index, ..)| *index);
        let levels = changes.into_iter().map(|(_, level, name)| {
            let rules = name
                .parse::<Rules>()
                .map_err(|_| invalid(format!("unknown rule '{name}'{}", rules_like(name))))?;
            Policy::spec().with_level(rules, level).map_err(|error| invalid(error.to_string()))?;
            Ok((level, rules))
        });
        levels.collect::<Result<_, clap::Error>>().map(Levels)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Levels::from_arg_matches(matches)?;
        Ok(())
    }
}

fn invalid(message: String) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, message)
}
