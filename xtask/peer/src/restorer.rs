//! Xen's own restore code, live.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use xenstream_core::Checkpointing;

use crate::{Answer, Error, Packages, Release, Verdict};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../restore-harness");
const TOOL: &str = "the restore harness";

/// The stand-in for the hypervisor.
const STANDIN: [&str; 6] =
    ["hypercalls.c", "memory.c", "values-context.c", "values-params.c", "values-policy.c", "values-vcpu.c"];

/// The compiled harness of one release.
#[derive(Clone, Debug)]
pub struct Harness {
    release: Release,
    program: PathBuf,
    preload: PathBuf,
}

impl Harness {
    /// Compiles it into this directory, against the unpacked packages.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where there is no gcc.
    pub fn build(packages: &Packages, directory: &Path) -> Result<Harness, Error> {
        fs::create_dir_all(directory).map_err(Error::file(directory))?;
        let release = packages.release();
        let libraries = packages.libraries();
        let harness = Harness {
            release,
            program: directory.join("restore-harness"),
            preload: directory.join("libstandin.so"),
        };
        let mut program = compiler(packages);
        // The libraries must find the stand-in's functions in the program, and each other without being installed.
        program
            .args(["-rdynamic", "-fno-builtin-malloc", "-o"])
            .arg(&harness.program)
            .args(["restore-harness.c", "watch.c"])
            .args(STANDIN)
            .args(
                [
                    format!("libxenguest.so.{release}"),
                    format!("libxenctrl.so.{release}"),
                    "libxentoollog.so.1".to_owned(),
                ]
                .map(|name| libraries.join(name)),
            )
            .args(["-Wl,--disable-new-dtags".to_owned()])
            .args(["-rpath", "-rpath-link"].map(|option| format!("-Wl,{option},{}", libraries.display())));
        if let Some(loader) = packages.loader() {
            // What the libraries want of their own C library is found when the program starts.
            program
                .arg("-Wl,--allow-shlib-undefined,--unresolved-symbols=ignore-in-shared-libs")
                .arg(format!("-Wl,--dynamic-linker={}", loader.display()));
        }
        compile(&mut program)?;
        let mut preload = compiler(packages);
        preload.args(["-shared", "-fPIC", "-o"]).arg(&harness.preload).arg("preload.c").args(STANDIN);
        compile(&mut preload)?;
        Ok(harness)
    }

    /// Whose restore code it runs.
    #[must_use]
    pub fn release(&self) -> Release {
        self.release
    }

    /// The library that lets Xen's own restore helper run without a hypervisor; see `preload.c`.
    #[must_use]
    pub fn preload(&self) -> &Path {
        &self.preload
    }

    /// Starts it, to restore streams of this kind into domains of this type. A strict one adds refusals of the
    /// hypervisor's own.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(&self, kind: Checkpointing, domain: Domain, strict: bool) -> Result<Restorer, Error> {
        let kind = match kind {
            Checkpointing::Auto | Checkpointing::Plain => "plain",
            Checkpointing::Remus => "remus",
            Checkpointing::Colo => "colo",
        };
        let domain = match domain {
            Domain::AsTheStreamSays => "auto",
            Domain::Hvm => "hvm",
            Domain::Pv => "pv",
        };
        let mut command = Command::new(&self.program);
        command.args(["--stream", kind, "--type", domain]).args(strict.then_some("--strict"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::tool(TOOL, error))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::tool(TOOL, "it has no pipes"));
        };
        Ok(Restorer { child, questions, answers: BufReader::new(answers) })
    }
}

/// What the domain to restore into was created as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Domain {
    /// What the domain header says.
    #[default]
    AsTheStreamSays,
    /// HVM or PVH.
    Hvm,
    /// PV.
    Pv,
}

/// Xen's `xc_domain_restore()`, ready for any number of bare libxc streams.
#[derive(Debug)]
pub struct Restorer {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Line {
    verdict: String,
    message: String,
    #[serde(default)]
    largest_allocation: u64,
    /// A call that the stand-in does not know.
    unmodelled: Option<String>,
}

impl Restorer {
    /// Restores a stream.
    ///
    /// # Errors
    /// The harness did not answer, or its stand-in for the hypervisor was asked for something that it does not know.
    pub fn ask(&mut self, stream: &Path) -> Result<Answer, Error> {
        let mut answer = String::new();
        writeln!(self.questions, "{}", stream.display())
            .and_then(|()| self.answers.read_line(&mut answer))
            .map_err(|error| Error::tool(TOOL, error))?;
        let line: Line = serde_json::from_str(&answer).map_err(|error| Error::tool(TOOL, error))?;
        if let Some(call) = line.unmodelled {
            return Err(Error::tool(TOOL, format!("{}: {call} is not modelled", stream.display())));
        }
        let verdict = match line.verdict.as_str() {
            "accept" => Verdict::Accept,
            "reject" => Verdict::Reject,
            "crash" => Verdict::Crash,
            "timeout" => Verdict::Timeout,
            "limit" => Verdict::Limit,
            _ => return Err(Error::tool(TOOL, format!("{}: {}", stream.display(), line.message))),
        };
        Ok(Answer { verdict, message: line.message, largest_allocation: line.largest_allocation })
    }
}

impl Drop for Restorer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn compiler(packages: &Packages) -> Command {
    let mut gcc = Command::new("gcc");
    gcc.current_dir(SOURCES)
        .args(["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror"])
        // Functions that stand for a library's have its parameters, wanted or not.
        .args(["-Wno-unused-parameter", "-Wno-missing-field-initializers"])
        .arg(format!("-DXEN_MINOR={}", packages.release().minor()))
        .arg("-isystem")
        .arg(packages.root().join("usr/include"));
    gcc
}

fn compile(gcc: &mut Command) -> Result<(), Error> {
    let output = gcc
        .output()
        .map_err(|error| Error::Unavailable { what: "gcc".to_owned(), why: error.to_string() })?;
    if output.status.success() {
        Ok(())
    } else {
        Err(Error::tool(TOOL, String::from_utf8_lossy(&output.stderr)))
    }
}
