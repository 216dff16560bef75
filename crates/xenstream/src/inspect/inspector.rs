//! From what the core tells to rows.

use std::ops::Range;

use xenstream_core::wire::libxc::types;
use xenstream_core::wire::libxl::types as libxl;
use xenstream_core::wire::{self, Order};
use xenstream_core::{Header, Layer, Observer, Pfns, Record};

use crate::inspect::content::{Datum, Value, Values};
use crate::inspect::decode::{self, Body};
use crate::inspect::tap::Bytes;
use crate::inspect::{Batch, Content, Head, Kind, Row, Sink};
use xenstream_core::wire::layout::Show;

/// An observer that makes rows of what it observes. A row is complete once the next one begins and is passed on then,
/// so the last one is passed on by [`finish`](Inspector::finish).
///
/// ```
/// use xenstream::inspect::{Inspector, Row};
/// use xenstream::{Input, Options, verify};
///
/// let mut rows = Vec::new();
/// let mut inspector = Inspector::new(|row: Row| rows.push(row));
/// let report = verify(Input::Slice(b"LibxlFmt\0\0\0\x02\0\0\0\0"), &Options::default(), &mut inspector).unwrap();
/// inspector.finish(report.summary.bytes);
/// assert_eq!(rows[0].to_string(), "0 libxl header: order little, options 0x0");
/// ```
pub struct Inspector<S, B = ()> {
    sink: S,
    tap: B,
    /// There is a container around the libxl or libxc stream.
    contained: bool,
    in_libxl: bool,
    libxl_order: Order,
    libxc_order: Order,
    /// CHECKPOINT records so far.
    checkpoints: u64,
    /// The row that is not complete yet.
    open: Option<Open>,
    /// Bytes that the sink asked for and has not got yet.
    wanted: Range<u64>,
}

struct Open {
    head: Head,
    record: Record,
    body: Body,
    batch: Batch,
}

impl<S: Sink> Inspector<S> {
    /// An inspector that tells its rows to this sink. Bytes it has none: an observer sees no headers of records. For
    /// those there is [`inspect`](crate::inspect::inspect()).
    pub fn new(sink: S) -> Inspector<S> {
        Inspector::tapped(sink, ())
    }
}

impl<S: Sink, B: Bytes> Inspector<S, B> {
    /// The same, with bytes for the sink too.
    pub(super) fn tapped(sink: S, tap: B) -> Inspector<S, B> {
        Inspector {
            sink,
            tap,
            contained: false,
            in_libxl: false,
            libxl_order: Order::Little,
            libxc_order: Order::Little,
            checkpoints: 0,
            open: None,
            wanted: 0..0,
        }
    }

    /// Hands over the last row, at the end of the stream or of what was read of it, and returns the sink. `bytes` of the
    /// stream have passed.
    pub fn finish(mut self, bytes: u64) -> S {
        let torn = self.open.as_ref().is_some_and(|open| open.head.end() > bytes);
        self.close(torn, u64::MAX);
        self.sink
    }

    /// Something begins.
    fn begin(&mut self, head: Head) {
        self.close(false, head.offset);
        if head.layer != Layer::Hvm {
            // The last entry of a chain may claim to be longer than its record.
            self.wanted = 0..0;
        }
        if self.sink.begin(&head) && self.tap.tap().is_some() {
            // An entry lies inside its record, which may be wanted whole.
            self.wanted.start = if self.wanted.is_empty() { head.offset } else { self.wanted.start };
            self.wanted.end = self.wanted.end.max(head.end());
        }
    }

    /// What was open is over, in front of this offset.
    fn close(&mut self, torn: bool, end: u64) {
        self.hand_over(end);
        let Some(Open { head, record, body, batch }) = self.open.take() else { return };
        let content = match record.layer {
            Layer::Libxc if record.kind == u64::from(types::PAGE_DATA) => Content::PageData(batch),
            Layer::Libxc if record.kind == u64::from(types::CHECKPOINT) => {
                Values::derived([Value::decimal("checkpoint", self.checkpoints)])
            }
            Layer::Libxl if record.kind == u64::from(libxl::CHECKPOINT_END) => {
                Values::derived([Value::decimal("checkpoint", self.checkpoints)])
            }
            Layer::Libxl => decode::content(&record, &body, self.libxl_order),
            _ => decode::content(&record, &body, self.libxc_order),
        };
        self.row(Row { head, last_index: None, torn, content });
    }

    fn row(&mut self, row: Row) {
        self.sink.row(row);
        if let Some(tap) = self.tap.tap()
            && !self.sink.wants_more()
        {
            tap.borrow_mut().abandoned = true;
        }
    }

    /// Hands wanted bytes over that lie in front of this offset and have passed.
    fn hand_over(&mut self, end: u64) {
        let Some(tap) = self.tap.tap().filter(|_| !self.wanted.is_empty()) else { return };
        let tap = tap.borrow();
        let (offset, bytes) = tap.kept(self.wanted.start..self.wanted.end.min(end));
        if !bytes.is_empty() {
            self.sink.bytes(offset, bytes);
            self.wanted.start = offset.saturating_add(bytes.len() as u64);
        }
    }

