//! `cargo xtask dropin`: xenstream under the name `verify-stream-v2` beside Xen's tool of that name, called in the same
//! ways on the same streams.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write, pipe};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use command_fds::{CommandFdExt, FdMapping};
use xenstream_core::{Format, Policy};
use xenstream_peer::{
    Comparison, Differences, Disagreement, Error, Packages, Recorded, Release, Verdict, Verifier, judge,
};
use xenstream_synth::Stream;
use xenstream_synth::{cases, corpus, valid};

use crate::{root, scratch};

const NAME: &str = "verify-stream-v2";
/// Number of a descriptor that is handed over.
const DESCRIPTOR: i32 = 7;
/// What lies in front of a stream in a file, and after it.
const BEFORE: &[u8] = b"in front";
const BEHIND: &[u8] = b"behind it";

pub(crate) fn run() -> Result<()> {
    let directory = scratch("dropin");
    fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let packages = match Packages::fetch(&scratch("peer"), Release::V4_17) {
        Ok(packages) => packages,
        // A machine that tests every change and could have Xen's tool must not pass without.
        Err(error @ Error::Unavailable { .. }) if !(crate::peer::is_ci() && crate::peer::has_apt()) => {
            println!("dropin: skipped, {error}");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let tools = Tools { ours: build(&directory)?, theirs: packages, directory };
    let verdicts = tools.verdicts()?;
    let calls = tools.calls()?;
    println!("dropin: {verdicts} streams and {calls} ways to call {NAME} end as with Xen's tool");
    Ok(())
}

/// Builds the program. Returns where it lies under the name of Xen's tool.
fn build(directory: &Path) -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--package", "xenstream-cli"])
        .current_dir(root())
        .status()
        .context("cargo does not start")?;
    ensure!(status.success(), "the program does not build");
    let link = directory.join(NAME);
    match fs::remove_file(&link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => symlink(scratch("debug").join("xenstream"), &link)?,
    }
    Ok(link)
}

/// A call of both tools.
struct Call {
    arguments: Vec<String>,
    given: Given,
}

/// What a tool is handed.
#[derive(Clone)]
enum Given {
    /// Nothing on standard input.
    Nothing,
    /// A pipe on standard input.
    Pipe(Vec<u8>),
    /// A file as [`DESCRIPTOR`], open behind [`BEFORE`], and with [`BEHIND`] behind these bytes.
    File(Vec<u8>),
}

/// What came of a call, as far as the two have to agree.
#[derive(Debug, PartialEq, Eq)]
struct Ending {
    status: Option<i32>,
    speaks_on_stdout: bool,
    speaks_on_stderr: bool,
    /// What was left to read of a valid stream's input.
    left: Option<Vec<u8>>,
}

struct Tools {
    ours: PathBuf,
    theirs: Packages,
    directory: PathBuf,
}

impl Tools {
    /// Compares verdicts, stream by stream. Where they differ, the reasons of `cargo xtask peer` have to say why.
    fn verdicts(&self) -> Result<usize> {
        let mut theirs = Verifier::start(&self.theirs)?;
        let load = |path: &str| Differences::load(&root().join(path));
        let mut known = [load("corpus/verdicts/differences.toml")?, load("xtask/peer/differences.toml")?];
        let mut added = load("xtask/dropin.toml")?;
        let path = self.directory.join("stream");
        let streams = streams()?;
        for (name, format, bytes) in &streams {
            fs::write(&path, bytes)?;
            let answer = theirs.ask(*format, &path)?;
            let status =
                Command::new(&self.ours).args(["-q", "-f", format.name(), "-i"]).arg(&path).status()?;
            let ours = judge(bytes, *format, &Policy::spec());
            ensure!(
                status.code() == Some(i32::from(ours.is_some())),
                "{name}: {status}, where the core says {ours:?}"
            );
            ensure!(matches!(answer.verdict, Verdict::Accept | Verdict::Reject), "{name}: {answer:?}");
            if let Some(disagreement) = Disagreement::between(Comparison::SpecVerifier, ours, &answer)
                && known.iter_mut().all(|known| known.explain(name, &disagreement).is_none())
                && added.explain(name, &disagreement).is_none()
            {
                bail!("{name}: without a reason, {disagreement:?}");
            }
        }
        ensure!(added.stale().is_empty(), "xtask/dropin.toml has reasons for nothing: {:?}", added.stale());
        Ok(streams.len())
    }

    /// Compares what comes of calls.
    fn calls(&self) -> Result<usize> {
        let calls = calls(&self.directory)?;
        for Call { arguments, given } in &calls {
            let ours = ending(Command::new(&self.ours), arguments, given)?;
            let theirs = ending(self.original(), arguments, given)?;
            ensure!(ours == theirs, "{NAME} {}: {ours:?}, and Xen's {theirs:?}", arguments.join(" "));
        }
        Ok(calls.len())
    }

    fn original(&self) -> Command {
        let xen = self.theirs.root().join("usr/lib/xen-4.17");
        let mut command = Command::new("python3");
        command.arg(xen.join("bin").join(NAME));
        // Nothing is to be written beside the unpacked files.
        command.env("PYTHONPATH", xen.join("lib/python")).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// Name, format and bytes of every stream in a format that Xen's tool knows.
fn streams() -> Result<Vec<(String, Format, Vec<u8>)>> {
    let mut streams = Vec::new();
    let recorded = Recorded::load(&root().join("corpus/verdicts"))?;
    for (row, bytes) in recorded.iter() {
        streams.push((row.name.clone(), row.format(), bytes.to_vec()));
    }
    for case in cases::all() {
        let name = format!("{}::{}", case.rule.layer(), case.name());
        streams.push((format!("{name}.ok"), case.format, case.neighbour));
        streams.push((name, case.format, case.stream));
    }
    for (name, stream) in corpus::valid_streams() {
        streams.push((name, stream.format(), stream.bytes()));
    }
    streams.retain(|(_, format, _)| matches!(format, Format::Libxc | Format::Libxl | Format::Xl));
    Ok(streams)
}

/// Calls, right and wrong, with and without a stream to be had.
fn calls(directory: &Path) -> Result<Vec<Call>> {
    // Without a device model, whose xenstore data Xen's tool refuses.
    let guest = valid::pvh();
    let file = |name: &str, stream: &Stream| -> Result<String> {
        let path = directory.join(name);
        fs::write(&path, stream.bytes())?;
        Ok(path.display().to_string())
    };
    let libxc = file("libxc", &guest)?;
    let libxl = file("libxl", &guest.clone().in_libxl())?;
    let xl = file("xl", &guest.clone().in_libxl().in_xl())?;
    let broken = file("broken", &guest.clone().cut(100))?;
    let here = directory.display();

    let by_name = [
        format!("-i {libxc}"),
        format!("-i{libxc} -flibxc"),
        format!("--in={libxl} --format=libxl"),
        format!("--in {xl} --format xl -q"),
        format!("--i {xl} --verb --form xl"),
        format!("-v -v -q -f xl -f libxc -i {libxc}"),
        format!("words -v -i {libxc} more words"),
        format!("-i {libxc} -f xl"),
        format!("-i {libxl}"),
        format!("-i {broken}"),
        format!("-i {broken} -v"),
        format!("-i {broken} -q"),
        format!("-i {broken} -vq"),
        format!("-i {broken} --syslog"),
        format!("-i {libxc} --syslog -v"),
        format!("-i {here}"),
        format!("-i {here}/nothing"),
        "-i -1".to_owned(),
        "-i -2".to_owned(),
        "-i 77".to_owned(),
        "-i".to_owned(),
        "-x".to_owned(),
        "-f".to_owned(),
        "-f xls".to_owned(),
        "-f libvirt".to_owned(),
        "--version".to_owned(),
        "-h".to_owned(),
        "--help".to_owned(),
    ];
    let bytes = guest.bytes();
    let with_behind = [&bytes[..], BEHIND].concat();
    let cut = bytes[..bytes.len() - 1].to_vec();
    let handed_over = [
        ("", Given::Pipe(bytes.clone())),
        ("-v", Given::Pipe(with_behind.clone())),
        ("-i 0", Given::Pipe(with_behind)),
        ("-f libxl", Given::Pipe(bytes.clone())),
        ("", Given::Pipe(cut.clone())),
        ("", Given::Pipe(Vec::new())),
        ("", Given::Nothing),
        ("-i 7", Given::File(bytes.clone())),
        ("-i 7 -v", Given::File(bytes)),
        ("-i 7", Given::File(cut)),
        ("-i 8", Given::File(Vec::new())),
    ];
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    let by_name = by_name.iter().map(|line| Call { arguments: words(line), given: Given::Nothing });
    let handed_over = handed_over.into_iter().map(|(line, given)| Call { arguments: words(line), given });
    Ok(by_name.chain(handed_over).collect())
}

/// Calls a tool.
fn ending(mut command: Command, arguments: &[String], given: &Given) -> Result<Ending> {
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (output, left) = match given {
        Given::Nothing => (command.output()?, Vec::new()),
        Given::Pipe(bytes) => {
            let (mut reader, mut writer) = pipe()?;
            command.stdin(reader.try_clone()?);
            let output = thread::scope(|scope| {
                // The tool may have seen enough before it has seen everything; the rest is read below.
                scope.spawn(move || writer.write_all(bytes));
                let output = command.output();
                // With the command goes its end of the pipe.
                drop(command);
                let mut left = Vec::new();
                output.and_then(|output| reader.read_to_end(&mut left).map(|_| (output, left)))
            });
            output?
        }
        Given::File(bytes) => {
            let mut file = tempfile::tempfile()?;
            file.write_all(&[BEFORE, bytes, BEHIND].concat())?;
            file.seek(SeekFrom::Start(BEFORE.len() as u64))?;
            let parent_fd = file.try_clone()?.into();
            command.fd_mappings(vec![FdMapping { parent_fd, child_fd: DESCRIPTOR }])?;
            (command.output()?, rest(file)?)
        }
    };
    let is_valid = output.status.success();
    Ok(Ending {
        status: output.status.code(),
        speaks_on_stdout: !output.stdout.is_empty(),
        speaks_on_stderr: !output.stderr.is_empty(),
        // How far a reader goes that finds a fault is not to be relied on.
        left: is_valid.then_some(left),
    })
}

/// What is after a file's offset.
fn rest(mut file: File) -> Result<Vec<u8>> {
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    Ok(rest)
}
