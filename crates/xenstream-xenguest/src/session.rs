//! One connection to the control socket: emu-manager's words go to the real xenguest, and its answers come back.
//!
//! A save is left alone. When emu-manager asks for a restore, the real xenguest first gets another descriptor: the end of
//! a pipe, which a relay fills with what has been verified. Its answer to that is not passed on.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use rustix::event::PollFlags;
use xenstream::{Relay, Relayed};
use xenstream_guard::passage::{action, relay_options, restore_pipe, tell_unverified};
use xenstream_guard::report::{Action, Entry, tell};
use xenstream_guard::{FAILED, Mode, Operation, Settings, stream};

use crate::commands::{self, Answer, Command, INIT, Next};
use crate::socket::{receive, send, wait};

/// What the sessions of one xenguest share.
#[derive(Debug)]
pub(crate) struct Shared<'s> {
    pub(crate) settings: &'s Settings,
    pub(crate) domid: u32,
    /// Hung up when the real xenguest has ended.
    pub(crate) stop: BorrowedFd<'s>,
    stream: Mutex<Stream>,
    /// This program's exit status, if the real xenguest ends in good order.
    status: Mutex<u8>,
}

/// What is known of the stream that the real xenguest was given last.
#[derive(Debug)]
enum Stream {
    /// There is none that a restore could read, or it is a pipe of ours.
    Harmless,
    /// This one, with nothing done yet.
    Given(OwnedFd),
    /// One that a save writes to, or an unknown one.
    Unverified,
}

impl<'s> Shared<'s> {
    pub(crate) fn new(settings: &'s Settings, domid: u32, stop: BorrowedFd<'s>) -> Shared<'s> {
        Shared { settings, domid, stop, stream: Mutex::new(Stream::Harmless), status: Mutex::new(0) }
    }

    /// This program's exit status, if the real xenguest ends in good order.
    pub(crate) fn status(&self) -> u8 {
        *lock(&self.status)
    }

    /// Serves a client until it or the real xenguest has gone.
    pub(crate) fn serve<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        client: UnixStream,
        real: UnixStream,
    ) where
        's: 'scope,
    {
        let mut session = Session {
            shared: self,
            client,
            real,
            commands: Vec::new(),
            descriptors: Vec::new(),
            answers: Vec::new(),
            passed: 0,
            unanswered: 0,
            verdict: None,
            is_opaque: false,
        };
        // Whichever end failed: both are closed, and there is nothing else to tell the other.
        let _ = session.run(scope);
    }

    /// Says that no restore can be verified, and so none takes place.
    pub(crate) fn fail(&self, reason: &str) -> String {
        self.tell(Action::Failed(reason.to_owned()), FAILED)
    }

    /// Says that something passes without being understood.
    pub(crate) fn leave(&self, reason: &str) {
        tell_unverified(Operation::Restore, Some(self.domid), self.settings, "".as_ref(), reason);
    }

    fn tell(&self, action: Action<'_>, status: u8) -> String {
        let entry = Entry {
            operation: Operation::Restore,
            domid: Some(self.domid),
            settings: self.settings,
            path: "".as_ref(),
            action,
            result: None,
            bytes_relayed: None,
        };
        tell(&entry);
        self.blame(status);
        entry.message()
    }

    fn blame(&self, status: u8) {
        let mut so_far = lock(&self.status);
        *so_far = if *so_far == 0 { status } else { *so_far };
    }

    /// Relays the stream. If the real xenguest must not have it, sends the answer for emu-manager through the session.
    fn relay(&self, from: &OwnedFd, to: OwnedFd, mut session: UnixStream) {
        let path = stream::name(from);
        let options = relay_options(self.settings, Operation::Restore);
        let relay =
            Relay::new(from.as_fd(), to.as_fd()).stop_reading_on(self.stop).stop_writing_on(self.stop);
        let Relayed { result, bytes, .. } = relay.run(&options, &mut ());
        let action = action(&result, Operation::Restore, self.settings);
        let status = action.exit_status();
        let entry = Entry {
            operation: Operation::Restore,
            domid: Some(self.domid),
            settings: self.settings,
            path: &path,
            action,
            result: Some(&result),
            bytes_relayed: Some(bytes),
        };
        if status != 0 {
            self.blame(status);
            // It may be over.
            let _ = session.write_all(&commands::error(&entry.message()));
        }
        drop(session);
        // Now the real xenguest reads the end of a torn stream. Whatever it says to that comes too late.
        drop(to);
        tell(&entry);
    }
}

/// A thread that panics aborts the process.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    Over,
}

struct Session<'scope> {
    shared: &'scope Shared<'scope>,
    client: UnixStream,
    real: UnixStream,
    /// What has arrived from the client and is no whole command yet.
    commands: Vec<u8>,
    /// The descriptors that came with it.
    descriptors: Vec<OwnedFd>,
    /// What has arrived from the real xenguest and is no whole answer yet.
    answers: Vec<u8>,
    /// Bytes of it that have been passed on.
    passed: usize,
    /// Commands that the real xenguest has not answered yet. It answers in order.
    unanswered: usize,
    /// Readable when a relay has ended.
    verdict: Option<UnixStream>,
    /// What arrives is passed on without being understood.
    is_opaque: bool,
}

