//! Changes streams and keeps their structure: a mutator for fuzzers.
//!
//! [`mutate`] takes any bytes apart as far as they are a stream, changes headers, records, entries or single declared
//! fields, and puts them together again. Mostly it makes lengths and padding fit, and sometimes it leaves them wrong on
//! purpose. [`cross`] makes one stream of two. Both give the same bytes for the same seed, never more than they may, and
//! take any input.
//!
//! ```
//! use xenstream_synth::{minimal, mutate};
//!
//! let stream = minimal::hvm().bytes();
//! let mutant = mutate::mutate(&stream, 4096, 7);
//! assert!(mutant.len() <= 4096);
//! assert_eq!(mutant, mutate::mutate(&stream, 4096, 7));
//! let other = minimal::pv64().in_libxl().bytes();
//! assert!(mutate::cross(&stream, &other, 4096, 7).len() <= 4096);
//! ```

mod pieces;
mod pool;

use fastrand::Rng;
use xenstream_core::Layer;
use xenstream_core::wire::Order;
use xenstream_core::wire::hvm::ENTRY_HEADER;
use xenstream_core::wire::libxc::page;
use xenstream_core::wire::libxc::types::PAGE_DATA;

use self::pieces::{Piece, join, parse};
use crate::flat::{borders, fields_of};
use crate::item::Part;

/// Changes a stream: the result has at most `most` bytes.
#[must_use]
pub fn mutate(bytes: &[u8], most: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    let mut pieces = parse(bytes);
    if pieces.is_empty() || (rng.u8(..64) == 0) {
        pieces = pool::stream(&mut rng, most);
    }
    // Mostly one change, so that what a fuzzer learns of it is about that one.
    let changes = 1 + rng.u8(..8).saturating_sub(5);
    for _ in 0..changes {
        change(&mut pieces, &mut rng);
    }
    within(pieces, most, &mut rng)
}

/// Returns whether these bytes begin like a stream, so that there is a structure to keep.
#[must_use]
pub fn is_stream(bytes: &[u8]) -> bool {
    parse(bytes).first().is_some_and(|piece| piece.part != Part::Loose)
}

/// Makes one stream of two: the result has at most `most` bytes.
#[must_use]
pub fn cross(first: &[u8], second: &[u8], most: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    let (mut pieces, other) = (parse(first), parse(second));
    if pieces.is_empty() || other.is_empty() {
        return within(if pieces.is_empty() { other } else { pieces }, most, &mut rng);
    }
    match rng.u8(..3) {
        // The start of one and the end of the other.
        0 => {
            pieces.truncate(rng.usize(..=pieces.len()));
            pieces.extend_from_slice(&other[rng.usize(..other.len())..]);
        }
        // A run of one in the place of a run of the other.
        1 => {
            let (to, from) = (run(pieces.len(), &mut rng), run(other.len(), &mut rng));
            pieces.splice(to, other[from].iter().cloned());
        }
        // Each of the other's pieces in the place of one of its kind.
        _ => {
            for piece in &mut pieces {
                let same = other.iter().filter(|other| other.part == piece.part).collect::<Vec<_>>();
                if let Some(other) = rng.choice(same).filter(|_| rng.bool()) {
                    *piece = other.clone();
                }
            }
        }
    }
    within(pieces, most, &mut rng)
}

/// A range of indices that is not empty.
fn run(n: usize, rng: &mut Rng) -> std::ops::Range<usize> {
    let start = rng.usize(..n);
    // Short ones more often than long ones.
    let longest = (n - start).min(1 << rng.u8(..6));
    start..start + rng.usize(1..=longest)
}

