//! Whose work is in the package and under which terms, in Debian's machine-readable form: ours, and that of everybody
//! whose crates and C code are linked into it. Their licences want that to be told with binaries too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package as Crate, PackageId, Target};

use super::build::CRATES;
use crate::root;

/// How the texts of licences begin, after titles and notices, and what else is in them; the first that fits.
const LICENCES: [(&str, &str, &str); 8] = [
    ("Apache-2.0 WITH LLVM-exception", "--- LLVM Exceptions to the Apache 2.0 License", ""),
    (APACHE, "Apache License", "Version 2.0"),
    ("MIT", "Permission is hereby granted, free of charge", ""),
    ("BSD-3-Clause", "Redistribution and use in source and binary forms", "Neither the name"),
    ("BSD-2-Clause", "Redistribution and use in source and binary forms", ""),
    ("0BSD", "Permission to use, copy, modify, and/or distribute", ""),
    ("Unlicense", "This is free and unencumbered software", ""),
    ("Zlib", "This software is provided 'as-is'", ""),
];

const APACHE: &str = "Apache-2.0";

/// Debian wants this one not to be quoted.
const APACHE_TEXT: &str =
    "On Debian systems the text of this licence is in\n/usr/share/common-licenses/Apache-2.0.";

/// C code that lies in a crate: the library, as cargo knows it, the folder, its licence, and a file that says more.
const BUNDLED: [(&str, &str, &str, Option<&str>); 2] =
    [("zstd", "zstd", "BSD-3-Clause", None), ("lzma", "xz", "0BSD", Some("COPYING"))];

/// The file `copyright` of what is built for a machine. What Rust's standard library is made of may be told in a file
/// of this name.
pub(super) fn text(triple: &str, library: Option<&str>) -> Result<String> {
    let ours = Component::read("xenstream", "*".to_owned(), root(), env!("CARGO_PKG_LICENSE"))?;
    let mut components = vec![ours, Component::standard_library(library)];
    for linked in crates(triple)? {
        let directory =
            linked.manifest_path.parent().context("a manifest lies in a directory")?.as_std_path();
        let files = format!("vendor/{}-{}", linked.name, linked.version);
        let licence = linked.license.as_deref().with_context(|| format!("{files} has no licence"))?;
        let mut component = Component::read(&linked.name, format!("{files}/*"), directory, licence)?;
        component.name_authors(&linked.authors);
        components.push(component);
        if let Some(library) = &linked.links {
            let bundled = BUNDLED.iter().find(|(name, ..)| name == library);
            let (_, folder, licence, more) =
                bundled.with_context(|| format!("whose work is {library}, which {files} links?"))?;
            let directory = directory.join(folder);
            let mut component = Component::read(folder, format!("{files}/{folder}/*"), &directory, licence)?;
            component.name_authors(&[]);
            component.comment = more.map(|file| fs::read_to_string(directory.join(file))).transpose()?;
            components.push(component);
        }
    }
    write(&components)
}

/// The crates of others that are linked: neither those that only build or test ours, nor what is run by the compiler.
fn crates(triple: &str) -> Result<Vec<Crate>> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml"));
    command.other_options(["--filter-platform".to_owned(), triple.to_owned()]);
    let metadata = command.exec()?;
    let mut linked = BTreeSet::new();
    for package in metadata.workspace_packages() {
        if CRATES.contains(&package.name.as_str()) {
            follow(&metadata, &package.id, &mut linked)?;
        }
    }
    let others = linked.iter().map(|id| &metadata[id]).filter(|package| package.source.is_some());
    Ok(others.cloned().collect())
}

fn follow(metadata: &Metadata, id: &PackageId, linked: &mut BTreeSet<PackageId>) -> Result<()> {
    let runs_in_compiler = metadata[id].targets.iter().any(Target::is_proc_macro);
    if runs_in_compiler || !linked.insert(id.clone()) {
        return Ok(());
    }
    let resolve = metadata.resolve.as_ref().context("cargo resolves no dependencies")?;
    for dependency in &resolve[id].deps {
        if dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal) {
            follow(metadata, &dependency.pkg, linked)?;
        }
    }
    Ok(())
}

/// Files of the same authors under the same terms.
struct Component {
    name: String,
    files: String,
    /// As the notices say, without the word.
    copyright: BTreeSet<String>,
    /// An expression, as crates have it.
    licence: String,
    /// Licences and their texts.
    texts: Vec<(&'static str, String)>,
    comment: Option<String>,
}

impl Component {
    /// What the licences in a directory tell.
    fn read(name: &str, files: String, directory: &Path, licence: &str) -> Result<Component> {
        let mut component = Component {
            name: name.to_owned(),
            files,
            copyright: BTreeSet::new(),
            licence: licence.to_owned(),
            texts: Vec::new(),
            comment: None,
        };
        for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().to_uppercase();
            ensure!(!file.starts_with("NOTICE"), "{name} has a notice, which has to be passed on");
            let is_licence = ["LICEN", "COPYING", "UNLICENSE"].iter().any(|word| file.starts_with(word));
            if is_licence && entry.file_type()?.is_file() {
                component.add(&fs::read_to_string(entry.path())?);
            }
        }
        component.texts.sort();
        component.texts.dedup();
        Ok(component)
    }

