//! What a verifier says of a stream, put in a row.

use std::cell::RefCell;
use std::collections::VecDeque;

use xenstream_core::wire::{Order, xl};
use xenstream_core::{Framing, Guest, Header, Layer, Leave, Observer, Record, Rule, Violation};

/// What the verifier said, with the offset from which it applies.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) queue: VecDeque<(u64, Event)>,
    /// The rule that was broken last. A policy that keeps going stops at the first that is structural, and tells the
    /// first of all for a verdict.
    last: Option<Rule>,
}

/// What a verifier says of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Xl {
        order: Order,
        length: u64,
        is_json: bool,
    },
    Libvirt {
        order: Order,
        length: u64,
    },
    Libxl(Order),
    Image(Order),
    Header,
    Domain(Guest),
    Record(Record),
    /// From here on nothing is known, since this rule is broken.
    Damage(Rule, Leave),
}

impl Events {
    /// The rule for which a stream was refused, of which this is the first violation.
    pub(super) fn refused_for(&self, first: &Violation) -> Rule {
        self.last.unwrap_or(first.rule)
    }
}

/// Hears for events that are acted on while the verifier goes on.
pub(super) struct Ear<'e>(pub(super) &'e RefCell<Events>);

impl Observer for Ear<'_> {
    fn header(&mut self, header: &Header) {
        let event = match *header {
            Header::Xl { order, optional_data_len, mandatory_flags, .. } => {
                let is_json = mandatory_flags & xl::FLAG_JSON != 0;
                Event::Xl { order, length: u64::from(optional_data_len), is_json }
            }
            Header::Libvirt { order, xml_len, .. } => Event::Libvirt { order, length: u64::from(xml_len) },
            Header::Libxl { order, .. } => Event::Libxl(order),
            Header::LibxcImage { order, .. } => Event::Image(order),
            Header::LibxcDomain { guest, .. } => Event::Domain(guest),
            // What is not known by name has nothing to be told of but its end.
            _ => Event::Header,
        };
        self.0.borrow_mut().queue.push_back((header.end(), event));
    }

    fn record(&mut self, record: &Record) {
        if record.layer != Layer::Hvm {
            self.0.borrow_mut().queue.push_back((record.body_offset, Event::Record(*record)));
        }
    }

    fn finding(&mut self, finding: &Violation) {
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
