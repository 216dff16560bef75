//! The second verifier, which looks at what comes out while it is written.

use xenstream_core::Follows;

use crate::holes::ZEROS;
use crate::session::{Session, Stop};
use crate::{Error, Options, Report};

/// A verifier of an output. What takes a second walk is not looked at.
pub(super) struct Judge {
    session: Session<'static>,
    stopped: Option<Stop>,
    /// What comes after the stream.
    follows: Option<Follows>,
}

impl Judge {
    /// A verifier that looks at the page types of PV guests as in a pipe, or not at all.
    pub(super) fn new(options: &Options, looks_at_types: bool) -> Judge {
        let mut session = Session::new(options, None);
        if looks_at_types {
            session.comes_in_order();
        }
        Judge { session, stopped: None, follows: None }
    }

    /// The next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.stopped.is_some() {
            return;
        }
        match self.session.push(bytes) {
            Ok(taken) if taken < bytes.len() => {
                let after = &bytes[taken..];
                let follows = self.follows.map_or_else(|| Follows::of(after), |before| before.and(after));
                self.follows = Some(follows);
            }
            Ok(_) => {}
            Err(stop) => self.stopped = Some(stop),
        }
    }

    /// The next bytes, which are zero.
    pub(super) fn zeros(&mut self, mut n: u64) {
        while n > 0 && self.stopped.is_none() {
            let skippable = self.session.need().skippable.min(n);
            if skippable > 0 {
                self.stopped = self.session.skip(skippable).err();
                n -= skippable;
                continue;
            }
            let some = n.min(ZEROS.len() as u64);
            self.push(&ZEROS[..some as usize]);
            // After the stream, all that comes here is as these.
            n -= if self.session.is_ended() { n } else { some };
        }
    }

    /// The output is complete.
    pub(super) fn finish(mut self, is_file: bool) -> Result<Report, Error> {
        let outcome = match (self.stopped, self.follows.filter(|_| is_file)) {
            (Some(stop), _) => Err(stop),
            (None, Some(follows)) => self.session.trailing_data(follows).and_then(|()| self.session.finish()),
            (None, None) => self.session.finish(),
        };
        self.session.into_report(outcome)
    }
}
