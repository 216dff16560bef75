//! What a stream consists of: its headers and records in order, each of them bytes of the input or new ones. Records of
//! pages that follow one another count as one piece, so that the memory this takes does not grow with the guest.

use std::ops::Range;

use xenstream_core::wire::libxc::{types, vcpu};
use xenstream_core::wire::{Order, RECORD_HEADER, padding};
use xenstream_core::{Format, Guest, Layer};

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
    /// The header of xl, with its optional data.
    Xl,
    /// The header of libvirt, with its XML.
    Libvirt,
    /// The signature of xenopsd.
    Xenopsd,
    /// The header of the libxl stream.
    Libxl,
    /// The image header of libxc.
    Image,
    /// The domain header of libxc.
    Domain,
    /// A record of libxl.
    LibxlRecord(u32),
    /// A record of libxc other than PAGE_DATA.
    LibxcRecord(u32),
    /// A header of xenopsd, with its body.
    XenopsdRecord(u64),
    /// Records of type PAGE_DATA.
    Pages,
}

impl Part {
    /// Whether it is the libxc record of this type.
    pub(super) fn is_record(self, kind: u32) -> bool {
        self == Part::LibxcRecord(kind)
    }

    /// The layer that it belongs to.
    pub(super) fn layer(self) -> Layer {
        match self {
            Part::Xl => Layer::Xl,
            Part::Libvirt => Layer::Libvirt,
            Part::Xenopsd | Part::XenopsdRecord(_) => Layer::Xenopsd,
            Part::Libxl | Part::LibxlRecord(_) => Layer::Libxl,
            Part::Image | Part::Domain | Part::LibxcRecord(_) | Part::Pages => Layer::Libxc,
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
            Part::LibxcRecord(
                types::X86_PV_VCPU_EXTENDED
                    | types::X86_PV_VCPU_XSAVE
                    | types::X86_PV_VCPU_MSRS
                    | types::HVM_PARAMS
            )
        );
        may_be && self.length() <= vcpu::HEADER
    }
}

/// A record: header, body, padding.
pub(super) fn record_bytes(part: Part, order: Order, body: &[u8]) -> Vec<u8> {
    let kind = match part {
        Part::LibxlRecord(kind) | Part::LibxcRecord(kind) => kind,
        _ => types::PAGE_DATA,
    };
    let length = body.len() as u64;
    let mut bytes = Vec::with_capacity(body.len() + 16);
    bytes.extend_from_slice(&order.put_u32(kind));
    bytes.extend_from_slice(&order.put_u32(u32::try_from(length).unwrap_or(u32::MAX)));
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len() + padding(length) as usize, 0);
    bytes
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
            let order = if piece.part.layer() == Layer::Libxl { self.libxl } else { self.libxc };
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
        if part.layer() == Layer::Libxl { self.libxl } else { self.libxc }
    }

    /// The first libxc record of this type.
    pub(super) fn find(&self, kind: u32) -> Option<usize> {
        self.pieces.iter().position(|piece| piece.part.is_record(kind))
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
