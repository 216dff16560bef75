//! How an input or an output misbehaves, call by call.

use std::io::{self, ErrorKind};

/// What an end does, one byte a call; when they are used up it behaves.
#[derive(Debug)]
pub struct Script<'s> {
    steps: &'s [u8],
    next: usize,
    /// An error has been reported.
    pub failed: bool,
    /// From this byte on the file has been cut off.
    pub cut: usize,
}

impl<'s> Script<'s> {
    /// Takes a script from the end of the bytes, and leaves the rest. The last byte counts those of the script.
    #[must_use]
    pub fn split(data: &[u8]) -> (&[u8], &[u8]) {
        let Some((count, rest)) = data.split_last() else { return (&[], data) };
        let (rest, script) = rest.split_at(rest.len() - usize::from(*count % 32).min(rest.len()));
        (script, rest)
    }

    /// A script of these steps.
    #[must_use]
    pub fn new(steps: &'s [u8]) -> Script<'s> {
        Script { steps, next: 0, failed: false, cut: usize::MAX }
    }

    /// How many of this many bytes are to be had now.
    ///
    /// # Errors
    /// If the script says so.
    pub fn step(&mut self, wanted: usize) -> io::Result<usize> {
        let Some(step) = self.steps.get(self.next) else { return Ok(wanted) };
        self.next += 1;
        let mut fail = |kind: ErrorKind| {
            self.failed = true;
            Err(kind.into())
        };
        match step {
            0..=3 => Err(ErrorKind::Interrupted.into()),
            4 => fail(ErrorKind::WouldBlock),
            5 => fail(ErrorKind::Other),
            6 => {
                self.cut = self.cut.min(self.next * 41);
                Ok(wanted)
            }
            n => Ok(wanted.min(usize::from(*n))),
        }
    }
}
