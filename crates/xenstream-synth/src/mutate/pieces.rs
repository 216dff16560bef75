//! Any bytes as headers, records and what is between them, as far as they go.

use xenstream_core::Layer;
use xenstream_core::wire::headers;
use xenstream_core::wire::layout::Layout;
use xenstream_core::wire::libxc::types as xc;
use xenstream_core::wire::libxl::types as xl_types;
use xenstream_core::wire::xenopsd::types as xenopsd_types;
use xenstream_core::wire::{Order, RECORD_HEADER, hvm, libvirt, libxc, libxl, padding, xenopsd, xl};

use crate::body::usize_of;
use crate::flat::offset_of;
use crate::item::{EntryPlace, Part};

/// The most pieces that a stream is taken apart into. What follows them is left as it is.
const MOST: usize = 512;

/// A header, a record, or bytes that are neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) part: Part,
    pub(super) order: Order,
    /// The header of a record.
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) padding: Vec<u8>,
}

impl Piece {
    fn plain(part: Part, order: Order, bytes: &[u8]) -> Piece {
        Piece { part, order, head: Vec::new(), body: bytes.to_vec(), padding: Vec::new() }
    }

    pub(super) fn size(&self) -> usize {
        self.head.len() + self.body.len() + self.padding.len()
    }

    pub(super) fn layer(&self) -> Option<Layer> {
        self.part.record().map(|(layer, _)| layer)
    }

    /// The structure that the header of such a record has.
    fn header(layer: Layer) -> &'static Layout {
        if layer == Layer::Xenopsd { &headers::XENOPSD_RECORD } else { &headers::RECORD }
    }

    /// Writes a length into the header, whatever the body's is.
    pub(super) fn claim(&mut self, length: u64) {
        let Some(layer) = self.layer() else { return };
        let (name, order) =
            if layer == Layer::Xenopsd { ("length", Order::Little) } else { ("body_length", self.order) };
        let layout = Piece::header(layer);
        if let Some(placed) = layout.find(name) {
            placed.field.put(&mut self.head, order, length);
        }
    }

    /// Makes header and padding fit the body.
    pub(super) fn fit(&mut self) {
        self.claim(self.body.len() as u64);
        let wanted = match self.layer() {
            Some(Layer::Libxl | Layer::Libxc) => usize_of(padding(self.body.len() as u64)),
            _ => 0,
        };
        self.padding = vec![0; wanted];
    }

    /// Entries of the chain in HVM_CONTEXT, as far as they are whole.
    pub(super) fn entries(&self) -> Vec<EntryPlace> {
        let mut entries = Vec::new();
        if self.part != Part::libxc(xc::HVM_CONTEXT) {
            return entries;
        }
        let mut at = 0;
        while let Some(header) = self.body.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let [a, b, c, d, length @ ..] = *header;
            let (typecode, instance) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
            let length = u64::from(u32::from_le_bytes(length));
            let Some(end) =
                usize::try_from(length).ok().and_then(|n| (at + hvm::ENTRY_HEADER as usize).checked_add(n))
            else {
                break;
            };
            if end > self.body.len() || entries.len() == MOST {
                break;
            }
            entries.push(EntryPlace { typecode, instance, offset: at as u64, length });
            at = end;
        }
        entries
    }
}

/// The bytes of these pieces.
pub(super) fn join(pieces: &[Piece]) -> Vec<u8> {
    let all = pieces.iter().flat_map(|piece| [&piece.head, &piece.body, &piece.padding]);
    all.flatten().copied().collect()
}

/// Takes bytes apart. Every byte is in one of the pieces, so that [`join`] gives them back.
pub(super) fn parse(bytes: &[u8]) -> Vec<Piece> {
    let mut parser = Parser { rest: bytes, pieces: Vec::new(), libxl: Order::Little, libxc: Order::Little };
    if parser.image().is_none() || !parser.rest.is_empty() {
        let rest = parser.rest;
        if !rest.is_empty() {
            parser.pieces.push(Piece::plain(Part::Loose, Order::Little, rest));
        }
    }
    parser.pieces
}

struct Parser<'a> {
    rest: &'a [u8],
    pieces: Vec<Piece>,
    libxl: Order,
    libxc: Order,
}

/// How a layer's records go on after one of them.
enum Next {
    More,
    Ended,
}