impl<'scope> Session<'scope> {
    fn run(&mut self, scope: &'scope Scope<'scope, '_>) -> io::Result<()> {
        let mut is_client_heard = true;
        loop {
            let stop = self.shared.stop;
            // What is not asked is replaced by the descriptor that ends this loop in any case.
            let client = if is_client_heard { self.client.as_fd() } else { stop };
            let verdict = self.verdict.as_ref().map_or(stop, UnixStream::as_fd);
            let asked = [verdict, self.real.as_fd(), client, stop].map(|fd| (fd, PollFlags::IN));
            let [relayed, real, client, stopped] = wait(asked)?;
            let flow = if relayed && self.verdict.is_some() {
                self.hear_verdict()?
            } else if real {
                self.pass_answers()?
            } else if client && is_client_heard {
                is_client_heard = self.receive()?;
                if !is_client_heard {
                    self.real.shutdown(Shutdown::Write)?;
                }
                self.obey(scope)?
            } else if stopped {
                Flow::Over
            } else {
                Flow::On
            };
            if flow == Flow::Over {
                return Ok(());
            }
        }
    }

    /// Receives commands, and returns whether more may follow.
    fn receive(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 4096];
        let (n, descriptors) = receive(&self.client, &mut bytes)?;
        self.commands.extend_from_slice(&bytes[..n]);
        self.descriptors.extend(descriptors);
        Ok(n > 0)
    }

    /// Passes on what has arrived as far as it is understood.
    fn obey(&mut self, scope: &'scope Scope<'scope, '_>) -> io::Result<Flow> {
        while !self.is_opaque {
            match commands::command(&self.commands) {
                Next::Object(length, command) => {
                    let bytes: Vec<u8> = self.commands.drain(..length).collect();
                    // Unless it belongs to a command after this one.
                    let is_stray = command != Command::Init
                        && !self.descriptors.is_empty()
                        && self.commands.trim_ascii().is_empty();
                    let flow = if is_stray {
                        self.refuse_or_pass("a descriptor came with a command that has none", &bytes)?
                    } else {
                        self.command(command, &bytes, scope)?
                    };
                    if flow == Flow::Over {
                        return Ok(Flow::Over);
                    }
                }
                Next::Incomplete => return Ok(Flow::On),
                Next::Garbage => {
                    let bytes = std::mem::take(&mut self.commands);
                    self.refuse_or_pass("what is on the control socket is no command", &bytes)?;
                    if self.shared.settings.mode == Mode::Enforce {
                        return Ok(Flow::Over);
                    }
                    self.is_opaque = true;
                }
            }
        }
        let (bytes, descriptors) =
            (std::mem::take(&mut self.commands), std::mem::take(&mut self.descriptors));
        self.send_to_real(&bytes, &descriptors)
    }

    fn command(
        &mut self,
        command: Command,
        bytes: &[u8],
        scope: &'scope Scope<'scope, '_>,
    ) -> io::Result<Flow> {
        let shared = self.shared;
        let mut stream = lock(&shared.stream);
        match command {
            Command::Init => {
                let descriptors = std::mem::take(&mut self.descriptors);
                match descriptors.as_slice() {
                    // What the real xenguest makes of that is unknown: what was given before stays.
                    [] => self.send_command(bytes, &[]),
                    [descriptor] => {
                        // Whether it takes it or not, a restore is not to read it.
                        *stream = Stream::Given(descriptor.try_clone()?);
                        self.send_command(bytes, &descriptors)?;
                        Ok(self.await_answer(Forward::All)?.map_or(Flow::Over, |_| Flow::On))
                    }
                    several => {
                        let reason = format!("{} descriptors came with migrate_init", several.len());
                        *stream = Stream::Unverified;
                        self.descriptors = descriptors;
                        self.refuse_or_pass(&reason, bytes)
                    }
                }
            }
            Command::Restore => match std::mem::replace(&mut *stream, Stream::Harmless) {
                Stream::Harmless => self.send_command(bytes, &[]),
                Stream::Given(descriptor) => {
                    let (theirs, ours) = restore_pipe()?;
                    self.send_command(INIT, &[theirs])?;
                    match self.await_answer(Forward::AllButReturn)? {
                        Some(Answer::Return) => {}
                        // It keeps the descriptor that it has.
                        Some(Answer::Error | Answer::Event) => {
                            *stream = Stream::Unverified;
                            return Ok(Flow::On);
                        }
                        None => return Ok(Flow::Over),
                    }
                    self.send_command(bytes, &[])?;
                    let answer = self.await_answer(Forward::All);
                    match answer {
                        // A client that has left is no reason to tear the stream.
                        Ok(Some(Answer::Return)) | Err(_) => {}
                        Ok(Some(Answer::Error | Answer::Event)) => return Ok(Flow::On),
                        Ok(None) => return Ok(Flow::Over),
                    }
                    let (verdict, told) = UnixStream::pair()?;
                    self.verdict = Some(verdict);
                    scope.spawn(move || shared.relay(&descriptor, ours, told));
                    answer.map(|_| Flow::On)
                }
                Stream::Unverified => {
                    *stream = Stream::Unverified;
                    self.refuse_or_pass("restore came for a descriptor that is not verified", bytes)
                }
            },
            Command::Save => {
                if matches!(*stream, Stream::Given(_)) {
                    *stream = Stream::Unverified;
                }
                self.send_command(bytes, &[])
            }
            Command::Plain => self.send_command(bytes, &[]),
            Command::Unknown => {
                let text = String::from_utf8_lossy(bytes);
                let start: String = text.trim().chars().take(80).collect();
                self.refuse_or_pass(&format!("an unknown command came: {start}"), bytes)
            }
        }
    }

    /// Refuses what is not understood, or passes it on with all descriptors if the settings say so.
    fn refuse_or_pass(&mut self, reason: &str, bytes: &[u8]) -> io::Result<Flow> {
        match self.shared.settings.mode {
            Mode::Enforce => {
                self.descriptors.clear();
                let message = self.shared.fail(reason);
                self.send_to_client(&commands::error(&message))?;
                Ok(Flow::On)
            }
            Mode::Warn => {
                self.shared.leave(reason);
                let descriptors = std::mem::take(&mut self.descriptors);
                self.send_command(bytes, &descriptors)
            }
        }
    }

    /// Hears what came of the relay. No success may follow a refusal.
    fn hear_verdict(&mut self) -> io::Result<Flow> {
        let mut refusal = Vec::new();
        if let Some(mut verdict) = self.verdict.take() {
            verdict.read_to_end(&mut refusal)?;
        }
        if refusal.is_empty() {
            return Ok(Flow::On);
        }
        self.send_to_client(&refusal)?;
        Ok(Flow::Over)
    }

    /// Passes on what has arrived from the real xenguest.
    fn pass_answers(&mut self) -> io::Result<Flow> {
        if !self.receive_answers()? {
            return Ok(Flow::Over);
        }
        self.send_to_client(&self.answers[self.passed..])?;
        // The rest is remembered, so that it is known where an answer begins that is not to be passed on.
        while let Next::Object(length, answer) = commands::answer(&self.answers) {
            self.answers.drain(..length);
            self.count(answer);
        }
        if commands::answer(&self.answers) == Next::Garbage {
            self.answers.clear();
        }
        self.passed = self.answers.len();
        Ok(Flow::On)
    }

    /// Waits for the answer to the last command, and passes on what comes before it. Returns `None` if the real xenguest
    /// gives no answer.
    fn await_answer(&mut self, forward: Forward) -> io::Result<Option<Answer>> {
        loop {
            match commands::answer(&self.answers) {
                Next::Object(length, answer) => {
                    let object: Vec<u8> = self.answers.drain(..length).collect();
                    let passed = self.passed.min(length);
                    self.passed -= passed;
                    self.count(answer);
                    let is_last = answer != Answer::Event && self.unanswered == 0;
                    if is_last && answer == Answer::Return && forward == Forward::AllButReturn {
                        // Nor the end of its line.
                        let end = self.answers.len() - self.answers.trim_ascii_start().len();
                        self.answers.drain(..end);
                        self.passed = self.passed.saturating_sub(end);
                    } else {
                        self.send_to_client(&object[passed..])?;
                    }
                    if is_last {
                        self.send_to_client(&self.answers[self.passed..])?;
                        self.passed = self.answers.len();
                        return Ok(Some(answer));
                    }
                }
                Next::Incomplete => {
                    let [real, _] =
                        wait([(self.real.as_fd(), PollFlags::IN), (self.shared.stop, PollFlags::IN)])?;
                    if !real || !self.receive_answers()? {
                        return Ok(None);
                    }
                }
                Next::Garbage => return Ok(None),
            }
        }
    }

    fn count(&mut self, answer: Answer) {
        match answer {
            Answer::Return | Answer::Error => self.unanswered = self.unanswered.saturating_sub(1),
            Answer::Event => {}
        }
    }

    /// Receives answers, and returns whether more may follow.
    fn receive_answers(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 4096];
        // Its answers never come with descriptors.
        let (n, _) = receive(&self.real, &mut bytes)?;
        self.answers.extend_from_slice(&bytes[..n]);
        Ok(n > 0)
    }

    fn send_to_client(&self, bytes: &[u8]) -> io::Result<()> {
        send(self.client.as_fd(), bytes, &[], self.shared.stop)
    }

    fn send_command(&mut self, bytes: &[u8], descriptors: &[OwnedFd]) -> io::Result<Flow> {
        self.unanswered += 1;
        self.send_to_real(bytes, descriptors)
    }

    fn send_to_real(&self, bytes: &[u8], descriptors: &[OwnedFd]) -> io::Result<Flow> {
        let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        send(self.real.as_fd(), bytes, &descriptors, self.shared.stop)?;
        Ok(Flow::On)
    }
}

/// What is passed on until an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forward {
    All,
    AllButReturn,
}
