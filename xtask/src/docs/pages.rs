//! Generates man pages and shell completions from the definition of the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use xenstream_commands::{Shell, completions};

const NAME: &str = "xenstream";

/// Pages of section 1 that each page refers to, besides `xenstream(1)`.
const SEE_ALSO: &[(&str, &[&str])] = &[
    ("verify", &["explain", "rules", "targets", "inspect", "relay"]),
    ("relay", &["verify", "explain"]),
    ("inspect", &["verify", "diff", "report"]),
    ("report", &["inspect", "verify"]),
    ("scrub", &["inspect", "verify"]),
    ("convert", &["targets", "verify", "extract"]),
    ("extract", &["convert", "verify"]),
    ("diff", &["inspect", "verify"]),
    ("synth", &["verify", "rules"]),
    ("rules", &["explain", "verify"]),
    ("targets", &["explain", "convert", "verify"]),
    ("explain", &["rules", "targets", "verify"]),
    ("completions", &["verify"]),
    ("host", &["targets", "verify"]),
    ("verify-stream-v2", &["verify"]),
];

/// Shells, with the folder and the name under which each looks for a program's completions.
const SHELLS: [(Shell, &str); 3] =
    [(Shell::Bash, "bash/xenstream"), (Shell::Fish, "fish/xenstream.fish"), (Shell::Zsh, "zsh/_xenstream")];

/// The files, by path in the repository.
pub(super) fn files() -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    // There is no page for `xenstream help`.
    let mut program = xenstream_commands::command_line().disable_help_subcommand(true);
    program.build();
    let subcommands = program.get_subcommands().map(Command::get_name).collect::<Vec<_>>();
    page(&program, "xenstream-save-helper(8), xl(1)", &subcommands, &mut files)?;
    for command in program.get_subcommands() {
        let related = SEE_ALSO.iter().find(|(name, _)| *name == command.get_name());
        let (_, related) = related.with_context(|| format!("SEE_ALSO lacks {}", command.get_name()))?;
        page(command, "xenstream(1)", related, &mut files)?;
    }
    for (shell, name) in SHELLS {
        files.insert(Path::new("docs/completions").join(name), completions(shell)?);
    }
    Ok(files)
}

/// Adds the page of a command, in section 1 under its display name, such as `xenstream-verify`.
fn page(
    command: &Command,
    first_reference: &str,
    related: &[&str],
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Result<()> {
    let name = command.get_display_name().unwrap_or(NAME);
    let mut bytes = Vec::new();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .source(concat!("xenstream ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    man.render_title(&mut bytes)?;
    man.render_name_section(&mut bytes)?;
    synopsis(command).to_writer(&mut bytes)?;
    man.render_description_section(&mut bytes)?;
    man.render_options_section(&mut bytes)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut bytes)?;
    }
    if let Some(help) = command.get_after_long_help().or(command.get_after_help()) {
        help_sections(&help.to_string()).to_writer(&mut bytes)?;
    }
    let mut references = vec![first_reference.to_owned()];
    references.extend(related.iter().map(|name| format!("{NAME}-{name}(1)")));
    let mut see_also = Roff::new();
    see_also.control("SH", ["SEE ALSO"]).text([roman(references.join(", "))]);
    see_also.to_writer(&mut bytes)?;
    files.insert(Path::new("docs/man").join(format!("{name}.1")), bytes);
    Ok(())
}

/// The section with the usage line.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    let name = command.get_bin_name().unwrap_or(NAME);
    let arguments = usage.strip_prefix(name).unwrap_or(usage);
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).text([bold(name), roman(arguments)]);
    roff
}

/// Turns the text after the options into sections: examples, exit status, and notes.
fn help_sections(help: &str) -> Roff {
    let mut roff = Roff::new();
    let mut has_section = false;
    for paragraph in help.trim().split("\n\n") {
        let (heading, lines) = match paragraph.split_once('\n') {
            Some(("Examples:", lines)) => ("EXAMPLES", lines),
            Some(("Exit status:", lines)) => ("EXIT STATUS", lines),
            _ if has_section => {
                roff.control("PP", []).text([roman(paragraph)]);
                continue;
            }
            _ => {
                roff.control("SH", ["NOTES"]).text([roman(paragraph)]);
                has_section = true;
                continue;
            }
        };
        has_section = true;
        roff.control("SH", [heading]);
        for line in lines.lines() {
            let line = line.trim();
            // Three spaces set a remark apart from a command, and two a meaning from a status.
            let gap = if heading == "EXAMPLES" { "   " } else { "  " };
            let (term, meaning) = line.split_once(gap).unwrap_or((line, ""));
            roff.control("TP", []).text([bold(term)]).text([roman(meaning.trim())]);
        }
    }
    roff
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::root;

    /// Every `name(section)` of this project's pages in a page.
    fn references(page: &str) -> Vec<String> {
        let page = page.replace("\\-", "-").replace("\\fR", "").replace("\\fB", "").replace(" (", "(");
        let words = page.split(|c: char| c.is_whitespace() || c == ',');
        words
            .filter_map(|word| word.split_once('('))
            .filter(|(name, _)| name.starts_with(NAME))
            .filter_map(|(name, rest)| Some(format!("{name}.{}", rest.split_once(')')?.0)))
            .collect()
    }

    #[test]
    fn man_pages_refer_to_pages_that_exist() {
        let files = files().unwrap();
        let mut checked = 0;
        for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with("docs/man")) {
            let page = String::from_utf8(bytes.clone()).unwrap();
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "SEE ALSO"] {
                assert!(
                    page.contains(&format!(".SH {section}\n").replace("SEE ALSO", "\"SEE ALSO\"")),
                    "{}: {section}",
                    path.display()
                );
            }
            for reference in references(&page) {
                let target = Path::new("docs/man").join(&reference);
                assert!(
                    files.contains_key(&target) || root().join(&target).is_file(),
                    "{}: {reference}",
                    path.display()
                );
                checked += 1;
            }
        }
        let helper = fs::read_to_string(root().join("docs/man/xenstream-save-helper.8")).unwrap();
        for reference in references(&helper) {
            assert!(files.contains_key(&Path::new("docs/man").join(&reference)), "{reference}");
            checked += 1;
        }
        assert!(checked > 30, "{checked}");
    }
}
