//! `--deny`, `--warn` and `--allow`.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use clap_complete::engine::ArgValueCandidates;
use xenstream::{Level, LevelError, Policy};

use crate::completions;
use crate::suggest::rules_like;

/// Levels of rules, in the order of the command line. A later one overrides an earlier one, whether it names a rule or a
/// whole layer.
#[derive(Clone, Debug)]
pub(crate) struct Levels(Vec<(Level, String)>);

impl Levels {
    /// Returns the policy with these levels.
    pub(crate) fn apply(&self, mut policy: Policy) -> Policy {
        for (level, name) in &self.0 {
            // The parser has already looked up the names.
            let known = policy.set_level(name, *level);
            debug_assert!(known.is_ok(), "{name}");
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
        LevelError::Unknown => format!("unknown rule '{rule}'{}", rules_like(rule)),
    };
    clap::Error::raw(ErrorKind::ValueValidation, message)
}