    fn depth(&self, layer: Layer) -> u8 {
        let (contained, in_libxl) = (u8::from(self.contained), u8::from(self.in_libxl));
        match layer {
            Layer::Libxl => contained,
            Layer::Libxc => contained + in_libxl,
            Layer::Hvm => contained + in_libxl + 1,
            _ => 0,
        }
    }

    fn open(&mut self, record: &Record, head: Head) {
        self.begin(head);
        self.open = Some(Open { head, record: *record, body: Body::default(), batch: Batch::new() });
    }
}

impl<S: Sink, B: Bytes> Observer for Inspector<S, B> {
    fn wants_body(&mut self, record: &Record) -> bool {
        if decode::is_configuration(record) {
            // Nothing else announces it. The fields that announce libvirt's belong to its header.
            let offset = match record.layer {
                Layer::Xl => record.offset,
                _ => record.body_offset,
            };
            let head = Head {
                offset,
                layer: record.layer,
                depth: 0,
                index: None,
                kind: Kind::Header("configuration"),
                body_length: record.body_length,
                bytes: (record.body_offset - offset).saturating_add(record.body_length),
            };
            self.open(record, head);
        }
        !self.wanted.is_empty() || decode::has_content(record)
    }

    fn on_header(&mut self, header: &Header) {
        let content = content(header);
        let (layer, bytes) = (header.layer(), header.length());
        match header {
            Header::Libxl { order, .. } => {
                self.in_libxl = true;
                self.libxl_order = *order;
            }
            Header::LibxcImage { order, .. } => self.libxc_order = *order,
            Header::LibxcDomain { .. } => {}
            _ => self.contained = true,
        }
        let head = Head {
            offset: header.offset(),
            layer,
            depth: self.depth(layer),
            index: None,
            kind: Kind::Header(header.name()),
            body_length: bytes,
            bytes,
        };
        self.begin(head);
        self.hand_over(head.end());
        self.row(Row { head, last_index: None, torn: false, content });
    }

    fn on_record(&mut self, record: &Record) {
        let Some(label) = record.reference().type_label() else { return };
        let head = Head {
            offset: record.offset,
            layer: record.layer,
            depth: self.depth(record.layer),
            index: Some(record.index),
            kind: Kind::Record(label),
            body_length: record.body_length,
            bytes: record.end().saturating_sub(record.offset),
        };
        self.open(record, head);
        if record.layer == Layer::Libxc && record.kind == u64::from(types::CHECKPOINT) {
            self.checkpoints = self.checkpoints.saturating_add(1);
        }
    }

    fn on_body(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset.saturating_add(bytes.len() as u64);
        self.hand_over(end);
        let Some(open) = &mut self.open else { return };
        // The chain of HVM_CONTEXT passes as one body, with the entries' headers.
        let start = open.record.body_offset.max(offset);
        let stop = open.record.body_offset.saturating_add(open.record.body_length).min(end);
        if start < stop {
            let place = |at: u64| usize::try_from(at - offset).unwrap_or(usize::MAX);
            if let Some(bytes) = bytes.get(place(start)..place(stop)) {
                open.body.note(&open.record, bytes);
            }
        }
    }

    fn on_pfns(&mut self, entries: Pfns<'_>) {
        if let Some(open) = &mut self.open {
            open.batch.note(entries);
        }
    }
}

/// The content of a header; none of a signature.
fn content(header: &Header) -> Content {
    let order_word =
        |order| Value::new("order", Datum::Word(if order == Order::Big { "big" } else { "little" }));
    let hex = |name, value: u32| Value::new(name, Datum::Number(value.into(), Show::Hex));
    match *header {
        Header::Xl { order, mandatory_flags, optional_flags, optional_data_len, .. } => {
            let flags = Datum::Number(mandatory_flags.into(), Show::Flags(wire::xl::FLAGS));
            Values::derived([
                order_word(order),
                Value::new("mandatory_flags", flags),
                hex("optional_flags", optional_flags),
                Value::decimal("optional_data_len", optional_data_len),
            ])
        }
        Header::Libvirt { order, version, xml_len, .. } => {
            let version = Value::decimal("version", version);
            Values::derived([order_word(order), version, Value::decimal("xml_len", xml_len)])
        }
        Header::Libxl { order, options, .. } => Values::derived([order_word(order), hex("options", options)]),
        Header::LibxcImage { order, version, options, .. } => {
            let version = Value::decimal("version", version);
            Values::derived([order_word(order), version, hex("options", options.into())])
        }
        // The converter of legacy streams leaves the major version zero and puts its own into the minor one.
        Header::LibxcDomain { guest, xen: (xen_major, xen_minor), .. } => Values::derived([
            Value::new("guest", Datum::Word(guest.name())),
            Value::decimal("xen_major", xen_major),
            Value::decimal("xen_minor", xen_minor),
        ]),
        _ => Content::Nothing,
    }
}
