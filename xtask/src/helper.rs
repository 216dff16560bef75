//! `cargo xtask helper-test`: `xenstream-save-helper` and `xenstream-xenguest` in front of Xen's own helper, which runs over
//! the stand-in for the hypervisor (see `xtask/restore-harness`). With `--measure`, how long it takes.

mod measure;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use command_fds::{CommandFdExt, FdMapping};
use xenstream_core::{Checkpointing, Format, Guest, Policy, RecordRef, Verifier, Violation};
use xenstream_peer::{Domain, Error, Harness, Packages, Recorded, Release, Row};
use xenstream_synth::valid::Machine;

use crate::{root, scratch};

/// Number of the stream's descriptor.
const STREAM: i32 = 11;
/// How libxl calls its helper.
const RESTORE: [&str; 10] = ["--restore-domain", "11", "-1", "7", "5", "0", "6", "0", "0", "0"];
/// How a toolstack calls xenguest.
const GUEST: [&str; 10] =
    ["-mode", "hvm_restore", "-domid", "7", "-fd", "11", "-store_port", "5", "-console_port", "6"];
/// What libxl has read from a file before, and reads from any stream after.
const BEFORE: &[u8] = b"the libxl stream up to LIBXC_CONTEXT";
const BEHIND: &[u8] = b"the rest of the libxl stream";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Measures how long the helper takes, and tests nothing.
    #[arg(long)]
    measure: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.measure {
        return measure::run();
    }
    match Helpers::get() {
        Ok(helpers) => helpers.test(),
        // A machine that tests every change and could have Xen's helper must not pass without.
        Err(error) if is_unavailable(&error) && !(crate::peer::is_ci() && crate::peer::has_apt()) => {
            println!("helper-test: skipped, {error}");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn is_unavailable(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Unavailable { .. }))
}

/// Builds a program of ours and says where it is.
fn build(program: &str, profile: &str) -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--package", program, "--profile", profile])
        .current_dir(root())
        .status()
        .context("cargo does not start")?;
    ensure!(status.success(), "{program} does not build");
    let directory = if profile == "dev" { "debug" } else { profile };
    Ok(scratch(directory).join(program))
}

/// Our programs and Xen's helper.
struct Helpers {
    ours: PathBuf,
    guest: PathBuf,
    real: PathBuf,
    /// The same, called as xenguest is, which has Xen's restore code in it, too.
    real_guest: PathBuf,
}

/// Which program is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    Ours,
    Guest,
    RealAlone,
}

/// What the stream's descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Pipe,
    Socket,
}

/// What the stream's descriptor is for each program.
const WAYS: [(Kind, Through); 5] = [
    (Kind::File, Through::Ours),
    (Kind::Pipe, Through::Ours),
    (Kind::Socket, Through::Ours),
    (Kind::File, Through::Guest),
    (Kind::Socket, Through::Guest),
];

/// A stream to restore.
struct Stream {
    name: String,
    /// What the domain to restore into was created as.
    domain: Domain,
    bytes: Vec<u8>,
}

/// What came of a restore.
struct Restored {
    output: Output,
    /// What could be read from the descriptor afterwards.
    behind: Vec<u8>,
}

impl Helpers {
    fn get() -> Result<Helpers> {
        let directory = scratch("peer");
        let packages = Packages::fetch(&directory, Release::V4_17)?;
        let harness = Harness::build(&packages, packages.directory())?;
        let (ours, guest) = (build("xenstream-save-helper", "dev")?, build("xenstream-xenguest", "dev")?);
        // The stand-in is for Xen's helper only.
        let script = |name: &str, arguments: &str| {
            let path = directory.join(name);
            let script = format!(
                "#!/bin/sh\nLD_LIBRARY_PATH='{}' LD_PRELOAD='{}' exec '{}' {arguments}\n",
                packages.libraries().display(),
                harness.preload().display(),
                packages.save_helper().display()
            );
            fs::write(&path, script)
                .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
                .map(|()| path)
        };
        let real = script("save-helper", "\"$@\"")?;
        let real_guest = script("xenguest", &RESTORE.join(" "))?;
        Ok(Helpers { ours, guest, real, real_guest })
    }

