//! The cases and the valid streams as files of the repository's corpus.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use xenstream_core::wire::Order;
use xenstream_core::{Checkpointing, Profile, RecordRef};

use crate::cases::{self, Case, Outcome};
use crate::stream::Stream;
use crate::valid::{self, Kind, Machine};

/// Folder of the streams that break one rule each, and of their neighbours.
pub const RULES: &str = "rules";
/// Folder of the streams that break none.
pub const VALID: &str = "valid";
/// The table of cases: one JSON object a line, for each case where it is broken and what each profile makes of it.
pub const MANIFEST: &str = "rules/cases.jsonl";

/// A file of the corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CorpusFile {
    /// Path inside the corpus, with `/` between its parts.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Every file that is made and not captured, the same in every run.
///
/// # Panics
/// Two cases have the same name.
#[must_use]
pub fn corpus() -> Vec<CorpusFile> {
    let cases = cases::all();
    let mut files = vec![manifest(&cases)];
    for case in cases {
        let paths = Paths::of(&case);
        files.push(CorpusFile { path: paths.stream, bytes: case.stream });
        files.push(CorpusFile { path: paths.neighbour, bytes: case.neighbour });
        if !case.host.is_empty() {
            files.push(CorpusFile { path: paths.host, bytes: case.host.into() });
        }
    }
    for (name, stream) in valid_streams() {
        files.push(CorpusFile { path: format!("{VALID}/{name}.bin"), bytes: stream.bytes() });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let twice = files.windows(2).find(|pair| pair[0].path == pair[1].path);
    assert!(twice.is_none(), "two files of one name: {:?}", twice.map(|pair| &pair[0].path));
    files
}

/// Valid streams and their names: every kind of guest in every container, in both versions and byte orders, and
/// checkpointed ones. What is big-endian no released Xen restores, but the specification allows it.
#[must_use]
pub fn valid_streams() -> Vec<(String, Stream)> {
    let mut streams = Vec::new();
    for machine in Machine::all() {
        for (version, order) in [(3, Order::Little), (3, Order::Big), (2, Order::Little), (2, Order::Big)] {
            let bare = machine.libxc();
            let bare = if version == 2 { bare.as_version_2() } else { bare };
            let libxl = machine.of(bare.clone());
            let xenopsd = bare.clone().in_xenopsd();
            let xenopsd = if machine == Machine::Hvm { xenopsd.with_blobs() } else { xenopsd };
            let (xl, libvirt) = (libxl.clone().in_xl(), libxl.clone().in_libvirt());
            for stream in [bare, libxl, xl, libvirt, xenopsd] {
                let suffix = if order == Order::Big { "-be" } else { "" };
                let name = format!("{}-v{version}{suffix}.{}", machine.name(), stream.format());
                streams.push((name, stream.with_order(order)));
            }
        }
    }
    for machine in [Machine::Pv32, Machine::Hvm] {
        let remus = valid::checkpointed(machine, Kind::Remus, 2);
        streams.push((format!("{}-remus.libxl", machine.name()), remus.clone()));
        streams.push((format!("{}-remus-be.libxl", machine.name()), remus.with_order(Order::Big)));
    }
    let colo = valid::checkpointed(Machine::Hvm, Kind::Colo, 2);
    streams.push(("hvm-colo.xl".to_owned(), colo.clone().in_xl()));
    streams.push(("hvm-colo-be.libxl".to_owned(), colo.with_order(Order::Big)));
    streams
}

/// Brings the folder of the corpus up to date: writes what is missing or stale, and removes what is in the folders of
/// made streams and not among them. Tells how many files there are.
///
/// # Errors
/// Whatever the file system says.
pub fn write_corpus(corpus: &Path) -> io::Result<usize> {
    let files = self::corpus();
    for path in extra(corpus, &files)? {
        fs::remove_file(corpus.join(path))?;
    }
    for file in &files {
        let path = corpus.join(&file.path);
        if fs::read(&path).is_ok_and(|bytes| bytes == file.bytes) {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, &file.bytes)?;
    }
    Ok(files.len())
}

/// Compares the folder of the corpus with what it should be: a line for each file that is missing, stale, or not part
/// of it.
///
/// # Errors
/// A folder cannot be read.
pub fn check_corpus(corpus: &Path) -> io::Result<Vec<String>> {
    let files = self::corpus();
    let mut lines: Vec<String> =
        extra(corpus, &files)?.iter().map(|path| format!("not part of it: {path}")).collect();
    for file in files {
        match fs::read(corpus.join(&file.path)) {
            Ok(bytes) if bytes == file.bytes => {}
            Ok(_) => lines.push(format!("stale: {}", file.path)),
            Err(_) => lines.push(format!("missing: {}", file.path)),
        }
    }
    Ok(lines)
}

/// Files in the corpus' folders that it does not have.
fn extra(corpus: &Path, files: &[CorpusFile]) -> io::Result<Vec<String>> {
    let known: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(RULES), PathBuf::from(VALID)];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(corpus.join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
                continue;
            }
            let path = path
                .components()
                .map(|part| part.as_os_str().to_string_lossy())
                .collect::<Vec<_>>()
                .join("/");
            // A README may say what the folder holds.
            if !known.contains(path.as_str()) && !path.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

struct Paths {
    stream: String,
    neighbour: String,
    host: String,
}

impl Paths {
    fn of(case: &Case) -> Paths {
        let path = format!("{RULES}/{}/{}", case.rule.layer(), case.name());
        Paths {
            stream: format!("{path}.bin"),
            neighbour: format!("{path}.ok.bin"),
            host: format!("{path}.host.json"),
        }
    }
}

/// A line of the table.
#[derive(Serialize)]
struct Line<'a> {
    rule: &'a str,
    file: String,
    neighbour: String,
    format: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpointing: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<&'a str, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    levels: BTreeMap<&'a str, String>,
    /// The file with the description of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    layer: &'a str,
    offset: u64,
    record: Option<Place<'a>>,
    outcomes: BTreeMap<&'a str, Verdict<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'a str,
}

