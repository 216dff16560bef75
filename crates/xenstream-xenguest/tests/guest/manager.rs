//! Plays emu-manager: starts xenguest as that does, and sends commands to its control socket.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use command_fds::{CommandFdExt, FdMapping};
use serde_json::Value;
use tempfile::TempDir;

use crate::socket;
use crate::stand_in::{QUIRKS, SOCKET};

/// The stream's descriptor on xenguest's command line.
pub(crate) const STREAM: i32 = 9;

/// xenguest, about to be started.
pub(crate) struct Manager {
    arguments: Vec<String>,
    environment: Vec<(String, OsString)>,
    stream: Option<OwnedFd>,
    pub(crate) directory: TempDir,
}

/// xenguest, running.
pub(crate) struct Running {
    child: Child,
    stdout: ChildStdout,
    directory: TempDir,
}

/// What was left of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Whether a control socket remains.
    pub(crate) leaves_socket: bool,
}

impl Manager {
    pub(crate) fn new(arguments: &str) -> Manager {
        let directory = tempfile::tempdir().unwrap();
        let configuration = directory.path().join("xenstream.toml");
        fs::write(&configuration, "").unwrap();
        let socket = directory.path().join("control");
        let manager = Manager {
            arguments: arguments.split_whitespace().map(str::to_owned).collect(),
            environment: Vec::new(),
            stream: None,
            directory,
        };
        manager
            .set("XENSTREAM_CONFIG", configuration)
            .set("XENSTREAM_XENGUEST_REAL", std::env::current_exe().unwrap())
            .set(SOCKET, socket)
    }

    /// xenguest that listens.
    pub(crate) fn listening() -> Manager {
        Manager::new("-debug -domid 7 -controloutfd 2 -controlinfd 0 -mode listen -mem_pnode 0")
    }

    pub(crate) fn set(mut self, key: &str, value: impl Into<OsString>) -> Manager {
        self.environment.push((key.to_owned(), value.into()));
        self
    }

    pub(crate) fn quirks(self, quirks: &str) -> Manager {
        self.set(QUIRKS, quirks)
    }

    pub(crate) fn warning(self) -> Manager {
        self.set("XENSTREAM_MODE", "warn")
    }

    pub(crate) fn stream(mut self, stream: impl Into<OwnedFd>) -> Manager {
        self.stream = Some(stream.into());
        self
    }

    pub(crate) fn start(self) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xenstream-xenguest"));
        command.args(self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for key in ["XENSTREAM_PROFILE", "XENSTREAM_MODE", "XENSTREAM_REPORT", "XENSTREAM_TARGET", QUIRKS] {
            command.env_remove(key);
        }
        command.envs(self.environment);
        if let Some(stream) = self.stream {
            command.fd_mappings(vec![FdMapping { parent_fd: stream, child_fd: STREAM }]).unwrap();
        }
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        Running { child, stdout, directory: self.directory }
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start_ready(self) -> Running {
        let mut running = self.start();
        let mut ready = [0; 6];
        running.stdout.read_exact(&mut ready).unwrap();
        assert_eq!(&ready, b"Ready\n");
        running
    }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: i32) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let signal = rustix::process::Signal::from_named_raw(signal).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("control")
    }

    pub(crate) fn connect(&self) -> Client {
        Client { socket: UnixStream::connect(self.socket()).unwrap(), text: Vec::new(), events: Vec::new() }
    }

    /// Closes its control input, and waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        drop(self.child.stdin.take());
        self.ended_by_itself()
    }

    /// Waits for its end, and for that of everybody who holds its output.
    pub(crate) fn ended_by_itself(mut self) -> Ended {
        // `wait` would close it.
        let _stdin = self.child.stdin.take();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let leaves_socket = fs::read_dir(self.directory.path()).unwrap().count() > 1;
        Ended { status: self.child.wait().unwrap(), stdout, stderr, leaves_socket }
    }
}

/// A connection to the control socket.
pub(crate) struct Client {
    pub(crate) socket: UnixStream,
    text: Vec<u8>,
    /// What has come in between.
    pub(crate) events: Vec<Value>,
}

impl Client {
    pub(crate) fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
        // A socket that is never hung up.
        let (stop, _other_end) = UnixStream::pair().unwrap();
        socket::send(self.socket.as_fd(), bytes, descriptors, stop.as_fd()).unwrap();
    }

    /// Sends a command, and returns its answer.
    pub(crate) fn call(&mut self, command: &str, descriptors: &[BorrowedFd<'_>]) -> Option<Value> {
        self.send(format!("{{ \"execute\" : \"{command}\"}}").as_bytes(), descriptors);
        self.answer()
    }

    /// Sends a command that succeeds.
    pub(crate) fn do_call(&mut self, command: &str, descriptors: &[BorrowedFd<'_>]) {
        let answer = self.call(command, descriptors);
        assert_eq!(answer, Some(serde_json::json!({ "return": {} })), "{command}");
    }

    /// Waits for an answer. Returns `None` when the connection is closed.
    pub(crate) fn answer(&mut self) -> Option<Value> {
        loop {
            let object = self.object()?;
            if object.get("event").is_none() {
                return Some(object);
            }
            self.events.push(object);
        }
    }

    /// Waits for the event that says how a migration ended.
    pub(crate) fn completed(&mut self) -> Option<Value> {
        loop {
            let object = self.object()?;
            if object.get("event").is_none() || object["data"].get("status").is_some() {
                return Some(object);
            }
            self.events.push(object);
        }
    }

    fn object(&mut self) -> Option<Value> {
        loop {
            let mut objects = serde_json::Deserializer::from_slice(&self.text).into_iter();
            if let Some(Ok(object)) = objects.next() {
                let read = objects.byte_offset();
                self.text.drain(..read);
                return Some(object);
            }
            let mut bytes = [0; 512];
            match (&self.socket).read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.text.extend_from_slice(&bytes[..n]),
            }
        }
    }
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

    /// A descriptor from which these bytes can be read, and then the end.
    pub(crate) fn holding(self, bytes: &[u8]) -> (File, Option<JoinHandle<io::Result<()>>>) {
        let (reader, mut writer): (File, File) = match self {
            Kind::File => {
                let mut file = tempfile::tempfile().unwrap();
                file.write_all(bytes).unwrap();
                file.rewind().unwrap();
                return (file, None);
            }
            Kind::Pipe => {
                let (reader, writer) = io::pipe().unwrap();
                (OwnedFd::from(reader).into(), OwnedFd::from(writer).into())
            }
            Kind::Socket => {
                let (reader, writer) = UnixStream::pair().unwrap();
                (OwnedFd::from(reader).into(), OwnedFd::from(writer).into())
            }
        };
        let bytes = bytes.to_vec();
        (reader, Some(thread::spawn(move || writer.write_all(&bytes))))
    }
}
