//! The static library of the package. A linker takes from an archive whatever a program asks for by name, and cargo's has
//! the names of all that was compiled into it: a program that uses the system's liblzma or libzstd as well would get
//! ours under it, or none at all. So everything is linked into one object, which knows no names but our own.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::run_quietly;

/// How the names begin that programs may use.
pub(super) const PREFIX: &str = "xs_";

/// Makes the library out of cargo's, with the help of a directory.
pub(super) fn make(cargos: &Path, library: &Path, directory: &Path) -> Result<()> {
    let entries = exported(cargos, &[])?.into_iter().filter(|name| name.starts_with(PREFIX));
    let entries: Vec<_> = entries.map(|name| format!("--undefined={name}")).collect();
    ensure!(!entries.is_empty(), "{} has none of our functions", cargos.display());
    let object = directory.join("xenstream.o");
    let mut linker = Command::new("ld");
    // What cannot be reached from our functions stays out. A group is shared by its name with the same group of other
    // objects, so it would be lost once that name is hidden.
    linker.args(["--relocatable", "--gc-sections", "--force-group-allocation"]).args(entries);
    run_quietly(linker.arg("-o").arg(&object).arg(cargos))?;
    let mut hide = Command::new("objcopy");
    hide.args(["--strip-debug", "--wildcard", &format!("--keep-global-symbol={PREFIX}*")]);
    run_quietly(hide.arg(&object))?;
    // An old one would be added to.
    if library.exists() {
        fs::remove_file(library)?;
    }
    // D: without the time and its owner.
    run_quietly(Command::new("ar").arg("rcsD").args([library, &object]))
}

/// The names that a library has for programs.
pub(super) fn exported(library: &Path, how: &[&str]) -> Result<Vec<String>> {
    let mut nm = Command::new("nm");
    nm.args(["--extern-only", "--defined-only", "--format=posix"]).args(how).arg(library);
    let output = nm.output()?;
    ensure!(output.status.success(), "{nm:?} fails ({})", output.status);
    let text = String::from_utf8(output.stdout)?;
    // Headings are a word: an archive's member.
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let mut names: Vec<_> = lines.map(|(name, _)| name.to_owned()).collect();
    names.sort();
    Ok(names)
}