impl<'a> Parser<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(taken)
    }

    fn header(&mut self, part: Part, order: Order, length: u64) -> Option<&'a [u8]> {
        let bytes = self.take(usize_of(length))?;
        self.pieces.push(Piece::plain(part, order, bytes));
        Some(bytes)
    }

    /// As many of the next bytes as there are of these.
    fn blob(&mut self, part: Part, order: Order, length: u64) {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(self.rest.len());
        if let Some(bytes) = self.take(length).filter(|bytes| !bytes.is_empty()) {
            self.pieces.push(Piece::plain(part, order, bytes));
        }
    }

    /// The outermost layer. `None` where something is not whole.
    fn image(&mut self) -> Option<()> {
        if self.rest.starts_with(&xl::MAGIC) {
            let order = order_of(self.rest, &headers::XL, "byteorder", xl::BYTEORDER.into());
            let header = self.header(Part::Xl, order, xl::HEADER)?;
            self.blob(Part::XlData, order, number(header, &headers::XL, "optional_data_len", order)?);
        } else if self.rest.starts_with(&libvirt::MAGIC) {
            let order = order_of(self.rest, &headers::LIBVIRT, "version", libvirt::VERSION.into());
            let header = self.header(Part::Libvirt, order, libvirt::HEADER)?;
            self.blob(Part::LibvirtXml, order, number(header, &headers::LIBVIRT, "xml_len", order)?);
        } else if self.rest.starts_with(&xenopsd::SIGNATURE) {
            self.header(Part::Xenopsd, Order::Little, xenopsd::SIGNATURE.len() as u64)?;
            return self.xenopsd();
        }
        if self.rest.starts_with(&libxl::IDENT) { self.libxl() } else { self.libxc(false) }
    }

    fn xenopsd(&mut self) -> Option<()> {
        while self.pieces.len() < MOST {
            let head = self.take(usize_of(xenopsd::HEADER))?;
            let kind = number(head, &headers::XENOPSD_RECORD, "type", Order::Little)?;
            let length = match kind {
                xenopsd_types::LIBXC | xenopsd_types::END_OF_IMAGE => 0,
                _ => number(head, &headers::XENOPSD_RECORD, "length", Order::Little)?,
            };
            self.body(Part::xenopsd(kind), Order::Little, head, length);
            match kind {
                xenopsd_types::END_OF_IMAGE => return Some(()),
                xenopsd_types::LIBXC => self.libxc(false)?,
                _ => {}
            }
        }
        Some(())
    }

    fn libxl(&mut self) -> Option<()> {
        let header = self.header(Part::Libxl, Order::Big, libxl::HEADER)?;
        let options = number(header, &headers::LIBXL, "options", Order::Big)?;
        self.libxl = big_if(options & u64::from(libxl::OPTION_BIG_ENDIAN) != 0);
        loop {
            match self.record(Layer::Libxl)? {
                xl_types::END => return Some(()),
                xl_types::LIBXC_CONTEXT => self.libxc(true)?,
                _ => {}
            }
        }
    }

    /// A libxc stream, with libxl's records at its checkpoints if it is in a libxl stream.
    fn libxc(&mut self, in_libxl: bool) -> Option<()> {
        if !self.rest.starts_with(&libxc::MARKER.to_be_bytes()) {
            return None;
        }
        let header = self.header(Part::Image, Order::Big, libxc::IMAGE_HEADER)?;
        let options = number(header, &headers::LIBXC_IMAGE, "options", Order::Big)?;
        self.libxc = big_if(options & u64::from(libxc::OPTION_BIG_ENDIAN) != 0);
        self.header(Part::Domain, self.libxc, libxc::DOMAIN_HEADER)?;
        loop {
            match self.record(Layer::Libxc)? {
                xc::END => return Some(()),
                xc::CHECKPOINT if in_libxl => while matches!(self.checkpoint()?, Next::More) {},
                _ => {}
            }
        }
    }

    /// A record of libxl at a checkpoint.
    fn checkpoint(&mut self) -> Option<Next> {
        if self.record(Layer::Libxl)? != xl_types::CHECKPOINT_END {
            return Some(Next::More);
        }
        // COLO's message, if it comes.
        let kind = number(self.rest.get(..usize_of(RECORD_HEADER))?, &headers::RECORD, "type", self.libxl)?;
        if kind == u64::from(xl_types::CHECKPOINT_STATE) {
            self.record(Layer::Libxl)?;
        }
        Some(Next::Ended)
    }

    /// A record of libxl or libxc. Returns its type.
    fn record(&mut self, layer: Layer) -> Option<u32> {
        if self.pieces.len() >= MOST {
            return None;
        }
        let order = if layer == Layer::Libxl { self.libxl } else { self.libxc };
        let head = self.take(usize_of(RECORD_HEADER))?;
        let kind = number(head, &headers::RECORD, "type", order)?;
        let length = number(head, &headers::RECORD, "body_length", order)?;
        self.body(Part::Record(layer, kind), order, head, length);
        u32::try_from(kind).ok()
    }

    /// What follows the header of a record, as far as it goes.
    fn body(&mut self, part: Part, order: Order, head: &[u8], length: u64) {
        let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(self.rest.len());
        let (body, rest) = self.rest.split_at(wanted);
        let padded = matches!(part, Part::Record(Layer::Libxl | Layer::Libxc, _));
        let after = if padded { usize_of(padding(length)).min(rest.len()) } else { 0 };
        let (padding, rest) = rest.split_at(after);
        self.rest = rest;
        self.pieces.push(Piece {
            part,
            order,
            head: head.to_vec(),
            body: body.to_vec(),
            padding: padding.to_vec(),
        });
    }
}

fn big_if(big: bool) -> Order {
    if big { Order::Big } else { Order::Little }
}

/// A field of a header.
fn number(header: &[u8], layout: &'static Layout, field: &str, order: Order) -> Option<u64> {
    layout.find(field)?.field.value(header, order)
}

/// The order in which a field has this value.
fn order_of(header: &[u8], layout: &'static Layout, field: &str, value: u64) -> Order {
    let at = usize_of(offset_of(layout, field));
    let is_big = header.get(at..at + 4).is_some_and(|bytes| Order::Big.number(bytes) == value);
    big_if(is_big)
}
