//! Checks the links between Markdown files: the file must exist, and so must the heading. Links to other hosts are not
//! followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};
use walkdir::WalkDir;

use crate::root;

/// The table of contents of the book, which must list every page beside it.
const SUMMARY: &str = "docs/SUMMARY.md";

/// Folders without documentation of ours.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

/// Fails if a link leads nowhere, or a page is missing from the book.
pub(super) fn check() -> Result<()> {
    let pages = pages()?;
    let mut broken = Vec::new();
    for (path, page) in &pages {
        for link in &page.links {
            if let Some(why) = fault(path, link, &pages) {
                broken.push(format!("{}: {link}: {why}", path.display()));
            }
        }
    }
    let summary = Path::new(SUMMARY);
    let listed: BTreeSet<_> = pages.get(summary).map(|page| &page.links).into_iter().flatten().collect();
    let beside = pages.keys().filter(|path| path.parent() == summary.parent() && *path != summary);
    for path in beside {
        if !path.file_name().is_some_and(|name| listed.iter().any(|link| *link.as_str() == *name)) {
            broken.push(format!("{SUMMARY}: {} is missing", path.display()));
        }
    }
    ensure!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
    Ok(())
}

/// The links and the headings of a page.
#[derive(Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

/// Reads every Markdown file of the repository. Paths are relative to its root.
fn pages() -> Result<BTreeMap<PathBuf, Page>> {
    let mut pages = BTreeMap::new();
    let is_ours = |name: &str| !SKIPPED.contains(&name);
    let walk = WalkDir::new(root()).into_iter();
    for entry in walk.filter_entry(|entry| entry.file_name().to_str().is_none_or(is_ours)) {
        let entry = entry.context("cannot list the repository")?;
        if entry.file_type().is_file() && entry.path().extension().is_some_and(|extension| extension == "md")
        {
            let text =
                fs::read_to_string(entry.path()).with_context(|| entry.path().display().to_string())?;
            pages.insert(entry.path().strip_prefix(root())?.to_owned(), Page::parse(&text));
        }
    }
    Ok(pages)
}

/// Returns what is wrong with a link from this page, if anything.
fn fault(from: &Path, link: &str, pages: &BTreeMap<PathBuf, Page>) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = match path {
        "" => from.to_owned(),
        path => normal(&from.parent().unwrap_or(Path::new("")).join(path)),
    };
    if !root().join(&target).exists() {
        return Some("no such file");
    }
    let page = pages.get(&target)?;
    match anchor {
        Some(anchor) if !page.anchors.contains(anchor) => Some("no such heading"),
        _ => None,
    }
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

impl Page {
    /// Finds inline links and headings outside code.
    fn parse(text: &str) -> Page {
        let mut page = Page::default();
        let mut is_code = false;
        for line in text.lines() {
            if line.trim_start().starts_with("```") {
                is_code = !is_code;
                continue;
            }
            if is_code {
                continue;
            }
            if let Some(heading) = line.strip_prefix('#') {
                page.add_anchor(heading.trim_start_matches('#').trim());
            }
            // Every other piece is between backticks.
            let prose = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            for rest in prose.split("](").skip(1) {
                let link = rest.split([')', ' ']).next().unwrap_or("");
                page.links.push(link.to_owned());
            }
        }
        page
    }

    /// Adds the anchor that a heading gets. Headings of the same text are numbered.
    fn add_anchor(&mut self, heading: &str) {
        let slug = slug(heading);
        let numbered = (1..).map(|n| format!("{slug}-{n}"));
        if let Some(free) =
            [slug.clone()].into_iter().chain(numbered).find(|name| !self.anchors.contains(name))
        {
            self.anchors.insert(free);
        }
    }
}

/// The anchor of a heading: lower case, without punctuation, hyphens in place of spaces.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# One `two`: three
See [a](b.md), [c](d/e.md#f \"title\") and `[no](code.md)`.
```console
[no](fence.md)
```
## Twice
## Twice
";

    #[test]
    fn links_and_headings_are_found() {
        let page = Page::parse(TEXT);
        assert_eq!(page.links, ["b.md", "d/e.md#f"]);
        assert_eq!(page.anchors.iter().collect::<Vec<_>>(), ["one-two-three", "twice", "twice-1"]);
    }

    #[test]
    fn faults_name_their_kind() {
        let pages = BTreeMap::from([(PathBuf::from("README.md"), Page::parse(TEXT))]);
        for (link, expected) in [
            ("https://example.org/nothing", None),
            ("#twice-1", None),
            ("#thrice", Some("no such heading")),
            ("../README.md#twice", None),
            ("absent.md", Some("no such file")),
        ] {
            let from = if link.starts_with('#') { "README.md" } else { "docs/page.md" };
            assert_eq!(fault(Path::new(from), link, &pages), expected, "{link}");
        }
    }

    #[test]
    fn links_of_the_repository_lead_somewhere() {
        check().unwrap();
    }
}
