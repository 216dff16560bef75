//! The same stream with what it holds of a guest blanked: its size, its records and their lengths stay.
//!
//! Page contents always become zero, and so does whatever is not known to be structure: padding, bytes after a
//! record's last field, records of unknown types. [`Scrub`] says what goes besides, [`parts`] what goes when, and
//! [`remains`] what is still there. An output verifies under every profile under which its input did.
//!
//! ```
//! use xenstream::scrub::{Output, Scrub, scrub};
//! use xenstream::{Input, Options};
//!
//! let mut out = Vec::new();
//! let refused = scrub(Input::Slice(b"not an image"), Output::Writer(&mut out), &Options::default(), Scrub::default());
//! assert!(!refused.unwrap().report.is_valid() && out.is_empty());
//! ```

mod body;
mod events;
mod filter;
mod header;
mod table;

use std::cell::RefCell;
use std::io;

use xenstream_core::{Follows, Framing, Leave, Rule};

pub use crate::rewrite::Output;

pub use self::table::{Blanked, Part, parts, remains};

use self::events::{EventQueue, Events};
use self::filter::Filter;
use crate::rewrite::input::{Bytes, File};
use crate::rewrite::open::{Opened, open};
use crate::rewrite::write::{Sink, deliver};
use crate::session::{Session, Stop};
use crate::source::file::WINDOW;
use crate::{Error, Input, Options, Report};

/// What is blanked beside the contents of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scrub {
    /// Registers and devices: vcpus, the hypervisor's devices, the state of the device model.
    pub registers: bool,
    /// Names: values of xenstore, strings of the configuration, metadata.
    pub names: bool,
    /// Invalid streams are scrubbed too, and all of the above is blanked: where a length is wrong any body may hold
    /// anything. From the byte on after which records cannot be parsed any more, everything becomes zero.
    pub damaged: bool,
}

impl Scrub {
    /// The contents of pages, and nothing more than must be.
    pub const MEMORY: Scrub = Scrub { registers: false, names: false, damaged: false };

    /// The same, blanking registers and devices or not.
    #[must_use]
    pub const fn with_registers(mut self, registers: bool) -> Scrub {
        self.registers = registers;
        self
    }

    /// The same, blanking names or not.
    #[must_use]
    pub const fn with_names(mut self, names: bool) -> Scrub {
        self.names = names;
        self
    }

    /// The same, taking damaged streams or not.
    #[must_use]
    pub const fn with_damaged(mut self, damaged: bool) -> Scrub {
        self.damaged = damaged;
        self
    }

    /// With what one wish means for the others.
    fn settled(self) -> Scrub {
        Scrub { registers: self.registers || self.damaged, names: self.names || self.damaged, ..self }
    }
}

/// What came of scrubbing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scrubbed {
    /// What the input was found to be. An invalid stream has an output only if [damaged](Scrub::damaged) ones were
    /// asked for.
    pub report: Report,
    /// What the output was found to be; `None` if the input was refused.
    pub output: Option<Report>,
    /// Bytes of the output; `None` if the input was refused, or the output of a valid input would be.
    pub bytes: Option<u64>,
    /// Where it is not known any more what is what in a damaged stream: from here on the output is zero.
    pub zero_from: Option<u64>,
}

/// Scrubs a stream. What is invalid under the policy is refused, unless [damaged](Scrub::damaged) streams are to be
/// scrubbed; a compressed input comes out decompressed.
///
/// # Errors
/// The input could not be read or decompressed, or the output not be written: it exists, it is the input, the disk is
/// full. There is no file then.
pub fn scrub(
    input: Input<'_>,
    output: Output<'_>,
    options: &Options,
    what: Scrub,
) -> Result<Scrubbed, Error> {
    let what = what.settled();
    open(input, output.path(), options, |opened| {
        let mut file;
        let bytes: &mut dyn Bytes = match opened {
            Opened::At(at) => {
                file = File::new(at)?;
                &mut file
            }
            Opened::InOrder(bytes) => bytes,
        };
        deliver(output, |out| {
            let scrubbed = run(bytes, out, options, what)?;
            let is_complete = scrubbed.bytes.is_some();
            Ok((scrubbed, is_complete))
        })
    })
}

/// Scrubs one stream, up to its end or, if it is damaged, the input's.
fn run(input: &mut dyn Bytes, out: &mut Sink<'_>, options: &Options, what: Scrub) -> Result<Scrubbed, Error> {
    let policy = options.policy.clone().with_keep_going(what.damaged);
    let options = Options { policy, ..options.clone() };
    let events = RefCell::default();
    let mut observer = EventQueue(&events);
    let mut session = Session::new(&options, Some(&mut observer));
    session.compression = input.compression();
    // What is wrong with a damaged image is looked for elsewhere.
    if !what.damaged {
        session.comes_in_order();
    }
    out.judge(&options, !what.damaged);
    let mut work = Work {
        input,
        out,
        events: &events,
        filter: Filter::new(what),
        window: vec![0; WINDOW],
        after: 0,
        follows: None,
        ended: false,
    };
    let outcome = work.drive(&mut session);
    let bytes = match &outcome {
        Ok(()) => Some(work.finish(None)?),
        Err(Stop::Invalid(_)) if what.damaged && work.ended => Some(work.finish(None)?),
        Err(Stop::Invalid(violation)) if what.damaged => {
            let rule = events.borrow().refused_for(violation);
            // Nothing of what is in no known format is structure.
            let is_nothing = rule.entry().framing == Framing::Ends { leave: Leave::Nothing };
            if is_nothing { None } else { Some(work.finish(Some(rule))?) }
        }
        // Checksums come last: it may have been damaged after it was compressed.
        Err(Stop::Invalid(_)) if work.input.compression().is_some() => {
            work.rest(|_, _| Ok(()))?;
            None
        }
        Err(_) => None,
    };
    session.bytes_read = work.input.bytes_read();
    let is_file = work.input.reads_on();
    let zero_from = bytes.and(work.filter.damaged_from());
    let report = session.into_report(outcome)?;
    let output = if bytes.is_some() { out.judged(is_file)? } else { None };
    // What was wrong before may be wrong still.
    let is_refused = report.is_valid() && output.as_ref().is_some_and(|output| !output.is_valid());
    Ok(Scrubbed { report, output, bytes: bytes.filter(|_| !is_refused), zero_from })
}

