//! What a verifier says of a stream, put in a row.

use std::cell::RefCell;
use std::collections::VecDeque;

use xenstream_core::{Framing, Header, Layer, Leave, Observer, Record, Rule, Violation};

/// What the verifier said, with the offset from which it applies.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) queue: VecDeque<(u64, Event)>,
    /// The rule that was broken last. A policy that keeps going stops at the first that is structural, and reports the
    /// first of all for a verdict.
    last: Option<Rule>,
}

/// What a verifier says of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Header(Header),
    Record(Record),
    /// From here on nothing is known, since this rule is broken.
    Damage(Rule, Leave),
}

impl Events {
    /// The rule for which a stream was refused whose first violation this is.
    pub(super) fn refused_for(&self, first: &Violation) -> Rule {
        self.last.unwrap_or(first.rule)
    }
}

/// Queues events that the scrubber acts on once the verifier has passed their bytes.
pub(super) struct EventQueue<'e>(pub(super) &'e RefCell<Events>);

impl Observer for EventQueue<'_> {
    fn on_header(&mut self, header: &Header) {
        self.0.borrow_mut().queue.push_back((header.end(), Event::Header(*header)));
    }

    fn on_record(&mut self, record: &Record) {
        if record.layer != Layer::Hvm {
            self.0.borrow_mut().queue.push_back((record.body_offset, Event::Record(*record)));
        }
    }

    fn on_finding(&mut self, finding: &Violation) {
        let mut events = self.0.borrow_mut();
        events.last = Some(finding.rule);
        match finding.rule.entry().framing {
            Framing::Lost { after, leave } => {
                let end = finding.offset.saturating_add(u64::from(after));
                events.queue.push_back((end, Event::Damage(finding.rule, leave)));
            }
            // The end of what was read is settled when the stream has been given up.
            Framing::Kept | Framing::Ends { .. } => {}
        }
    }
}
