//! `xenstream completions`: what a shell needs to complete command lines of this program.
//!
//! The script calls the program for each completion, so it offers the rules, facts, limits, releases and record types that
//! this very program knows.

use std::io::{self, Write};

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{Elvish, EnvCompleter, Fish, Powershell, Zsh};
use xenstream::inspect::Kind;
use xenstream::{Fact, Layer, Limit, Rule, Target};

use crate::command::Program;
use crate::{output, status};

const HELP: &str = "\
Examples:
  xenstream completions bash > xenstream.bash   for ~/.bashrc to source
  xenstream completions fish > xenstream.fish   for ~/.config/fish/completions

Exit status:
  0  the script was printed
  2  usage or output error";

/// The name of the program, which scripts call.
const NAME: &str = "xenstream";
/// The environment variable by which a script asks for candidates.
const VARIABLE: &str = "XENSTREAM_COMPLETE";
/// The script for bash. Bash breaks words at the colons of LAYER::NAME and at the sign of --OPTION=VALUE, and replaces what
/// follows the last of them only. So the line is split at spaces, and what bash keeps is taken off the candidates.
const BASH: &str = r#"_xenstream() {
    local line="${COMP_LINE:0:COMP_POINT}" IFS=$' \t\n' words current kept= prefix sign
    read -r -a words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current="${words[${#words[@]} - 1]}"
    IFS=$'\013'
    COMPREPLY=( $(_CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) XENSTREAM_COMPLETE=bash \
        xenstream -- "${words[@]}") )
    for sign in : =; do
        [[ $COMP_WORDBREAKS == *"$sign"* && $current == *"$sign"* ]] || continue
        prefix="${current%"${current##*"$sign"}"}"
        (( ${#prefix} > ${#kept} )) && kept="$prefix"
    done
    COMPREPLY=( "${COMPREPLY[@]#"$kept"}" )
    [[ ${COMPREPLY-} == *[=/:] ]] && compopt -o nospace 2> /dev/null
    return 0
}
complete -o bashdefault -F _xenstream xenstream
"#;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Shell to print a script for
    shell: Shell,
}

/// A shell for which there is a completion script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// Elvish.
    Elvish,
    /// The friendly interactive shell.
    Fish,
    /// PowerShell.
    Powershell,
    /// The Z shell.
    Zsh,
}

/// Prints a script. Returns the exit status.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let mut out = output::stdout();
    out.write_all(&script(arguments.shell)?)?;
    out.flush()?;
    Ok(status::VALID)
}

/// The script that makes a shell complete command lines of this program.
///
/// # Errors
/// None happen; the library that writes the script could report some.
pub fn script(shell: Shell) -> io::Result<Vec<u8>> {
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => return Ok(BASH.into()),
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Zsh => &Zsh,
    };
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, NAME, NAME, NAME, &mut script)?;
    Ok(script)
}

/// Answers a shell that asks for candidates, and ends the program then. Returns if no shell asks.
pub(crate) fn answer() {
    if std::env::var_os(VARIABLE).is_some() {
        CompleteEnv::with_factory(Program::command).var(VARIABLE).complete();
    }
}

/// Rules and whole layers, for options that set a level.
pub(crate) fn levels() -> Vec<CompletionCandidate> {
    let layers = Layer::all().map(|layer| {
        CompletionCandidate::new(format!("{layer}::*")).help(Some(format!("every rule of {layer}").into()))
    });
    rules().into_iter().chain(layers).collect()
}

/// Rules and facts, which can be explained.
pub(crate) fn subjects() -> Vec<CompletionCandidate> {
    let facts = Fact::all().map(|fact| candidate(fact.name(), fact.entry().title));
    rules().into_iter().chain(facts).collect()
}

pub(crate) fn rules() -> Vec<CompletionCandidate> {
    Rule::all().map(|rule| candidate(rule.name(), rule.entry().title)).collect()
}

/// Limits, each with the sign before its value.
pub(crate) fn limits() -> Vec<CompletionCandidate> {
    Limit::all().map(|limit| CompletionCandidate::new(format!("{limit}="))).collect()
}

/// Releases of Xen.
pub(crate) fn targets() -> Vec<CompletionCandidate> {
    Target::all().map(|target| CompletionCandidate::new(target.to_string())).collect()
}

/// Record types.
pub(crate) fn types() -> Vec<CompletionCandidate> {
    let mut names: Vec<&str> = Kind::names().collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn candidate(name: &str, title: &str) -> CompletionCandidate {
    CompletionCandidate::new(name).help(Some(title.to_owned().into()))
}
