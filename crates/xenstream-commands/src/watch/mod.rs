//! `xenstream verify` of a store that is looked after: what did not change is not read again, and the outcome goes to monitoring.

mod nagios;
mod settings;
mod shard;
mod state;
pub(crate) mod stats;
mod textfile;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use xenstream::batch::{self, Outcome, Target, verify_all};
use xenstream::{Error, FactSet, Report, json};

pub(crate) use settings::Settings;
pub(crate) use shard::Shard;

use crate::output::{self, ASIDE, BAD, DOUBTFUL, RULE, name};
use crate::progress::Meter;
use crate::status;
use crate::tally::Tally;
use crate::verify::{self, Arguments};
use state::{Stamp, State};

/// What came of an image: enough to report it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Image {
    /// The path, with an escape for each byte that is not printable: no two paths are written the same.
    path: String,
    /// Bytes of the file.
    bytes: u64,
    /// When it was last modified, in seconds since 1970.
    modified: i64,
    verdict: String,
    /// Why it is not valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finding: Option<Finding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guest: Option<String>,
    /// Warnings, each rule once.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    warnings: BTreeSet<String>,
    /// Changes between releases of Xen that decide which releases accept it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    facts: Vec<String>,
    /// It is no image, but a file beside images.
    #[serde(default, skip_serializing_if = "is_false")]
    passed_over: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Finding {
    rule: String,
    offset: u64,
    message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Image {
    fn new(path: &Path, stamp: Option<&Stamp>, result: &Result<Report, Error>, passed_over: bool) -> Image {
        let report = result.as_ref().ok();
        let violation = report.and_then(Report::violation);
        let finding = match (violation, result) {
            (Some(violation), _) => Some(Finding {
                rule: violation.rule.name().to_owned(),
                offset: violation.offset,
                message: violation.message().to_string(),
            }),
            (None, Err(error)) => {
                Some(Finding { rule: error.kind().to_owned(), offset: 0, message: error.to_string() })
            }
            (None, Ok(_)) => None,
        };
        let warnings = report.map(|report| report.warnings.listed()).unwrap_or_default();
        let facts = report.filter(|report| report.is_valid()).map(|report| report.summary.releases.facts());
        Image {
            path: escaped(path),
            bytes: stamp.map_or(0, Stamp::bytes),
            modified: stamp.map_or(0, Stamp::modified),
            verdict: report.map_or("error", |report| report.verdict.name()).to_owned(),
            finding,
            guest: report.and_then(|report| report.guest.kind).map(|kind| kind.name().to_owned()),
            warnings: warnings.iter().map(|warning| warning.rule.name().to_owned()).collect(),
            facts: facts.unwrap_or_default().iter().map(|fact| fact.name().to_owned()).collect(),
            passed_over,
        }
    }

    fn is(&self, verdict: &str) -> bool {
        self.verdict == verdict && !self.passed_over
    }

    /// Returns whether this release takes a valid image, as far as the image tells.
    fn is_accepted_by(&self, target: xenstream::Target) -> bool {
        let facts = self.facts.iter().filter_map(|name| name.parse().ok());
        self.is("valid") && target.accepts(facts.fold(FactSet::EMPTY, FactSet::with))
    }
}

/// A path in printable characters. Every other byte becomes `\xNN`, and a backslash two, so that no two paths are written the same.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                _ if character.is_control() || is_format(character) => {
                    let mut bytes = [0; 4];
                    for byte in character.encode_utf8(&mut bytes).bytes() {
                        // Writing to a string does not fail.
                        let _ = write!(text, "\\x{byte:02x}");
                    }
                }
                _ => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Characters that change how others are shown: line and paragraph separators, marks of direction, and the byte-order mark.