    fn test(&self) -> Result<()> {
        let recorded = Recorded::load(&root().join("corpus/verdicts"))?;
        let recorded = recorded.iter().filter(|(row, _)| is_plain(row));
        let mut streams: Vec<Stream> = recorded
            .map(|(row, bytes)| Stream {
                name: row.name.clone(),
                domain: row.domain(),
                bytes: bytes.to_vec(),
            })
            .collect();
        // Hardly one of those is fit for a guest to run: most have a few pages of its memory.
        streams.extend(Machine::all().map(|machine| Stream {
            name: machine.name().into(),
            domain: Domain::AsTheStreamSays,
            bytes: machine.libxc().bytes(),
        }));
        let (next, passed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let failures: Vec<String> = thread::scope(|scope| {
            let work = || {
                let mut failures = Vec::new();
                while let Some(stream) = streams.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for (kind, through) in WAYS {
                        match self.check(stream, kind, through) {
                            Ok(was_passed) => {
                                passed.fetch_add(usize::from(was_passed), Ordering::Relaxed);
                            }
                            Err(error) => failures.push(format!(
                                "{} from {kind:?} through {through:?}: {error:#}",
                                stream.name
                            )),
                        }
                    }
                }
                failures
            };
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        });
        let passed = passed.into_inner();
        if !failures.is_empty() {
            bail!("{} restores went wrong:\n{}", failures.len(), failures.join("\n"));
        }
        // Were it otherwise, something would be wrong with the test.
        let all = WAYS.len() * streams.len();
        ensure!(
            passed >= WAYS.len() * Machine::all().len() && passed < all,
            "{passed} of {all} streams passed"
        );
        println!(
            "helper-test: of {all} streams from a file, a pipe and a socket through the save helper, and a file and a \
             socket through xenguest, {passed} passed to Xen's helper, which took them as without us, and {} were \
             refused",
            all - passed
        );
        Ok(())
    }

    /// Restores a stream, and returns whether it passed.
    fn check(&self, Stream { domain, bytes, .. }: &Stream, kind: Kind, through: Through) -> Result<bool> {
        // Only the save helper reads a file in place.
        let is_relayed = kind != Kind::File || through == Through::Guest;
        let (verdict, guest) = judge(bytes);
        let guest = match (domain, guest) {
            (Domain::Pv, _) | (Domain::AsTheStreamSays, Some(Guest::Pv)) => "pv",
            _ => "hvm",
        };
        let Err(violation) = verdict else {
            let bytes = [&bytes[..], BEHIND].concat();
            let ours = self.restore(through, kind, &bytes, guest)?;
            let alone = self.restore(Through::RealAlone, kind, &bytes, guest)?;
            ensure!(ours.is_complete() == alone.is_complete(), "alone {alone}, with us {ours}");
            ensure!(ours.output.status == alone.output.status, "alone {alone}, with us {ours}");
            // Where it finds fault in the midst of what is relayed, we may have passed on more than it took; libxl reads no
            // further then.
            let is_ahead = is_relayed && !alone.is_complete() && alone.behind.ends_with(&ours.behind);
            ensure!(is_ahead || ours.behind == alone.behind, "alone {alone}, with us {ours}");
            ensure!(ours.behind.ends_with(BEHIND), "{ours}");
            return Ok(true);
        };
        let ours = self.restore(through, kind, bytes, guest)?;
        ensure!(!ours.is_complete(), "restored in spite of {violation}: {ours}");
        // Xen's helper ends in good order, with a status of its own; without it the status is ours.
        let code = ours.output.status.code();
        ensure!(code.is_some_and(|code| code != 0) && (is_relayed || code == Some(1)), "{ours}");
        let reported = format!("refused: {}\n", if is_relayed { violation } else { kind.seen(violation) });
        ensure!(
            String::from_utf8_lossy(&ours.output.stderr).ends_with(&reported),
            "should say {reported:?}: {ours}"
        );
        Ok(false)
    }

