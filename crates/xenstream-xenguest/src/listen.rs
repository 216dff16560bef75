//! xenguest that takes its commands from a control socket, with this program before the socket.

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::process::{self, Command};
use std::thread;

use rustix::event::PollFlags;
use xenstream_guard::child::{self, End};
use xenstream_guard::{Error, FAILED, Mode, Operation, Settings, report};

use crate::PROGRAM;
use crate::place::Place;
use crate::session::Shared;
use crate::socket::wait;

/// What xenguest says once it listens. emu-manager waits for it before it connects, and takes nothing else.
const READY: &[u8] = b"Ready\n";

/// Runs the real xenguest and serves those who connect to its control socket. Returns the exit status.
pub(crate) fn run(mut command: Command, domid: u32, settings: Settings) -> Result<u8, Error> {
    let (output, theirs) = io::pipe().map_err(Error::Beside)?;
    command.stdout(theirs);
    let (status, end) = child::run(command, Operation::Restore, move |pid, stop| {
        let shared = Shared::new(&settings, domid, stop);
        attend(pid, output, &shared);
        shared.status()
    })?;
    let otherwise = match end {
        End::Done(status) => status,
        End::Stopped(_) => 0,
    };
    Ok(child::end_as(status, &end, otherwise))
}

/// Waits until xenguest is ready, takes the place before its socket, and serves clients until it has ended.
fn attend(pid: u32, mut output: PipeReader, shared: &Shared<'_>) {
    let mut first = Vec::new();
    let mut bytes = [0; READY.len()];
    while first.len() < READY.len()
        && let Some(n @ 1..) = read(&mut output, &mut bytes[first.len()..], shared.stop)
    {
        first.extend_from_slice(&bytes[first.len()..][..n]);
    }
    let place = if first == READY { take_place(pid, shared) } else { None };
    thread::scope(|scope| {
        scope.spawn(|| pass_output(&first, output, shared.stop));
        let Some(place) = &place else { return };
        while let Some(client) = accept(&place.listener, shared.stop) {
            // Without the real xenguest there is nothing to say to a client.
            if let Ok(real) = place.connect() {
                scope.spawn(move || shared.serve(scope, client, real));
            }
        }
    });
}

/// Takes the place before the socket. If that fails, either xenguest runs on alone, or this program ends, and it with it.
fn take_place(pid: u32, shared: &Shared<'_>) -> Option<Place> {
    let error = match Place::take(pid) {
        Ok(place) => return Some(place),
        Err(error) => error.to_string(),
    };
    if shared.settings.mode == Mode::Warn {
        shared.leave(&error);
        return None;
    }
    shared.fail(&error);
    // emu-manager has not been told that xenguest is ready, and is now told that it never will be.
    process::exit(FAILED.into())
}

/// Waits for the next client. Returns `None` when the real xenguest has ended.
fn accept(listener: &UnixListener, stop: BorrowedFd<'_>) -> Option<std::os::unix::net::UnixStream> {
    let result = wait([(listener.as_fd(), PollFlags::IN), (stop, PollFlags::IN)]).and_then(|[client, _]| {
        if client { listener.accept().map(|(client, _)| Some(client)) } else { Ok(None) }
    });
    result.unwrap_or_else(|error| {
        report::complain(&PROGRAM, &format!("cannot accept more clients: {error}"));
        None
    })
}

/// Reads what xenguest prints. Returns `None` when it has ended and what it printed has been read.
fn read(output: &mut PipeReader, bytes: &mut [u8], stop: BorrowedFd<'_>) -> Option<usize> {
    let [printed, _] = wait([(output.as_fd(), PollFlags::IN), (stop, PollFlags::IN)]).ok()?;
    if printed { output.read(bytes).ok() } else { None }
}

/// Passes on what xenguest prints, until it has ended or standard output has no reader any more.
fn pass_output(first: &[u8], mut output: PipeReader, stop: BorrowedFd<'_>) {
    // The standard library's own would wait for the end of a line.
    let Ok(mut stdout) = io::stdout().as_fd().try_clone_to_owned().map(File::from) else { return };
    if stdout.write_all(first).is_err() {
        return;
    }
    // Few enough that a pipe which is ready to be written takes them at once.
    let mut bytes = [0; 512];
    loop {
        let Some(n @ 1..) = read(&mut output, &mut bytes, stop) else { return };
        let is_written = wait([(stdout.as_fd(), PollFlags::OUT), (stop, PollFlags::IN)])
            .is_ok_and(|[writable, _]| writable && stdout.write_all(&bytes[..n]).is_ok());
        if !is_written {
            return;
        }
    }
}