    /// Takes up a licence's text, and the notices in it. A text of another licence than we know is none that the
    /// expression asks for, or one that will be missed.
    fn add(&mut self, text: &str) {
        let known = LICENCES.iter().find_map(|(licence, begin, more)| {
            text.find(begin).filter(|_| text.contains(more)).map(|at| (*licence, at))
        });
        let Some((licence, at)) = known else { return };
        let text_alone = if licence == APACHE { APACHE_TEXT } else { text[at..].trim_end() };
        self.texts.push((licence, text_alone.to_owned()));
        for line in text.lines().map(str::trim) {
            let notice = ["Copyright ", "(C) "].iter().find_map(|word| line.strip_prefix(word));
            // A template is no notice.
            if let Some(notice) = notice.filter(|notice| !notice.contains(['[', '{'])) {
                let notice = notice.trim_start_matches("(c)").trim_start_matches("(C)");
                self.copyright.insert(notice.trim_start_matches(['\u{a9}', ' ']).to_owned());
            }
        }
    }

    /// Says who they are where the notices name nobody.
    fn name_authors(&mut self, authors: &[String]) {
        if self.copyright.iter().any(|notice| notice.contains(char::is_alphabetic)) {
            return;
        }
        self.copyright.extend(authors.iter().cloned());
        if authors.is_empty() {
            self.copyright.insert(format!("the authors of {}", self.name));
        }
    }

    fn standard_library(told_in: Option<&str>) -> Component {
        let more = told_in.map(|file| format!(" What it is made of is told in {file}."));
        Component {
            name: "rust".to_owned(),
            files: "rust/library/*".to_owned(),
            copyright: ["The Rust Project Developers (see https://thanks.rust-lang.org)".to_owned()].into(),
            licence: "MIT OR Apache-2.0".to_owned(),
            texts: Vec::new(),
            comment: Some(format!("Rust's standard library.{}", more.unwrap_or_default())),
        }
    }

    /// The expression as Debian writes it, and with Debian's names of the texts.
    fn terms(&self, names: &Names) -> Result<String> {
        let expression = self.licence.replace('/', " OR ");
        ensure!(!expression.contains('('), "{}: Debian has no way to write {expression}", self.name);
        let alternatives = expression.split(" OR ").map(|alternative| {
            let parts: Result<Vec<_>> =
                alternative.split(" AND ").map(|part| self.term(part, names)).collect();
            Ok(parts?.join(" and "))
        });
        Ok(alternatives.collect::<Result<Vec<_>>>()?.join(" or "))
    }

    /// A licence by the name of its text in this component. Without one of its own, what others say under it.
    fn term(&self, licence: &str, names: &Names) -> Result<String> {
        let own = self.texts.iter().filter(|(known, _)| *known == licence);
        let own: BTreeSet<_> = own.map(|text| names[&key(text)].as_str()).collect();
        if !own.is_empty() {
            return Ok(own.into_iter().collect::<Vec<_>>().join(" and "));
        }
        let name = debians(licence);
        ensure!(names.values().any(|known| *known == name), "{}: nobody has a text of {licence}", self.name);
        Ok(name)
    }
}

/// Debian's name for each text.
type Names = BTreeMap<(&'static str, String), String>;

/// What makes a text the same, however its lines are broken.
fn key((licence, text): &(&'static str, String)) -> (&'static str, String) {
    (licence, text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A text that is used by most goes by the name of its licence, another one by that and a user's.
fn name(components: &[Component]) -> Names {
    let mut users: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for component in components {
        for text in &component.texts {
            users.entry(key(text)).or_default().push(&component.name);
        }
    }
    let most = |licence| {
        let texts = users.iter().filter(|((known, _), _)| *known == licence);
        texts.max_by_key(|(_, users)| users.len()).map(|(text, _)| text)
    };
    let named = users.iter().map(|(text, users)| {
        let name = debians(text.0);
        let name = if most(text.0) == Some(text) { name } else { format!("{name}~{}", users[0]) };
        (text.clone(), name)
    });
    named.collect()
}

fn debians(licence: &str) -> String {
    licence.replace(" WITH LLVM-exception", " with LLVM exception")
}

fn write(components: &[Component]) -> Result<String> {
    let names = name(components);
    let mut paragraphs = BTreeMap::new();
    let mut texts = BTreeMap::new();
    for (index, component) in components.iter().enumerate() {
        // Ours first: what follows overrides it.
        let about = (index > 0, &component.copyright, component.terms(&names)?, &component.comment);
        paragraphs.entry(about).or_insert_with(Vec::new).push(component.files.as_str());
        for text in &component.texts {
            texts.entry(&names[&key(text)]).or_insert(&text.1);
        }
    }
    let mut written = format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: xenstream\n\
         Source: {}\n",
        env!("CARGO_PKG_REPOSITORY")
    );
    for ((_, copyright, terms, comment), files) in paragraphs {
        let copyright: Vec<_> = copyright.iter().map(String::as_str).collect();
        write!(written, "\nFiles: {}\n", files.join("\n "))?;
        write!(written, "Copyright: {}\nLicense: {terms}\n", copyright.join("\n "))?;
        if let Some(comment) = comment {
            write!(written, "Comment:\n{}", indented(comment))?;
        }
    }
    for (name, text) in texts {
        write!(written, "\nLicense: {name}\n{}", indented(text))?;
    }
    Ok(written)
}

/// Text as it is to follow a field's name.
fn indented(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    lines.map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") }).collect()
}