fn is_format(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// A file to look at. In a directory, it need not be an image.
struct Candidate {
    path: PathBuf,
    is_named: bool,
}

/// What a run came to.
pub(crate) struct Store {
    images: Vec<Image>,
    /// How many of them were not read, because they have not changed.
    unchanged: u64,
    seconds: f64,
}

/// Verifies these targets. Returns the exit status.
pub(crate) fn run(arguments: &Arguments, targets: &[Target]) -> io::Result<u8> {
    let started = Instant::now();
    let settings = arguments.settings();
    let options = arguments.options_for(settings.host.as_deref());
    let options = match options {
        Ok(options) => options,
        Err(message) => {
            output::complain(&message);
            return Ok(status::FAILED);
        }
    };
    let (candidates, unlisted) = candidates(targets, &settings, arguments.shard());
    let mut state = settings.state.as_deref().map(|path| State::load(path, &options));
    let mut store = Store { images: Vec::new(), unchanged: 0, seconds: 0.0 };
    let mut tally = Tally::default();
    let mut out = if arguments.is_json() { output::stdout() } else { output::text() };

    for (path, error) in unlisted {
        let result = Err(error);
        tally.count(&result);
        verify::print(&mut out, arguments, &path, &result)?;
        store.images.push(Image::new(&path, None, &result, false));
    }
    let mut changed = Vec::new();
    for candidate in candidates {
        let stamp = Stamp::of(&candidate.path);
        let known = state.as_ref().and_then(|state| state.find(&candidate.path, stamp.as_ref()?));
        match known {
            Some(image) => {
                if !image.passed_over {
                    tally.count_verdict(&image.verdict);
                }
                print_unchanged(&mut out, arguments, &candidate.path, image)?;
                store.images.push(image.clone());
                store.unchanged += u64::from(!image.passed_over);
            }
            None => changed.push((candidate, stamp)),
        }
    }
    let files: Vec<Target> =
        changed.iter().map(|(candidate, _)| Target::File(candidate.path.clone())).collect();
    let mut changed = changed.into_iter();
    let written = Meter::watch(arguments.progress(), false, &files, |meter| {
        let mut written = Ok(());
        verify_all(
            &files,
            &options,
            None,
            |_| meter.observer(None::<()>),
            |Outcome { path, result, .. }| {
                let (candidate, stamp) = match changed.next() {
                    Some((candidate, stamp)) => (Some(candidate), stamp),
                    None => (None, None),
                };
                let is_named = candidate.is_none_or(|candidate| candidate.is_named);
                let passed_over =
                    !is_named && result.as_ref().is_ok_and(|report| batch::is_no_image(&path, report));
                let image = Image::new(&path, stamp.as_ref(), &result, passed_over);
                written = meter.print(|| match &result {
                    Ok(report) if passed_over => {
                        tally.pass_over(&path, report);
                        Ok(())
                    }
                    _ => {
                        tally.count(&result);
                        verify::print(&mut out, arguments, &path, &result)?;
                        out.flush()
                    }
                });
                // A file that changed meanwhile is read again the next time, as is one that could not be read.
                if let Some((state, stamp)) = state.as_mut().zip(stamp)
                    && result.is_ok()
                {
                    state.note(&path, &stamp, &image);
                }
                store.images.push(image);
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
        );
        written
    });
    written?;
    store.seconds = started.elapsed().as_secs_f64();
    if let Some(state) = &mut state {
        state.keep_only(&store.images);
    }
    if let (Some(state), Some(path)) = (&state, &settings.state)
        && let Err(error) = state.save(path)
    {
        output::remark(&format!(
            "{}: cannot be written, everything will be verified again: {error}",
            name(path)
        ));
    }
    let mut is_failed = false;
    if let Some(path) = &settings.textfile
        && let Err(error) = textfile::write(path, &store)
    {
        output::complain(&format!("{}: {error}", name(path)));
        is_failed = true;
    }
    if arguments.is_nagios() {
        let (line, nagios_status) = nagios::line(&store);
        writeln!(out, "{line}")?;
        out.flush()?;
        return Ok(nagios_status);
    }
    if arguments.has_stats() {
        stats::print(&mut out, &store, arguments.is_json())?;
    }
    verify::finish(&mut out, arguments, &tally)?;
    out.flush()?;
    Ok(if is_failed { status::FAILED } else { tally.status() })
}

/// The files that the targets name, those of the shard, and what could not be listed. A directory of the settings may be absent.
fn candidates(
    targets: &[Target],
    settings: &Settings,
    shard: Option<Shard>,
) -> (Vec<Candidate>, Vec<(PathBuf, Error)>) {
    let (mut candidates, mut unlisted) = (Vec::new(), Vec::new());
    let is_there = |path: &&PathBuf| !matches!(fs::metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let watched = settings.directories.iter().filter(is_there).cloned().map(Target::Directory);
    for target in targets.iter().cloned().chain(watched) {
        match target {
            Target::Stdin => candidates.push(Candidate { path: "-".into(), is_named: true }),
            Target::File(path) => candidates.push(Candidate { path, is_named: true }),
            // Whether it has changed is known only to its server.
            Target::Elsewhere(image) => {
                let (path, source) = (image.path.clone(), io::ErrorKind::Unsupported.into());
                unlisted.push((image.path, Error::Open { path, source }));
            }
            Target::Directory(ref path) | Target::AllOf(ref path) => {
                let is_named = matches!(target, Target::AllOf(_));
                for file in batch::files(path) {
                    match file {
                        Ok(path) => candidates.push(Candidate { path, is_named }),
                        Err(error) => unlisted.push(error),
                    }
                }
            }
        }
    }
    candidates.retain(|candidate| shard.is_none_or(|shard| shard.has(&candidate.path)));
    (candidates, unlisted)
}

/// The JSON object for an image that was not read again.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Unchanged<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<&'a [u8]>,
    verdict: &'a str,
    unchanged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    violation: Option<&'a Finding>,
    size: u64,
}

/// Reports an image that is not valid and has not changed. There is nothing to say of a valid one.
fn print_unchanged(
    out: &mut impl Write,
    arguments: &Arguments,
    path: &Path,
    image: &Image,
) -> io::Result<()> {
    if image.passed_over || image.is("valid") || arguments.is_nagios() {
        return Ok(());
    }
    if arguments.is_json() {
        let object = Unchanged {
            path: path.to_string_lossy().into_owned(),
            path_bytes: path.to_str().is_none().then(|| path.as_os_str().as_bytes()),
            verdict: &image.verdict,
            unchanged: true,
            violation: image.finding.as_ref(),
            size: image.bytes,
        };
        return json::write_line(out, &object);
    }
    if arguments.quiet() > 1 {
        return Ok(());
    }
    let style = if image.is("unjudged") { DOUBTFUL } else { BAD };
    writeln!(out, "{}: {style}{}{style:#}, unchanged since it was verified", name(path), image.verdict)?;
    match &image.finding {
        Some(Finding { rule, offset, message }) => {
            writeln!(out, "  {RULE}{rule}{RULE:#}: {message}")?;
            writeln!(out, "    {ASIDE}at offset {offset} ({offset:#x}){ASIDE:#}")
        }
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::ffi::OsStr;

    use super::*;

    pub(crate) fn image(path: &[u8], verdict: &str) -> Image {
        let finding = Finding { rule: "stream::truncated".into(), offset: 7, message: "cut".into() };
        Image {
            path: escaped(Path::new(OsStr::from_bytes(path))),
            bytes: 4096,
            modified: 1_000_000,
            verdict: verdict.into(),
            finding: (verdict != "valid").then_some(finding),
            guest: Some("hvm".into()),
            warnings: BTreeSet::new(),
            facts: vec!["V3".into()],
            passed_over: false,
        }
    }

    pub(crate) fn store(images: Vec<Image>) -> Store {
        Store { images, unchanged: 1, seconds: 0.5 }
    }

    #[test]
    fn no_two_paths_are_escaped_alike() {
        let paths: [&[u8]; 8] = [
            b"a\nb",
            b"a\\nb",
            b"a\\x0ab",
            b"a\xFFb",
            b"a\\xffb",
            "a\u{202e}b".as_bytes(),
            "\u{fc}".as_bytes(),
            b"\"",
        ];
        let texts: BTreeSet<String> =
            paths.iter().map(|path| escaped(Path::new(OsStr::from_bytes(path)))).collect();
        assert_eq!(texts.len(), paths.len());
        assert!(texts.iter().all(|text| !text.contains('\n') && !text.contains('\u{202e}')));
        assert!(texts.contains("\u{fc}") && texts.contains("a\\xffb"));
    }

    #[test]
    fn releases_follow_from_the_facts() {
        let takes = |name: &str| image(b"a", "valid").is_accepted_by(name.parse().unwrap());
        assert!(takes("4.14.0") && !takes("4.13.0"));
        assert!(!image(b"a", "invalid").is_accepted_by("4.20.0".parse().unwrap()));
    }
}
