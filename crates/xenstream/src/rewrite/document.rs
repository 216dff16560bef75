//! What a stream consists of: its headers and records in order, each of them bytes of the input or new ones. Records of
//! pages that follow one another count as one piece, so that the memory this takes does not grow with the guest.

use std::ops::Range;

use xenstream_core::wire::libxc::{types as libxc, vcpu};
use xenstream_core::wire::types::{self, RecordType};
use xenstream_core::wire::{Order, RECORD_HEADER, headers};
use xenstream_core::{Format, Guest, Layer, Record};

use crate::Error;
use crate::rewrite::compact::Index;
use crate::rewrite::image::Image;
use crate::rewrite::log::Log;
use crate::rewrite::patches::Patches;
use crate::source::ahead::fill_at;
use crate::source::file::ReadAt;

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The header of a stream, or its signature; of xl and libvirt, with the configuration.
    Header(Layer),
    /// The second header of libxc.
    Domain,
    /// A record other than PAGE_DATA.
    Record(Layer, u32),
    /// Records of type PAGE_DATA.
    Pages,
}

impl Part {
    /// A record of libxc.
    pub(super) const fn libxc(kind: u32) -> Part {
        Part::Record(Layer::Libxc, kind)
    }

    /// A record of libxl.
    pub(super) const fn libxl(kind: u32) -> Part {
        Part::Record(Layer::Libxl, kind)
    }

    /// The record that ends a layer's stream, if it has one.
    pub(super) fn end(layer: Layer) -> Option<Part> {
        types::end(layer).map(|kind| Part::Record(layer, kind))
    }

    /// The layer that it belongs to.
    pub(super) fn layer(self) -> Layer {
        match self {
            Part::Header(layer) | Part::Record(layer, _) => layer,
            Part::Domain | Part::Pages => Layer::Libxc,
        }
    }

    /// What is known of the record's type.
    pub(super) fn record_type(self) -> Option<&'static RecordType> {
        match self {
            Part::Record(layer, kind) => types::get(layer, kind.into()),
            Part::Header(_) | Part::Domain | Part::Pages => None,
        }
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Header(Layer::Xl) => "xl header",
            Part::Header(Layer::Libvirt) => "libvirt header",
            Part::Header(Layer::Libxl) => "libxl header",
            Part::Header(Layer::Libxc) => "image header",
            Part::Header(_) => "signature",
            Part::Domain => "domain header",
            Part::Record(..) => self.record_type().map_or("record", |known| known.name),
            Part::Pages => "PAGE_DATA",
        }
    }
}

/// A header, a record, or records of pages.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) part: Part,
    /// Where it lies in the input; empty at the place where a new one comes in.
    pub(super) range: Range<u64>,
    /// Its body, in the input.
    pub(super) body: Range<u64>,
    /// Records in it.
    pub(super) records: u64,
    /// New bytes in place of the input's.
    pub(super) new: Option<Vec<u8>>,
    /// Zero bytes after it that the input does not have.
    pub(super) pad: u8,
}

impl Piece {
    /// A piece that is not in the input.
    pub(super) fn made(part: Part, bytes: Vec<u8>) -> Piece {
        Piece { part, range: 0..0, body: 0..0, records: 1, new: Some(bytes), pad: 0 }
    }

    /// A record that is not in the input.
    pub(super) fn record(part: Part, order: Order, body: &[u8]) -> Piece {
        Piece::made(part, record_bytes(part, order, body))
    }

    /// Bytes of the body as it is now; with the padding, if it is a new one.
    pub(super) fn length(&self) -> u64 {
        match &self.new {
            Some(new) => (new.len() as u64).saturating_sub(RECORD_HEADER),
            None => self.body.end - self.body.start,
        }
    }

    /// Whether it is a record of a vcpu or of parameters that sets nothing: savers up to 4.12 write one where they have
    /// nothing to say (erratum 1 of the specification).
    pub(super) fn is_void(&self) -> bool {
        let may_be = matches!(
            self.part,
            Part::Record(
                Layer::Libxc,
                libxc::X86_PV_VCPU_EXTENDED
                    | libxc::X86_PV_VCPU_XSAVE
                    | libxc::X86_PV_VCPU_MSRS
                    | libxc::HVM_PARAMS
            )
        );
        may_be && self.length() <= vcpu::HEADER
    }
}

/// A record: header, body, padding.
pub(super) fn record_bytes(part: Part, order: Order, body: &[u8]) -> Vec<u8> {
    let length = body.len() as u64;
    let padding = vec![0; padding(part.layer(), length) as usize];
    [&record_header(part, order, length), body, &padding].concat()
}