/// A stream on its way from the input to the output.
struct Work<'w, 'o> {
    input: &'w mut dyn Bytes,
    out: &'w mut Sink<'o>,
    /// What the verifier said.
    events: &'w RefCell<Events>,
    filter: Filter,
    window: Vec<u8>,
    /// The number of bytes read that lie after the stream's end, or after what it is refused for.
    after: u64,
    /// What those are.
    follows: Option<Follows>,
    /// The stream has come to its end, valid or not.
    ended: bool,
}

impl Work<'_, '_> {
    /// Takes the stream up to its end or what it is refused for.
    fn drive(&mut self, session: &mut Session<'_>) -> Result<(), Stop> {
        while !session.is_ended() {
            if !self.pass_over(session)? && !self.pass_on(session)? {
                break;
            }
        }
        self.ended = session.is_ended();
        if self.ended
            && self.input.reads_on()
            && let Some(follows) = self.what_follows()?
        {
            session.trailing_data(follows)?;
        }
        session.finish()
    }

    /// What follows the stream, of which some bytes may have been read.
    fn what_follows(&mut self) -> Result<Option<Follows>, Error> {
        while matches!(self.follows, None | Some(Follows::Zeros)) {
            let more = self.input.read(&mut self.window)?;
            if more == 0 {
                break;
            }
            self.after += more as u64;
            let bytes = &self.window[..more];
            self.follows = Some(self.follows.map_or_else(|| Follows::of(bytes), |before| before.and(bytes)));
        }
        Ok(self.follows)
    }

    /// Passes over bytes that become zero unread, if they come next.
    fn pass_over(&mut self, session: &mut Session<'_>) -> Result<bool, Stop> {
        let blank = session.need().skippable.min(self.filter.blank_ahead());
        if blank == 0 {
            return Ok(false);
        }
        let Some(n) = self.input.skip(blank)? else { return Ok(false) };
        let verdict = session.skip(n);
        self.filter.skip(&mut self.events.borrow_mut(), n, self.out).map_err(|error| self.failure(error))?;
        verdict.map(|()| true)
    }

    /// Reads some bytes, has them judged, and passes on what may stay. False at the input's end.
    fn pass_on(&mut self, session: &mut Session<'_>) -> Result<bool, Stop> {
        let window = WINDOW as u64;
        let mut wanted = session.left_in_page().map_or(window, |left| left.min(window));
        if !self.input.reads_on() {
            // The reader of the output gets what there is before this waits for input.
            self.out.pass_on().map_err(|error| self.failure(error))?;
            wanted = wanted.min(session.need().certain);
        }
        let window = &mut self.window[..usize::try_from(wanted).unwrap_or(WINDOW)];
        let read = self.input.read(window)?;
        if read == 0 {
            return Ok(false);
        }
        let before = session.position();
        let verdict = session.push(&window[..read]);
        // If an entry is refused, bytes before these may have counted as passed.
        let judged = session.position().saturating_sub(before).min(read as u64);
        self.after = read as u64 - judged;
        let after = &window[judged as usize..read];
        self.follows = (!after.is_empty()).then(|| Follows::of(after));
        let bytes = &window[..read - self.after as usize];
        self.filter
            .pass(&mut self.events.borrow_mut(), bytes, self.out)
            .map_err(|error| self.failure(error))?;
        verdict.map(|_| true)
    }

    /// Blanks what is left, if it belongs to the output, and returns the output's size.
    fn finish(&mut self, refused: Option<Rule>) -> Result<u64, Error> {
        self.filter.end(refused, self.out).map_err(|error| self.failure(error))?;
        self.blank(self.after)?;
        // The end of a damaged stream is unknown.
        if self.filter.damaged_from().is_some() || self.input.reads_on() {
            self.rest(Work::blank)?;
        }
        self.out.finish().map_err(|error| self.failure(error))
    }

    /// Takes what is left of the input.
    fn rest(&mut self, mut taken: impl FnMut(&mut Self, u64) -> Result<(), Error>) -> Result<(), Error> {
        loop {
            let n = match self.input.skip(u64::MAX)? {
                Some(n) => n,
                None => self.input.read(&mut self.window)? as u64,
            };
            if n == 0 {
                return Ok(());
            }
            taken(self, n)?;
        }
    }

    fn blank(&mut self, n: u64) -> Result<(), Error> {
        self.out.zeros(n).map_err(|error| self.failure(error))
    }

    fn failure(&self, source: io::Error) -> Error {
        self.out.failure(source)
    }
}