    fn restore(&self, through: Through, kind: Kind, bytes: &[u8], guest: &str) -> Result<Restored> {
        let (mut reader, writer) = kind.open(bytes)?;
        let (program, arguments) = match through {
            Through::Ours => (&self.ours, RESTORE),
            Through::Guest => (&self.guest, GUEST),
            Through::RealAlone => (&self.real, RESTORE),
        };
        let mut command = call(program, arguments, reader.try_clone()?.into())?;
        command
            .env("STANDIN_TYPE", guest)
            .env("XENSTREAM_SAVE_HELPER_REAL", &self.real)
            .env("XENSTREAM_XENGUEST_REAL", &self.real_guest)
            .env("XENSTREAM_CONFIG", "/dev/null")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn()?;
        drop(command);
        thread::scope(|scope| {
            scope.spawn(move || writer.map(|mut writer| writer.write_all(bytes)));
            let output = child.wait_with_output()?;
            let mut behind = Vec::new();
            reader.read_to_end(&mut behind)?;
            Ok(Restored { output, behind })
        })
    }
}

/// A program called as a toolstack does it.
fn call(program: &Path, arguments: [&str; 10], stream: OwnedFd) -> Result<Command> {
    let mut command = Command::new(program);
    for setting in ["PROFILE", "MODE", "REPORT"] {
        command.env_remove(format!("XENSTREAM_{setting}"));
    }
    command.args(arguments).stdin(Stdio::null());
    command.fd_mappings(vec![FdMapping { parent_fd: stream, child_fd: STREAM }])?;
    Ok(command)
}

fn is_plain(row: &Row) -> bool {
    let is_plain = matches!(row.checkpointing(), Checkpointing::Auto | Checkpointing::Plain);
    row.format() == Format::Libxc && is_plain && !row.is_unsteady()
}

/// What our helper is to make of a stream that may go on after its end, and for what kind of guest it is.
fn judge(bytes: &[u8]) -> (Result<(), Violation>, Option<Guest>) {
    let policy = Policy::hardened().with_checkpointing(Checkpointing::Plain);
    let mut verifier = Verifier::new(Format::Libxc, &policy);
    let verdict = verifier.push(bytes, &mut ()).and_then(|_| verifier.finish(&mut ())).map(|_| ());
    (verdict, verifier.summary().guest)
}

impl Kind {
    /// The violation with the offsets that a report has: in a file those of the file.
    fn seen(self, mut violation: Violation) -> Violation {
        if self == Kind::File {
            violation.offset += BEFORE.len() as u64;
            violation.record = violation
                .record
                .map(|record| RecordRef { offset: record.offset + BEFORE.len() as u64, ..record });
        }
        violation
    }

    /// A descriptor from which these bytes are to be read, and one that they are still to be written to.
    fn open(self, bytes: &[u8]) -> io::Result<(File, Option<File>)> {
        Ok(match self {
            Kind::File => {
                let path = scratch("peer").join(format!("restored-{:?}", thread::current().id()));
                fs::write(&path, [BEFORE, bytes].concat())?;
                let mut file = File::open(&path)?;
                fs::remove_file(&path)?;
                file.seek(SeekFrom::Start(BEFORE.len() as u64))?;
                (file, None)
            }
            Kind::Pipe => {
                let (reader, writer) = io::pipe()?;
                (OwnedFd::from(reader).into(), Some(OwnedFd::from(writer).into()))
            }
            Kind::Socket => {
                let (reader, writer) = UnixStream::pair()?;
                (OwnedFd::from(reader).into(), Some(OwnedFd::from(writer).into()))
            }
        })
    }
}

impl Restored {
    /// Whether Xen's helper reported to libxl that the domain is restored.
    fn is_complete(&self) -> bool {
        const DONE: &[u8] = b"complete r=0";
        self.output.stdout.windows(DONE.len()).any(|text| text == DONE)
    }
}

impl std::fmt::Display for Restored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Output { status, stdout, stderr } = &self.output;
        let last = String::from_utf8_lossy(stdout);
        let last = last.rsplit(|c: char| c.is_control()).find(|text| !text.is_empty()).unwrap_or_default();
        let stderr = String::from_utf8_lossy(stderr);
        write!(f, "{status}, said {last:?} and {stderr:?}, left {} bytes", self.behind.len())
    }
}
