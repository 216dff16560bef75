//! Plays libxl: starts the helper as that does, talks to it, and goes on reading the stream when it is done.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::OFlags;
use rustix::io::Errno;
use tempfile::TempDir;

use crate::stand_in::{QUIRKS, SAVED};

/// The stream's descriptor in the helper.
pub(crate) const STREAM: RawFd = 11;

const REAL: &str = "XENSTREAM_SAVE_HELPER_REAL";

fn helper() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_xenstream-save-helper"))
}

/// The helper under test, about to be started.
pub(crate) struct Libxl {
    stream: Option<OwnedFd>,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, OsString)>,
    pub(crate) directory: TempDir,
}

/// The helper under test, running.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    _directory: TempDir,
}

/// What was left of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    /// The same, as it came.
    pub(crate) messages: Vec<u8>,
    pub(crate) stderr: String,
}

impl Libxl {
    /// The helper on a plain stream to restore from.
    pub(crate) fn restore(stream: impl Into<OwnedFd>) -> Libxl {
        Libxl::with(stream, "--restore-domain 11 -1 7 5 0 6 0 0 0")
    }

    /// The helper on a descriptor to save to. The stand-in is to write this stream.
    pub(crate) fn save(stream: impl Into<OwnedFd>, saved: &[u8]) -> Libxl {
        let libxl = Libxl::with(stream, "--save-domain 11 -1 7 1 12 0");
        let path = libxl.directory.path().join("saved");
        fs::write(&path, saved).unwrap();
        libxl.set(SAVED, path)
    }

    /// The helper on a stream, called with these arguments.
    pub(crate) fn with(stream: impl Into<OwnedFd>, arguments: &str) -> Libxl {
        Libxl::new(Some(stream.into()), helper(), arguments.split_whitespace().map(str::to_owned).collect())
    }

    /// The helper without a stream.
    pub(crate) fn without(arguments: &str) -> Libxl {
        Libxl::new(None, helper(), arguments.split_whitespace().map(str::to_owned).collect())
    }

    fn new(stream: Option<OwnedFd>, program: PathBuf, arguments: Vec<String>) -> Libxl {
        let directory = tempfile::tempdir().unwrap();
        let libxl = Libxl { stream, program, arguments, environment: Vec::new(), directory };
        fs::write(libxl.configuration(), "").unwrap();
        let (configuration, real) = (libxl.configuration(), std::env::current_exe().unwrap());
        libxl.set("XENSTREAM_CONFIG", configuration).set(REAL, real)
    }

    /// What stands in for the real helper is started directly.
    pub(crate) fn without_us(mut self) -> Libxl {
        self.program = std::env::current_exe().unwrap();
        self
    }

    /// The helper is started with signals as they are not by default; the option is one of `env`.
    pub(crate) fn with_signals(mut self, option: &str) -> Libxl {
        let program = self.program.to_str().unwrap().to_owned();
        self.arguments.splice(0..0, [option.to_owned(), program]);
        self.program = PathBuf::from("env");
        self
    }

    pub(crate) fn set(mut self, key: &str, value: impl Into<OsString>) -> Libxl {
        self.environment.push((key.to_owned(), value.into()));
        self
    }

    pub(crate) fn quirks(self, quirks: &str) -> Libxl {
        self.set(QUIRKS, quirks)
    }

    /// The helper is configured by a file only.
    pub(crate) fn configured(self, text: &str) -> Libxl {
        fs::write(self.configuration(), text).unwrap();
        self.set(REAL, "")
    }

    fn configuration(&self) -> PathBuf {
        self.directory.path().join("xenstream.toml")
    }

    pub(crate) fn start(self) -> Running {
        self.start_with_stderr(Stdio::piped())
    }

    pub(crate) fn start_with_stderr(self, stderr: impl Into<Stdio>) -> Running {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        for key in ["XENSTREAM_PROFILE", "XENSTREAM_MODE", "XENSTREAM_REPORT", QUIRKS] {
            command.env_remove(key);
        }
        command.envs(self.environment);
        if let Some(stream) = self.stream {
            command.fd_mappings(vec![FdMapping { parent_fd: stream, child_fd: STREAM }]).unwrap();
        }
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdin, stdout, _directory: self.directory }
    }

    /// Starts it, gives it its word, and waits for its end.
    pub(crate) fn run(self) -> Ended {
        self.start().finish()
    }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that comes from the real helper.
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_ref().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn signal(&self, signal: i32) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let signal = rustix::process::Signal::from_named_raw(signal).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Hangs up after the last word and waits for its end.
    pub(crate) fn finish(mut self) -> Ended {
        // Nobody may be listening any more.
        let _ = self.stdin.take().map(|mut stdin| stdin.write_all(b"word\n"));
        self.ended()
    }

    /// Waits for its end, and for that of everybody who holds its output.
    pub(crate) fn ended(mut self) -> Ended {
        let mut messages = Vec::new();
        self.stdout.read_to_end(&mut messages).unwrap();
        let stdout = String::from_utf8_lossy(&messages).into_owned();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Ended { status: self.child.wait().unwrap(), stdout, messages, stderr }
    }

    /// Waits for its end while its children may live on. Standard input stays open.
    pub(crate) fn status(&mut self) -> ExitStatus {
        // `wait` would close it.
        let stdin = self.stdin.take();
        let status = self.child.wait().unwrap();
        self.stdin = stdin;
        status
    }
}

