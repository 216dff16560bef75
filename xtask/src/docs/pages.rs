//! Manual pages and shell completions, from the definition of the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

const NAME: &str = "xenstream";

/// Shells, with the folder and the name under which each looks for a program's completions.
const SHELLS: [(Shell, &str); 3] =
    [(Shell::Bash, "bash/xenstream"), (Shell::Fish, "fish/xenstream.fish"), (Shell::Zsh, "zsh/_xenstream")];

/// The files, by path in the repository.
pub(super) fn files() -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut program = xenstream_commands::command_line();
    program.build();
    page(&program, &mut files)?;
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        page(command, &mut files)?;
    }
    for (shell, name) in SHELLS {
        let mut bytes = Vec::new();
        generate(shell, &mut xenstream_commands::command_line(), NAME, &mut bytes);
        files.insert(Path::new("docs/completions").join(name), bytes);
    }
    Ok(files)
}

/// A page of section 1, under the name that the command is displayed by: `xenstream-verify`.
fn page(command: &Command, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let name = command.get_display_name().unwrap_or(NAME);
    let mut bytes = Vec::new();
    Man::new(command.clone())
        .title(name.to_uppercase())
        .source(concat!("xenstream ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands")
        .render(&mut bytes)?;
    files.insert(Path::new("docs/man").join(format!("{name}.1")), bytes);
    Ok(())
}
