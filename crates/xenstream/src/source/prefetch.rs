//! Reads on threads, several at a time, for storage that takes its time with each. Threads are started when it has
//! turned out that they are needed; a pool that is not costs more than a whole image that is cached.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope};

use crate::source::file::{ReadAt, WINDOW};

/// Reads at a time.
const THREADS: usize = 16;

/// Reads that are asked for at a time: no thread waits for the next one.
const REQUESTS: usize = 2 * THREADS;

/// Room for one read.
pub(crate) struct Window(pub(crate) Box<[u8; WINDOW]>);

impl Default for Window {
    fn default() -> Window {
        Window(Box::new([0; WINDOW]))
    }
}

/// Reads that were asked for ahead.
pub(crate) struct Prefetch {
    requests: Sender<(u64, Window)>,
    answers: Receiver<Answer>,
    /// What will be taken, in this order.
    expected: VecDeque<Expected>,
    /// Reads that are asked for and not answered, whether they are still expected or not.
    under_way: usize,
    spare: Vec<Window>,
    bytes_read: u64,
}

struct Expected {
    offset: u64,
    answer: Option<Answer>,
}

struct Answer {
    offset: u64,
    window: Window,
    bytes: io::Result<usize>,
}

impl Prefetch {
    /// Starts the threads, as many as the system gives. They end when this is dropped.
    pub(crate) fn start<'scope, 'file>(
        scope: &'scope Scope<'scope, 'file>,
        file: &'file (dyn ReadAt + Sync),
    ) -> Option<Prefetch> {
        let (requests, queue) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let started = (0..THREADS).map_while(|_| {
            let (queue, answer) = (Arc::clone(&queue), answer.clone());
            Builder::new().spawn_scoped(scope, move || serve(file, &queue, &answer)).ok()
        });
        (started.count() > 0).then_some(Prefetch {
            requests,
            answers,
            expected: VecDeque::new(),
            under_way: 0,
            spare: Vec::new(),
            bytes_read: 0,
        })
    }

    /// Asks for the bytes at this offset. False if enough have been asked for.
    pub(crate) fn request(&mut self, offset: u64) -> bool {
        if self.under_way.max(self.expected.len()) >= REQUESTS {
            return false;
        }
        let window = self.spare.pop().unwrap_or_default();
        if self.requests.send((offset, window)).is_err() {
            return false;
        }
        self.under_way += 1;
        self.expected.push_back(Expected { offset, answer: None });
        true
    }

    /// Exchanges the window for the bytes at this offset and returns how many there are. `None` if they were not asked
    /// for, or could not be read: then the caller reads them itself, and the result of that counts.
    pub(crate) fn take(&mut self, offset: u64, window: &mut Window) -> Option<usize> {
        if self.expected.front()?.offset != offset {
            return None;
        }
        let expected = self.expected.pop_front()?;
        let mut answer = expected.answer;
        while answer.is_none() {
            let arrived = self.receive()?;
            if arrived.offset == offset {
                answer = Some(arrived);
            } else {
                self.keep(arrived);
            }
        }
        let Answer { window: fetched, bytes, .. } = answer?;
        let bytes = bytes.ok().filter(|bytes| (1..=WINDOW).contains(bytes));
        self.spare.push(if bytes.is_some() { std::mem::replace(window, fetched) } else { fetched });
        bytes
    }

    /// None of the reads that were asked for will be taken.
    pub(crate) fn forget(&mut self) {
        for expected in self.expected.drain(..) {
            self.spare.extend(expected.answer.map(|answer| answer.window));
        }
    }

    /// Bytes that were read so far, used or not.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Waits for an answer.
    fn receive(&mut self) -> Option<Answer> {
        let answer = self.answers.recv().ok()?;
        self.under_way -= 1;
        self.bytes_read += answer.bytes.as_ref().map_or(0, |bytes| *bytes as u64);
        Some(answer)
    }

    fn keep(&mut self, answer: Answer) {
        let waiting =
            |expected: &&mut Expected| expected.offset == answer.offset && expected.answer.is_none();
        match self.expected.iter_mut().find(waiting) {
            Some(expected) => expected.answer = Some(answer),
            None => self.spare.push(answer.window),
        }
    }
}

/// Serves requests until the other end of the queue is dropped.
fn serve(file: &dyn ReadAt, queue: &Mutex<Receiver<(u64, Window)>>, answers: &Sender<Answer>) {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok((offset, mut window)) = next() {
        // The waiting thread gets an answer. The same read, done there, panics where it is seen.
        let read = catch_unwind(AssertUnwindSafe(|| file.read_at(&mut window.0[..], offset)));
        let bytes = read.unwrap_or_else(|_| Err(io::Error::other("the reader panicked")));
        if answers.send(Answer { offset, window, bytes }).is_err() {
            return;
        }
    }
}
