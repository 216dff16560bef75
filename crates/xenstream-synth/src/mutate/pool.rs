//! What is put into streams: pieces of valid ones, and of those that break a rule.

use std::ops::Range;
use std::sync::LazyLock;

use fastrand::Rng;
use xenstream_core::Layer;
use xenstream_core::wire::hvm::types;

use super::order_of;
use super::pieces::{Piece, parse};
use crate::hvm::Entry;
use crate::item::Part;
use crate::minimal::{self, Kind};
use crate::plan::Container;
use crate::stream::Stream;
use crate::valid::Machine;
use crate::{cases, libxc, libxl};

/// Pages would not fit into what fuzzers make.
const LARGEST: usize = 6144;

/// Small streams, taken apart.
static STREAMS: LazyLock<Vec<Vec<Piece>>> = LazyLock::new(|| {
    let guests = [minimal::hvm(), minimal::pv64(), minimal::pv32()];
    let around = |libxc: Stream, container| match container {
        Container::Libxc => libxc,
        Container::Libxl => libxc.in_libxl(),
        Container::Xl => libxc.in_libxl().in_xl(),
        Container::Libvirt => libxc.in_libxl().in_libvirt(),
        Container::Xenopsd => libxc.in_xenopsd().with_blobs(),
    };
    let mut streams: Vec<Stream> =
        Container::all().flat_map(|container| guests.clone().map(|guest| around(guest, container))).collect();
    streams.extend([Kind::Remus, Kind::Colo].map(|kind| minimal::checkpointed(kind, 1)));
    streams.push(minimal::hvm().in_libxl().with_device_model());
    streams.push(minimal::hvm().as_version_2());
    streams.extend(Machine::all().map(Machine::libxc));
    streams.iter().map(|stream| parse(&stream.bytes())).collect()
});

/// Pieces of all kinds, those of broken streams too: each differs from the others.
static PIECES: LazyLock<Vec<Piece>> = LazyLock::new(|| {
    let more = [
        libxc::verify(),
        libxc::checkpoint(),
        libxc::toolstack(),
        libxc::dirty_pfn_list(&[0]),
        libxc::clock(),
        libxl::checkpoint_end(),
        libxl::checkpoint_state(0),
    ];
    let order = xenstream_core::wire::Order::Little;
    let more = more.into_iter().map(|item| Piece {
        part: item.part(),
        order,
        head: item.bytes(order),
        body: Vec::new(),
        padding: Vec::new(),
    });
    let mut pieces: Vec<Piece> = more.map(split).collect();
    pieces.extend(STREAMS.iter().flatten().cloned());
    pieces.extend(cases::all().iter().flat_map(|case| parse(&case.stream)));
    pieces.retain(|piece| piece.size() <= LARGEST && piece.part != Part::Loose);
    pieces.sort_by_cached_key(|piece| (format!("{:?}", piece.part), piece.head.clone(), piece.body.clone()));
    pieces.dedup();
    pieces
});

/// The pieces of one kind.
struct Kinds {
    layer: Option<Layer>,
    range: Range<usize>,
}

static KINDS: LazyLock<Vec<Kinds>> = LazyLock::new(|| {
    let mut start = 0;
    let kinds = PIECES.chunk_by(|a, b| a.part == b.part).map(|same| {
        let range = start..start + same.len();
        start = range.end;
        Kinds { layer: same[0].layer(), range }
    });
    kinds.collect()
});

/// A record whose bytes are all in its head.
fn split(mut piece: Piece) -> Piece {
    piece.body = piece.head.split_off(piece.head.len().min(8));
    piece.padding = Vec::new();
    piece
}

/// A small stream of at most `most` bytes, if there is one.
pub(super) fn stream(rng: &mut Rng, most: usize) -> Vec<Piece> {
    let size = |pieces: &[Piece]| pieces.iter().map(Piece::size).sum::<usize>();
    let small = STREAMS.iter().filter(|pieces| size(pieces) <= most).collect::<Vec<_>>();
    rng.choice(small).cloned().unwrap_or_default()
}

/// A piece to be put beside this one: mostly of its layer, and in its byte order.
pub(super) fn piece(rng: &mut Rng, near: Option<&Piece>) -> Piece {
    let layer = near.and_then(Piece::layer).filter(|_| rng.u8(..8) != 0);
    let wanted = |kind: &&Kinds| layer.is_none() || kind.layer == layer;
    // By kind first: there are many of some.
    let kind = rng.choice(KINDS.iter().filter(wanted).collect::<Vec<_>>());
    let all = kind.map_or(0..PIECES.len(), |kind| kind.range.clone());
    let mut piece = PIECES[rng.usize(all)].clone();
    if let Some((layer @ (Layer::Libxl | Layer::Libxc), _)) = piece.part.record() {
        let order = order_of(layer, near);
        if order != piece.order {
            // The header alone: what the body holds is another order's, as a fuzzer may like it.
            piece.head.chunks_mut(4).for_each(<[u8]>::reverse);
            piece.order = order;
        }
    }
    piece
}

/// An entry of HVM_CONTEXT.
pub(super) fn entry(rng: &mut Rng) -> Vec<u8> {
    let typecode = rng.u16(..types::KNOWN);
    let instance = rng.choice([0, 0, 1, 2, 127]).unwrap_or(0);
    match typecode {
        types::CPU_MSR => Entry::msrs(instance, &[(0xC000_0103, 0)]),
        typecode => Entry::reset(typecode, instance),
    }
    .bytes()
}
