//! Programs that are measured whole, from the outside.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::timed;

/// A program and the arguments that it always gets.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, PathBuf)>,
}

/// What the system keeps count of for a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Most bytes of memory that were resident at a time.
    pub peak_memory: u64,
    /// Bytes of memory that are no file's: what is left are programs and libraries, which others use too.
    pub own_memory: u64,
    /// Bytes that were read from disks on its behalf.
    pub from_disk: u64,
    /// Time on a processor.
    pub processor: Duration,
}

impl Program {
    /// A program that is on the search path, or elsewhere.
    pub fn new(path: impl Into<PathBuf>, arguments: &[&str]) -> Program {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Program { path: path.into(), arguments, environment: Vec::new() }
    }

    /// `xenstream`, built as this benchmark is.
    #[must_use]
    pub fn xenstream(arguments: &[&str]) -> Program {
        let benchmark = std::env::current_exe().expect("a benchmark has a path");
        let directory = benchmark.ancestors().nth(2).expect("cargo builds benchmarks in a directory below");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--quiet", "--package", "xenstream-cli"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(directory.ends_with("release").then_some("--release"));
        cargo.arg("--target-dir").arg(directory.parent().expect("a directory for each profile"));
        assert!(cargo.status().expect("cargo starts").success(), "xenstream does not build");
        Program::new(directory.join("xenstream"), arguments)
    }

    /// Xen's own verifier, if `XENSTREAM_BENCH_XEN` says where xen-utils-4.17 was unpacked.
    #[must_use]
    pub fn xen() -> Option<Program> {
        let root = PathBuf::from(std::env::var_os("XENSTREAM_BENCH_XEN")?).join("usr/lib/xen-4.17");
        // Not a wrapper that looks for a Python first.
        let which =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
        let python = String::from_utf8(which.stdout).ok()?;
        let script = root.join("bin/verify-stream-v2");
        let mut program = Program::new(python.trim(), &[script.to_str()?, "--format", "xl", "--in"]);
        program.environment.push(("PYTHONPATH", root.join("lib/python")));
        Some(program)
    }

    /// A command with these arguments after those that the program always gets, and nothing to read or say.
    pub fn command(&self, arguments: &[&OsStr]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).args(arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs it over a file and tells how long that took, from before its start to after its end.
    ///
    /// # Panics
    /// It does not start, or fails.
    pub fn time(&self, file: &Path) -> Duration {
        let mut command = self.command(&[file.as_os_str()]);
        let mut succeeded = false;
        let time = timed(|| succeeded = command.status().is_ok_and(|status| status.success()));
        assert!(succeeded, "{command:?} fails");
        time
    }

    /// Runs it over a file and tells what that took. For the program `xenstream verify`, whose memory can be looked at
    /// while it waits for standard input, with its verdict on the file out. On one core: on more of them it would verify
    /// both side by side.
    ///
    /// # Panics
    /// It does not start, or does not find the file valid.
    pub fn usage_of_verify(&self, file: &Path) -> Usage {
        let mut command = self.command(&[file.as_os_str(), OsStr::new("-")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = on_one_core(|| command.spawn()).expect("xenstream starts");
        let mut verdict = String::new();
        let stdout = child.stdout.take().expect("its standard output");
        BufReader::new(stdout).read_line(&mut verdict).expect("its standard output can be read");
        assert!(verdict.contains(": valid"), "{verdict}");
        let usage = usage(&child);
        drop(child.stdin.take());
        child.wait().expect("it can be waited for");
        usage
    }
}

/// Runs something on one core, together with the processes that it starts.
fn on_one_core<T>(work: impl FnOnce() -> T) -> T {
    let all = sched_getaffinity(None).expect("the cores of this thread");
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)).expect("a core"));
    sched_setaffinity(None, &one).expect("a core of this thread's");
    let done = work();
    sched_setaffinity(None, &all).expect("the cores of this thread");
    done
}

/// Waits for the end of a process and tells what it took, but for its memory, of which nothing is left by then.
///
/// # Panics
/// It fails.
pub fn usage_of(mut child: Child) -> Usage {
    let id = Pid::from_child(&child);
    waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).expect("it can be waited for");
    let usage = usage(&child);
    assert!(child.wait().is_ok_and(|status| status.success()), "a measured process fails");
    usage
}

/// What a process took so far.
fn usage(child: &Child) -> Usage {
    let read = |name: &str| {
        let path = format!("/proc/{}/{name}", child.id());
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let field = |text: &str, label: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(label))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let nanoseconds = read("schedstat").split_whitespace().next().and_then(|word| word.parse().ok());
    Usage {
        peak_memory: field(&read("status"), "VmHWM:").unwrap_or(0) * 1024,
        own_memory: field(&read("status"), "RssAnon:").unwrap_or(0) * 1024,
        from_disk: field(&read("io"), "read_bytes:").expect("the system counts what is read from disks"),
        processor: Duration::from_nanos(nanoseconds.expect("the system counts time on processors")),
    }
}