/// One change of the pieces.
fn change(pieces: &mut Vec<Piece>, rng: &mut Rng) {
    if pieces.is_empty() {
        pieces.push(pool::piece(rng, None));
        return;
    }
    let at = rng.usize(..pieces.len());
    match rng.u8(..32) {
        0..2 => drop(pieces.drain(run(pieces.len(), rng))),
        2 => drop(pieces.remove(at)),
        3..5 => {
            let to = rng.usize(..=pieces.len());
            pieces.insert(to, pieces[at].clone());
        }
        5 => {
            let copies: Vec<Piece> = pieces[run(pieces.len(), rng)].to_vec();
            let to = rng.usize(..=pieces.len());
            pieces.splice(to..to, copies);
        }
        6..8 => {
            let other = rng.usize(..pieces.len());
            pieces.swap(at, other);
        }
        8 => {
            let piece = pieces.remove(at);
            let to = rng.usize(..=pieces.len());
            pieces.insert(to, piece);
        }
        9..12 => {
            let piece = pool::piece(rng, Some(&pieces[at]));
            pieces.insert(at, piece);
        }
        12 => pieces[at] = pool::piece(rng, Some(&pieces[at])),
        13 => {
            let other = pool::stream(rng, usize::MAX);
            let (to, from) = (run(pieces.len(), rng), run(other.len(), rng));
            pieces.splice(to, other[from].iter().cloned());
        }
        14..24 => field(&mut pieces[at], rng),
        24..26 => {
            let context = pieces.iter_mut().filter(|piece| !piece.entries().is_empty());
            match rng.choice(context.collect::<Vec<_>>()) {
                Some(piece) => entry(piece, rng),
                None => field(&mut pieces[at], rng),
            }
        }
        26 => {
            let memory = pieces.iter_mut().filter(|piece| piece.part == Part::libxc(PAGE_DATA));
            match rng.choice(memory.collect::<Vec<_>>()) {
                Some(piece) => memory_entry(piece, rng),
                None => field(&mut pieces[at], rng),
            }
        }
        27 => resize(&mut pieces[at], rng),
        28 => lie(&mut pieces[at], rng),
        29 => {
            let piece = &mut pieces[at];
            piece.padding = (0..rng.usize(..=8)).map(|_| rng.u8(..)).collect();
        }
        30 => pieces[at].fit(),
        _ => {
            if let Some(byte) = rng.choice(&mut pieces[at].body) {
                *byte ^= 1 << rng.u8(..8);
            }
        }
    }
}

/// A declared field at one of its borders, or near what it was.
fn field(piece: &mut Piece, rng: &mut Rng) {
    let entries = piece.entries();
    let places = fields_of(piece.part, piece.head.len() as u64, piece.body.len() as u64, &entries);
    // Structures have very different numbers of fields: any structure first.
    let mut structures: Vec<&str> = places.iter().map(|place| place.layout.name).collect();
    structures.dedup();
    let Some(name) = rng.choice(&structures).copied() else {
        return resize(piece, rng);
    };
    let Some(place) = rng.choice(places.iter().filter(|place| place.layout.name == name).collect::<Vec<_>>())
    else {
        return;
    };
    let order = place.layout.order.in_stream(piece.order);
    let head = piece.head.len();
    let (bytes, start) = match usize::try_from(place.at) {
        Ok(at) if at < head => (&mut piece.head, at),
        Ok(at) => (&mut piece.body, at - head),
        Err(_) => return,
    };
    let Some(bytes) = bytes.get_mut(start..start + place.field.width as usize) else { return };
    let old = order.number(bytes);
    let known = borders(place.field);
    let value = match rng.u8(..8) {
        0 => old.wrapping_add(1),
        1 => old.wrapping_sub(1),
        2 => old ^ 1 << rng.u32(..8 * place.field.width),
        _ => rng.choice(known).unwrap_or(0),
    };
    bytes.copy_from_slice(&order.put_number(place.field.width, value)[..bytes.len()]);
}

/// An entry of HVM_CONTEXT less, twice, elsewhere, or more.
fn entry(piece: &mut Piece, rng: &mut Rng) {
    let range = |place: crate::item::EntryPlace| {
        let start = place.offset as usize;
        start..start + (ENTRY_HEADER + place.length) as usize
    };
    let entries: Vec<_> = piece.entries().into_iter().map(range).collect();
    let Some(chosen) = rng.choice(&entries).cloned() else { return };
    let bytes = piece.body[chosen.clone()].to_vec();
    let starts: Vec<usize> = entries.iter().map(|range| range.start).collect();
    let to = rng.choice(starts).unwrap_or(0);
    match rng.u8(..4) {
        0 => drop(piece.body.drain(chosen)),
        1 => drop(piece.body.splice(to..to, bytes)),
        2 => {
            piece.body.drain(chosen.clone());
            let to = if to > chosen.start { to - chosen.len() } else { to };
            piece.body.splice(to..to, bytes);
        }
        _ => drop(piece.body.splice(to..to, pool::entry(rng))),
    }
    fit_mostly(piece, rng);
}