impl Ended {
    /// The line of a real helper that is content.
    pub(crate) fn is_complete(&self) -> bool {
        self.stdout.ends_with("complete r=0\n")
    }

    /// The stream was refused: a file in the real helper's place, anything else by cutting it off.
    #[track_caller]
    pub(crate) fn assert_refused(&self, kind: Kind) {
        match kind {
            Kind::File => self.assert_answered(Errno::INVAL),
            Kind::Pipe | Kind::Socket => assert_eq!(self.status.code(), Some(1), "{self:?}"),
        }
    }

    /// libxl of Xen 4.14 or later was told in the real helper's place that the restore failed, with what standard error
    /// says and this error number.
    #[track_caller]
    pub(crate) fn assert_answered(&self, errno: Errno) {
        assert_eq!(self.status.code(), Some(0), "{self:?}");
        let text = self.stderr.strip_prefix("xenstream-save-helper: ").unwrap().trim_end();
        let log = [
            b"\x01\0\x08\0\0\0\xFF\xFF\xFF\xFF\x0a\0\0\0xenstream\0",
            &length(text)[..],
            text.as_bytes(),
            b"\0",
        ];
        let log = log.concat();
        let results = [&b"\x12\0\x09\0"[..], &[0; 16]].concat();
        let complete = [&b"\x0a\0\x0a\0\xFF\xFF\xFF\xFF"[..], &errno.raw_os_error().to_ne_bytes()].concat();
        let log_length = u16::try_from(log.len()).unwrap().to_ne_bytes();
        assert_eq!(self.messages, [&log_length[..], &log, &results, &complete].concat(), "{self:?}");
    }

    /// The process that the real helper was.
    pub(crate) fn pid(&self) -> u32 {
        let line = self.stdout.lines().next().unwrap_or_default();
        line.strip_prefix("pid ").and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("{self:?}"))
    }
}

/// The length of a string with its NUL, as it is sent.
fn length(text: &str) -> [u8; 4] {
    u32::try_from(text.len() + 1).unwrap().to_ne_bytes()
}

/// What the stream's descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Pipe,
    Socket,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::File, Kind::Pipe, Kind::Socket];

    /// The end that is written and the end that is read.
    pub(crate) fn open(self) -> (File, File) {
        match self {
            Kind::File => {
                let file = tempfile::NamedTempFile::new().unwrap();
                let writer = OpenOptions::new().write(true).open(file.path()).unwrap();
                (writer, File::open(file.path()).unwrap())
            }
            Kind::Pipe => {
                let (reader, writer) = io::pipe().unwrap();
                (File::from(OwnedFd::from(writer)), File::from(OwnedFd::from(reader)))
            }
            Kind::Socket => {
                let (one, other) = UnixStream::pair().unwrap();
                (File::from(OwnedFd::from(one)), File::from(OwnedFd::from(other)))
            }
        }
    }

    /// A descriptor from which these bytes can be read, after whose last one a file ends and others go on. The caller
    /// keeps what is returned with it.
    pub(crate) fn holding(self, bytes: &[u8]) -> (File, Feeder) {
        let (mut writer, mut reader) = self.open();
        if self == Kind::File {
            // In front of the stream is what libxl has read already.
            const BEFORE: &[u8] = b"the libxl stream up to LIBXC_CONTEXT";
            writer.write_all(BEFORE).unwrap();
            writer.write_all(bytes).unwrap();
            reader.seek(SeekFrom::Start(BEFORE.len() as u64)).unwrap();
            return (reader, Feeder(None));
        }
        let bytes = bytes.to_vec();
        let feeding = std::thread::spawn(move || {
            // The reader may go away early.
            let _ = writer.write_all(&bytes);
            writer
        });
        (reader, Feeder(Some(feeding)))
    }
}

/// Fills a pipe or a socket that nobody reads, and tells with how many bytes.
pub(crate) fn fill(sink: impl AsFd) -> usize {
    // A relay makes a pipe as large as this if it can, and must not find room then. A socket is no pipe.
    let _ = rustix::pipe::fcntl_setpipe_size(&sink, 1 << 20);
    let flags = rustix::fs::fcntl_getfl(&sink).unwrap();
    rustix::fs::fcntl_setfl(&sink, flags | OFlags::NONBLOCK).unwrap();
    let mut bytes = 0;
    loop {
        match rustix::io::write(&sink, &[0; 4096]) {
            Ok(n) => bytes += n,
            Err(Errno::AGAIN) => break,
            Err(error) => panic!("{error}"),
        }
    }
    rustix::fs::fcntl_setfl(&sink, flags).unwrap();
    bytes
}

/// Writes what is to be read, and keeps that end open.
pub(crate) struct Feeder(Option<std::thread::JoinHandle<File>>);

impl Feeder {
    /// Closes that end. Everything has to have been read, or nobody to read any more.
    pub(crate) fn close(self) {
        if let Some(feeding) = self.0 {
            drop(feeding.join().unwrap());
        }
    }
}