#[derive(Serialize)]
struct Place<'a> {
    layer: &'a str,
    index: u64,
    /// Absent while the record's header is torn.
    #[serde(rename = "type")]
    kind: Option<String>,
    offset: u64,
}

#[derive(Serialize)]
struct Verdict<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'a str>,
}

fn manifest(cases: &[Case]) -> CorpusFile {
    let mut bytes = Vec::new();
    for case in cases {
        let paths = Paths::of(case);
        let line = Line {
            rule: case.rule.name(),
            file: paths.stream,
            neighbour: paths.neighbour,
            format: case.format.name(),
            checkpointing: checkpointing(case.checkpointing),
            limits: case.limits.iter().map(|(limit, value)| (limit.name(), *value)).collect(),
            levels: case.levels.iter().map(|(rule, level)| (rule.name(), level.to_string())).collect(),
            host: (!case.host.is_empty()).then_some(paths.host),
            layer: case.rule.layer().name(),
            offset: case.offset,
            record: case.record.as_ref().map(place),
            outcomes: Profile::all()
                .map(|profile| (profile.name(), verdict(case.outcome(profile))))
                .collect(),
            note: case.note,
        };
        serde_json::to_writer(&mut bytes, &line).expect("names and numbers become JSON");
        bytes.push(b'\n');
    }
    CorpusFile { path: MANIFEST.to_owned(), bytes }
}

fn checkpointing(kind: Checkpointing) -> Option<&'static str> {
    match kind {
        Checkpointing::Auto => None,
        Checkpointing::Plain => Some("plain"),
        Checkpointing::Remus => Some("remus"),
        Checkpointing::Colo => Some("colo"),
    }
}

fn place(record: &RecordRef) -> Place<'_> {
    Place {
        layer: record.layer.name(),
        index: record.index,
        kind: record.type_label().map(|label| label.to_string()),
        offset: record.offset,
    }
}

fn verdict(outcome: &Outcome) -> Verdict<'static> {
    Verdict {
        refused: outcome.refused.map(|(rule, _)| rule.name()),
        offset: outcome.refused.map(|(_, offset)| offset),
        warnings: outcome.warnings.iter().map(|rule| rule.name()).collect(),
    }
}