/// The header of a record with a body of this length.
pub(super) fn record_header(part: Part, order: Order, length: u64) -> Vec<u8> {
    let kind = if let Part::Record(_, kind) = part { kind } else { libxc::PAGE_DATA };
    let fields = headers::of_layer(part.layer()).iter().flat_map(|layout| layout.groups);
    let fields = fields.flat_map(|group| group.fields.iter().zip([kind.into(), length]));
    fields
        .flat_map(|(field, value)| {
            order.put_number(field.width, value).into_iter().take(field.width as usize)
        })
        .collect()
}

/// Bytes of padding after the body of a layer's record.
pub(super) fn padding(layer: Layer, body_length: u64) -> u64 {
    Record::new(layer, 0, 0, 0, body_length).padding()
}

/// A stream in pieces.
pub(super) struct Document<'i> {
    pub(super) input: &'i dyn ReadAt,
    pub(super) pieces: Vec<Piece>,
    pub(super) patches: Patches,
    pub(super) format: Format,
    pub(super) libxl: Order,
    pub(super) libxc: Order,
    pub(super) guest: Option<Guest>,
    pub(super) version: u32,
    /// The stream came to its end.
    pub(super) ended: bool,
    /// Where a stream without an end has bytes of another header; empty if it has none.
    pub(super) stray: Range<u64>,
    /// The last piece is not all there.
    pub(super) is_torn: bool,
    /// Where the last copy of each page is, once only that is to come out. It comes in place of the one piece of pages.
    pub(super) index: Option<Index>,
    /// Where it ends in the input, or what could be read of it.
    pub(super) end: u64,
}

impl Document<'_> {
    /// Longest body that is edited. Larger ones hold memory, or nothing that a saver writes.
    const EDITED_MAX: u64 = 32 << 20;

    /// The body of a record, as it is now. `None` if it is too long to be edited.
    pub(super) fn body(&self, piece: &Piece) -> Result<Option<Vec<u8>>, Error> {
        if let Some(new) = &piece.new {
            let order = self.order(piece.part);
            let header = RECORD_HEADER as usize;
            let length = new.get(4..8).and_then(|field| field.first_chunk()).map(|field| order.u32(*field));
            let body = length.and_then(|length| new.get(header..header + length as usize));
            return Ok(body.map(<[u8]>::to_vec));
        }
        if piece.body.end - piece.body.start > Document::EDITED_MAX {
            return Ok(None);
        }
        self.read(piece.body.clone()).map(Some)
    }

    /// Bytes of the input, patched; fewer at its end.
    pub(super) fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
        let have = fill_at(self.input, &mut bytes, range.start)?;
        bytes.truncate(have);
        self.patches.apply(range.start, &mut bytes);
        Ok(bytes)
    }

    /// Changes bytes of the input in place. Returns whether there was room; says so where there was none.
    #[must_use]
    pub(super) fn patch(&mut self, offset: u64, bytes: &[u8], place: &str, log: &mut Log) -> bool {
        let is_put = self.patches.put(offset, bytes);
        if !is_put {
            log.obstacle(offset, place, "more bytes would be changed than are kept in memory", None);
        }
        is_put
    }

    /// Gives a record another body.
    pub(super) fn set_body(&mut self, at: usize, body: &[u8]) {
        let order = self.order(self.pieces[at].part);
        let piece = &mut self.pieces[at];
        piece.new = Some(record_bytes(piece.part, order, body));
    }

    /// The byte order of a part's records.
    pub(super) fn order(&self, part: Part) -> Order {
        match part.layer() {
            Layer::Libxl => self.libxl,
            Layer::Libxc => self.libxc,
            _ => Order::Little,
        }
    }

    /// The first libxc record of this type.
    pub(super) fn find(&self, kind: u32) -> Option<usize> {
        self.pieces.iter().position(|piece| piece.part == Part::libxc(kind))
    }

    /// The output.
    pub(super) fn image(&self) -> Image<'_> {
        let mut image = Image::new(self.input);
        for piece in &self.pieces {
            match &piece.new {
                Some(_) if piece.part == Part::Pages && self.index.is_some() => {
                    self.index.iter().for_each(|index| index.write(self.libxc, &mut image));
                }
                Some(new) => image.bytes(new),
                None => {
                    image.copy(piece.range.clone(), &self.patches);
                    image.bytes(&[0; 8][..usize::from(piece.pad.min(8))]);
                }
            }
        }
        image
    }
}
