//! Images on their way through pipes.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::{Program, Usage, limits, timed, usage_of};

/// An image, and how it gets into a pipe and out of it.
#[derive(Debug)]
pub enum Flow {
    /// Spliced from a file, and spliced to nowhere.
    Spliced(File),
    /// Written from memory, and read.
    Copied(Vec<u8>),
}

impl Flow {
    /// An image that is spliced.
    #[must_use]
    pub fn spliced(image: &Path) -> Flow {
        Flow::Spliced(File::open(image).expect("an image can be opened"))
    }

    /// An image that is copied.
    #[must_use]
    pub fn copied(image: &Path) -> Flow {
        Flow::Copied(std::fs::read(image).expect("an image can be read"))
    }

    /// Bytes of the image.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Flow::Spliced(file) => file.metadata().expect("a file has a length").len(),
            Flow::Copied(bytes) => bytes.len() as u64,
        }
    }

    /// How long it takes to get the image into a pipe and out of it.
    ///
    /// # Panics
    /// The consumer does not say that it had all of it.
    pub fn time(&self, consume: impl FnOnce(PipeReader) -> io::Result<u64>) -> Duration {
        let (reader, writer) = io::pipe().expect("a pipe");
        thread::scope(|scope| {
            timed(|| {
                scope.spawn(|| self.produce(writer));
                assert_eq!(consume(reader).expect("a pipe can be read"), self.length());
            })
        })
    }

    /// How long it takes to get the image into a pipe, from there through a program into another, and out of that.
    ///
    /// # Panics
    /// The program fails or loses bytes.
    pub fn time_through(&self, program: &Program) -> (Duration, Usage) {
        let (reader, to_program) = io::pipe().expect("a pipe");
        let (from_program, writer) = io::pipe().expect("a pipe");
        let mut child = None;
        let time = thread::scope(|scope| {
            timed(|| {
                let mut command = program.command(&[]);
                child = Some(command.stdin(reader).stdout(writer).spawn().expect("the program starts"));
                // It holds the ends that it gave to the program, which would keep the consumer waiting.
                drop(command);
                scope.spawn(|| self.produce(to_program));
                let consumed = match self {
                    Flow::Spliced(_) => limits::drain_by_splice(from_program),
                    Flow::Copied(_) => limits::drain_by_read(from_program),
                };
                assert_eq!(consumed.expect("a pipe can be read"), self.length());
            })
        });
        (time, child.map(usage_of).unwrap_or_default())
    }

    fn produce(&self, pipe: PipeWriter) {
        let produced = match self {
            Flow::Spliced(file) => limits::produce_by_splice(file, pipe),
            Flow::Copied(bytes) => limits::produce_by_write(bytes, pipe),
        };
        assert_eq!(produced.expect("the consumer reads to the end"), self.length());
    }
}
