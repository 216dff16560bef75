//! The real program as a child, with a relay beside it.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::panic;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::sys::signal::{self, SigSet};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, raise};

use crate::{Error, Operation};

/// Signals that are meant for the real program, though this process gets them.
const FORWARDED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Those of them that ask it to end.
const STOPPING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// How the work beside the real program ended.
#[derive(Debug)]
pub enum End<T> {
    /// It was done, with this result.
    Done(T),
    /// The real program was asked to end by this signal, and did; the work was not waited for.
    Stopped(i32),
}

enum Event<T> {
    /// A signal came for us.
    Signal(i32),
    Done(T),
}

/// Runs the real program and work beside it, and returns when both have ended. The work is given the number of the
/// process, and a descriptor that is hung up when the process has ended.
///
/// What a program has saved is still passed on when it has ended, however long that takes; but not if it was asked to end,
/// by a toolstack that breaks off a migration: it may do that because the receiver takes nothing any more.
///
/// # Errors
/// The real program or the work cannot be started.
pub fn run<T: Send + 'static>(
    mut command: Command,
    operation: Operation,
    work: impl FnOnce(u32, BorrowedFd<'_>) -> T + Send + 'static,
) -> Result<(ExitStatus, End<T>), Error> {
    abort_on_panic();
    let (events, arrivals) = channel();
    let (stop, stopper) = io::pipe().map_err(Error::Beside)?;
    // Before there is a child, so that no signal is missed.
    watch_signals(events.clone()).map_err(Error::Beside)?;
    let program = command.get_program().into();
    // On the main thread, which lives as long as this process: the child is signalled when the thread that started it
    // ends.
    let mut child = command.spawn().map_err(|source| Error::Start { program, source })?;
    // The child's end of the pipe is its own from now on.
    drop(command);
    let pid = child.id();
    thread::spawn(move || {
        // Without a receiver, the outcome no longer matters.
        let _ = events.send(Event::Done(work(pid, stop.as_fd())));
    });

    let mut stopper = Some(stopper);
    let mut status = None;
    let mut end = None;
    loop {
        match arrivals.recv().map_err(|error| Error::Beside(io::Error::other(error)))? {
            Event::Signal(SIGCHLD) if status.is_none() => {
                status = child.try_wait().map_err(Error::Beside)?;
                if status.is_some() {
                    drop(stopper.take());
                }
            }
            Event::Signal(SIGCHLD) => {}
            Event::Signal(signal) if status.is_none() => {
                forward(signal, &child);
                if operation == Operation::Save && STOPPING.contains(&signal) {
                    end.get_or_insert(End::Stopped(signal));
                }
            }
            // The real program has ended: the signal is for this process alone.
            Event::Signal(signal) => die_of(signal),
            Event::Done(result) => end = Some(End::Done(result)),
        }
        match (status, end) {
            (Some(status), Some(end)) => return Ok((status, end)),
            (_, so_far) => end = so_far,
        }
    }
}

/// Ends as the real program did; where that tells of no failure, by the signal that stopped it halfway, or else with this
/// exit status. Returns the exit status, if it did not die of a signal.
#[must_use]
pub fn end_as<T>(status: ExitStatus, end: &End<T>, otherwise: u8) -> u8 {
    if let Some(signal) = status.signal() {
        // If there is to be a core of this, it is the real program's.
        let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        return die_as_told(signal);
    }
    match (status.code().map(u8::try_from), end) {
        (Some(Ok(0)), End::Done(_)) => otherwise,
        (Some(Ok(0)), End::Stopped(signal)) => die_as_told(*signal),
        (Some(Ok(code)), _) => code,
        _ => u8::MAX,
    }
}

/// Dies of a signal, or returns the exit status by which a shell says so.
fn die_as_told(signal: i32) -> u8 {
    die_of(signal);
    u8::try_from(signal).map_or(u8::MAX, |signal| signal.saturating_add(128))
}

/// A thread that panics would leave the others waiting for it.
fn abort_on_panic() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        hook(panic);
        std::process::abort();
    }));
}

fn watch_signals<T: Send + 'static>(events: Sender<Event<T>>) -> io::Result<()> {
    let ignored = ignored_signals();
    // What is ignored is ignored by the real program too, which inherits that; but Xen's helper wants SIGTERM in any case, and
    // libxl sends it to helpers that it started with the signal blocked, as daemons with threads have it.
    let is_wanted = |signal: &&i32| **signal == SIGTERM || ignored >> (**signal - 1) & 1 == 0;
    // While SIGCHLD is ignored, the status of a child that ends is lost.
    let mut signals = Signals::new(FORWARDED.iter().filter(is_wanted).chain(&[SIGCHLD]))?;
    // Before there is any other thread, so that all have them unblocked.
    SigSet::from_iter([signal::SIGTERM, signal::SIGCHLD]).thread_unblock()?;
    thread::spawn(move || {
        for signal in signals.forever() {
            // Both have ended, and only the report is left. It may block until standard error is read; a signal is then
            // for this process alone.
            if events.send(Event::Signal(signal)).is_err() && signal != SIGCHLD {
                die_of(signal);
            }
        }
    });
    Ok(())
}

/// The signals that we were started to ignore, bit by bit, the first in the lowest.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn forward(signal: i32, child: &Child) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        // It may have ended by now, but is not yet reaped, so no other process can have its number.
        let _ = rustix::process::kill_process(Pid::from_child(child), signal);
    }
}

/// Dies of a signal, as if it had never been watched for.
fn die_of(signal: i32) {
    // Knows what becomes of those that may be watched for, but not of all that there are on Linux.
    let _ = emulate_default_handler(signal);
    let _ = SigSet::empty().thread_set_mask();
    let _ = raise(signal);
}