/// An entry of PAGE_DATA with another type or pfn, more or less of them; the pages follow.
fn memory_entry(piece: &mut Piece, rng: &mut Rng) {
    let order = piece.order;
    let Some(count) = piece.body.get(..4).map(|bytes| order.number(bytes)) else { return };
    let header = page::HEADER as usize;
    let there = (piece.body.len().saturating_sub(header) / page::ENTRY as usize).min(count as usize);
    let kind = rng.u64(..16) << page::TYPE_SHIFT;
    let bits = rng.u8(..53);
    match rng.u8(..3) {
        0 if there > 0 => {
            let at = header + 8 * rng.usize(..there);
            let old = order.number(&piece.body[at..at + 8]);
            let new = match rng.u8(..4) {
                0 => old & page::PFN | kind,
                1 => old.wrapping_add(1),
                2 => old ^ 1 << rng.u8(..64),
                _ => old & !page::PFN | rng.u64(..1 << bits),
            };
            piece.body[at..at + 8].copy_from_slice(&order.put_u64(new));
        }
        1 if there > 0 => {
            let at = header + 8 * rng.usize(..there);
            piece.body.drain(at..at + 8);
            piece.body[..4].copy_from_slice(&order.put_u32(count.wrapping_sub(1) as u32));
        }
        _ => {
            let at = (header + 8 * there).min(piece.body.len());
            // One without a page is small enough for most limits.
            let absent = page::XTAB << page::TYPE_SHIFT | rng.u64(..1 << 12);
            piece.body.splice(at..at, order.put_u64(absent));
            piece.body[..4].copy_from_slice(&order.put_u32(count.wrapping_add(1) as u32));
        }
    }
    fit_mostly(piece, rng);
}

/// Another length of the body.
fn resize(piece: &mut Piece, rng: &mut Rng) {
    let step = rng.choice([1, 2, 4, 8, 16, 24, 64]).unwrap_or(1);
    if rng.bool() {
        let any = rng.u8(..);
        let filler = rng.choice([0, 0, 0xFF, any]).unwrap_or(0);
        piece.body.resize(piece.body.len() + step, filler);
    } else {
        piece.body.truncate(piece.body.len().saturating_sub(step));
    }
    fit_mostly(piece, rng);
}

/// A header that claims another length than the body's.
fn lie(piece: &mut Piece, rng: &mut Rng) {
    let length = piece.body.len() as u64;
    let other = match rng.u8(..4) {
        0 => length.wrapping_add(rng.choice([1, 8, 4096]).unwrap_or(1)),
        1 => length.wrapping_sub(rng.choice([1, 8]).unwrap_or(1)),
        2 => rng.choice([0, 128 << 20, (128 << 20) + 1, u32::MAX.into(), u64::MAX]).unwrap_or(0),
        _ => length,
    };
    let narrow = piece.layer() != Some(Layer::Xenopsd);
    piece.claim(if narrow { other & u64::from(u32::MAX) } else { other });
}

fn fit_mostly(piece: &mut Piece, rng: &mut Rng) {
    if rng.u8(..8) != 0 {
        piece.fit();
    }
}

/// The bytes of the pieces, with as many of them dropped as it takes.
fn within(mut pieces: Vec<Piece>, most: usize, rng: &mut Rng) -> Vec<u8> {
    let mut size: usize = pieces.iter().map(Piece::size).sum();
    while size > most && pieces.len() > 1 {
        // What is large goes first, and headers last.
        let candidates = (0..3).map(|_| rng.usize(..pieces.len())).collect::<Vec<_>>();
        let largest =
            candidates.into_iter().max_by_key(|at| (pieces[*at].layer().is_some(), pieces[*at].size()));
        let at = largest.unwrap_or(0);
        size -= pieces.remove(at).size();
    }
    let mut bytes = join(&pieces);
    bytes.truncate(most);
    bytes
}

/// The order of a piece's fields.
fn order_of(layer: Layer, near: Option<&Piece>) -> Order {
    near.filter(|piece| piece.layer() == Some(layer)).map_or(Order::Little, |piece| piece.order)
}
