//! The file `copyright`, read as Debian's tools read it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Installed, output};
use crate::dist::build::CRATES;
use crate::root;

impl Installed {
    /// All that is linked is named, and the text of each licence that is named is there.
    pub(super) fn check_copyright(&self, triple: &str) -> Result<()> {
        let text = fs::read_to_string(self.root.join("usr/share/doc/xenstream/copyright"))?;
        let (head, paragraphs) = text.split_once("\n\n").context("the file copyright has no paragraphs")?;
        ensure!(head.starts_with("Format: "), "{head}");
        let (texts, about): (Vec<_>, Vec<_>) =
            paragraphs.split("\n\n").partition(|paragraph| paragraph.starts_with("License: "));
        let mut files = Vec::new();
        for paragraph in about {
            ensure!(!field(paragraph, "Copyright: ")?.is_empty(), "nobody is named in {paragraph}");
            let licences = field(paragraph, "License: ")?;
            for licence in licences.split(" or ").flat_map(|licence| licence.split(" and ")) {
                let begin = format!("License: {licence}\n ");
                ensure!(
                    texts.iter().any(|text| text.starts_with(&begin)),
                    "the text of {licence} is missing"
                );
            }
            files.extend(field(paragraph, "Files: ")?.split_whitespace());
        }
        ensure!(files.first() == Some(&"*"), "what is ours comes first");
        for path in linked(triple)? {
            ensure!(files.contains(&path.as_str()), "nothing is told of {path}");
        }
        for bundled in ["zstd", "xz"] {
            let path = format!("/{bundled}/*");
            ensure!(files.iter().any(|file| file.ends_with(&path)), "nothing is told of {bundled}");
        }
        Ok(())
    }
}

/// What a field of a paragraph says.
fn field<'p>(paragraph: &'p str, name: &str) -> Result<&'p str> {
    let mut begins = paragraph.match_indices(name).map(|(at, _)| at);
    let begin = begins.find(|at| *at == 0 || paragraph[..*at].ends_with('\n'));
    let said = &paragraph[begin.with_context(|| format!("no {name} in {paragraph}"))? + name.len()..];
    // Lines that go on begin with a blank.
    let end = said.match_indices('\n').find(|(at, _)| !said[at + 1..].starts_with(' '));
    Ok(end.map_or(said, |(at, _)| &said[..at]).trim())
}

/// The crates of others that are linked, by how the file calls them, as cargo itself lists them.
fn linked(triple: &str) -> Result<Vec<String>> {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(root()).args(["tree", "--edges", "normal,no-proc-macro", "--target", triple]);
    tree.args(["--prefix", "none", "--format", "{p}", "--no-dedupe"]);
    let tree = output(tree.args(CRATES.iter().flat_map(|name| ["--package", name])), 0)?;
    let tree = String::from_utf8(tree.stdout)?;
    // Ours are followed by where they lie.
    let others = tree.lines().filter(|line| !line.contains(" ("));
    let others = others.filter_map(|line| line.split_once(" v"));
    let paths: Vec<_> = others.map(|(name, version)| format!("vendor/{name}-{version}/*")).collect();
    ensure!(!paths.is_empty(), "cargo lists no crates of others:\n{tree}");
    Ok(paths)
}
