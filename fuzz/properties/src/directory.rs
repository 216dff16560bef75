//! A directory: every image below it is judged once, as by itself, and in the order of the names.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use xenstream::batch::{Target, verify_all};
use xenstream::{Error, Input, Options, Violation, verify};
use xenstream_synth::valid;

/// Most things that are put into the directory.
const MOST: usize = 24;

/// Bytes that say what is put there, and how.
const STEP: usize = 4;

/// Makes a directory of what the bytes say, verifies what is in it with one thread and with three, and each file alone.
///
/// # Panics
/// If the outcomes differ, a file is missed or judged twice, or one outside is touched.
pub fn directory(data: &[u8]) {
    let root = tempfile::tempdir().expect("a directory for temporary files");
    let files = fill(root.path(), data);
    let options = Options::default();
    for target in [Target::AllOf(root.path().to_owned()), Target::Directory(root.path().to_owned())] {
        let alone = outcomes(&target, &options, 1);
        assert_eq!(alone, outcomes(&target, &options, 3), "the number of threads decides");
        let paths: Vec<&Path> = alone.iter().map(|outcome| outcome.path.as_path()).collect();
        assert!(paths.iter().all(|path| path.starts_with(root.path())), "{paths:?}");
        if matches!(target, Target::AllOf(_)) && !files.is_empty() {
            let mut sorted = paths.clone();
            sorted.sort();
            assert_eq!(sorted, files.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        }
        for outcome in &alone {
            let Some(verdict) = &outcome.verdict else { continue };
            let report = verify(Input::Path(&outcome.path), &options, &mut ());
            assert_eq!(*verdict, verdict_of(report.as_ref()), "{:?}", outcome.path);
        }
    }
}

/// What came of an image.
#[derive(Debug, PartialEq)]
struct Outcome {
    path: PathBuf,
    passed_over: bool,
    /// `None` where no file was opened.
    verdict: Option<Verdict>,
}

/// A violation, or the kind of an error.
#[derive(Debug, PartialEq)]
enum Verdict {
    Valid,
    Refused(Violation),
    Failed(&'static str),
}

fn verdict_of(result: Result<&xenstream::Report, &Error>) -> Verdict {
    match result {
        Ok(report) => report.violation().map_or(Verdict::Valid, |violation| Verdict::Refused(*violation)),
        Err(error) => Verdict::Failed(error.kind()),
    }
}

fn outcomes(target: &Target, options: &Options, threads: usize) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    verify_all(
        std::slice::from_ref(target),
        options,
        NonZero::new(threads),
        |_| (),
        |outcome| {
            let verdict = outcome.observer.map(|()| verdict_of(outcome.result.as_ref()));
            outcomes.push(Outcome { path: outcome.path, passed_over: outcome.passed_over, verdict });
            ControlFlow::Continue(())
        },
    );
    outcomes
}

/// Puts files, directories, links and sockets there. Returns the files that are to be found, in the order of the walk.
fn fill(root: &Path, data: &[u8]) -> Vec<PathBuf> {
    let streams = [valid::hvm().bytes(), valid::pv64().in_libxl().in_xl().bytes()];
    let mut folders = vec![root.to_owned()];
    for (n, step) in data.chunks(STEP).take(MOST).enumerate() {
        let [what, place, name, size] = [0, 1, 2, 3].map(|n| step.get(n).copied().unwrap_or(0));
        let folder = &folders[usize::from(place) % folders.len()];
        // Any byte but the two that no name has.
        let byte = if matches!(name, 0 | b'/') { b'x' } else { name };
        let path = folder.join(OsStr::from_bytes(&[byte, b'0' + n as u8]));
        let stream = &streams[usize::from(size) % streams.len()];
        let made = match what % 8 {
            0 | 1 => write(&path, stream),
            2 => write(&path, &stream[..stream.len().min(usize::from(size) * 16)]),
            3 => write(&path, &data[..data.len().min(size.into())]),
            4 => {
                let made = fs::create_dir(&path);
                folders.push(path);
                made
            }
            5 => symlink(&folders[usize::from(size) % folders.len()], &path),
            6 => symlink(folder.join(OsStr::from_bytes(&[byte, b'/' + n as u8])), &path),
            _ => UnixListener::bind(&path).map(drop),
        };
        // A path may be too long for a socket.
        let _ = made;
    }
    let mut files = Vec::new();
    found(root, &mut files);
    files.sort();
    files
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    File::create(path)?.write_all(bytes)
}

/// The files below a directory, and the links to files.
fn found(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a directory of our own") {
        let path = entry.expect("a directory of our own").path();
        let kind = fs::symlink_metadata(&path).expect("a file of our own").file_type();
        if kind.is_dir() {
            found(&path, files);
        } else if kind.is_file() || fs::metadata(&path).is_ok_and(|target| target.is_file()) {
            files.push(path);
        }
    }
}
