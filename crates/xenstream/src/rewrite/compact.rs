//! Keeps the last copy of each page of a live migration's stream, in which pages come again and again.
//!
//! It takes an index: 8 bytes for each pfn of the guest's address space, up to the highest that the stream names, and
//! another 8 for the entry of each that comes out.

use xenstream_core::wire::libxc::{page, types};
use xenstream_core::wire::{Order, PAGE_SIZE, RECORD_HEADER};

use crate::Error;
use crate::rewrite::document::{Document, Part, Piece, record_bytes};
use crate::rewrite::image::Image;
use crate::rewrite::log::Log;

/// First pfn that is not indexed: 1 TiB of the guest's memory, for which the index takes 2 GiB.
const PFNS: u64 = 1 << 28;

/// Pfns that have their memory in one piece.
const CHUNK: u64 = 512;

/// The last copy of each page.
#[derive(Debug, Default)]
pub(super) struct Index {
    chunks: Vec<Option<Box<[u64; CHUNK as usize]>>>,
    /// Entries that were read, and pages with data among them.
    entries: u64,
}

impl Index {
    /// Notes a page of this type, whose contents lie at an offset of the input. Returns whether there was room.
    fn note(&mut self, pfn: u64, kind: u64, offset: u64) -> bool {
        if pfn >= PFNS {
            return false;
        }
        let chunk = (pfn / CHUNK) as usize;
        if chunk >= self.chunks.len() {
            self.chunks.resize_with(chunk + 1, || None);
        }
        let place = self.chunks[chunk].get_or_insert_with(|| Box::new([0; CHUNK as usize]));
        // No contents lie at offset 0, so an entry is never 0.
        place[(pfn % CHUNK) as usize] = kind << page::TYPE_SHIFT | offset;
        self.entries += 1;
        true
    }

    /// The pfns that have come, ascending: pfn, type, offset of the contents.
    fn iter(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let chunks = (0..).zip(&self.chunks).filter_map(|(n, chunk)| Some((n, chunk.as_ref()?)));
        chunks.flat_map(|(n, chunk)| {
            let places = (n * CHUNK..).zip(chunk.iter()).filter(|(_, place)| **place != 0);
            places.map(|(pfn, place)| (pfn, page::kind(*place), place & OFFSET))
        })
    }

    /// Writes records of pages, as large as a saver's.
    pub(super) fn write(&self, order: Order, image: &mut Image<'_>) {
        let mut pages = self.iter().peekable();
        let mut batch = Vec::with_capacity(page::BATCH as usize);
        while pages.peek().is_some() {
            batch.clear();
            batch.extend(pages.by_ref().take(page::BATCH as usize));
            let mut entries = Vec::with_capacity(batch.len() * 8 + 8);
            entries.extend_from_slice(&order.put_u32(batch.len() as u32));
            entries.extend_from_slice(&[0; 4]);
            for (pfn, kind, _) in &batch {
                entries.extend_from_slice(&order.put_u64(kind << page::TYPE_SHIFT | pfn));
            }
            let with_data = batch.iter().filter(|(_, kind, _)| page::has_data(*kind));
            let length = entries.len() as u64 + PAGE_SIZE * with_data.clone().count() as u64;
            let mut head = record_bytes(Part::Pages, order, &entries);
            head[4..8].copy_from_slice(&order.put_u32(u32::try_from(length).unwrap_or(u32::MAX)));
            image.bytes(&head);
            for (_, _, offset) in with_data {
                image.copy_plain(*offset..offset + PAGE_SIZE);
            }
        }
    }
}

/// Bits of an entry that hold the offset of the contents.
const OFFSET: u64 = (1 << page::TYPE_SHIFT) - 1;

/// Leaves the last copy of each page, in ascending order, and nothing of what was only sent to be compared.
pub(super) fn compact(document: &mut Document<'_>, log: &mut Log) -> Result<(), Error> {
    if document.find(types::CHECKPOINT).is_some() {
        log.obstacle(
            document.end,
            "stream",
            "it has checkpoints; --plain makes an ordinary stream of it",
            None,
        );
        return Ok(());
    }
    if let Some(verify) = document.find(types::VERIFY) {
        let is_compared = |piece: &Piece| piece.part == Part::Pages;
        let pages = document.pieces[verify + 1..].iter().take_while(|piece| is_compared(piece)).count();
        log.change(
            document.pieces[verify].range.start,
            "VERIFY",
            "record, and the pages after it",
            "present",
            "absent",
        );
        document.pieces.drain(verify..=verify + pages);
    }
    let mut index = Index::default();
    let mut last = None;
    let mut records = 0;
    for (at, piece) in document.pieces.iter().enumerate().filter(|(_, piece)| piece.part == Part::Pages) {
        last = Some(at);
        records += piece.records;
        if let Some(reason) = read(document, piece, &mut index)? {
            log.obstacle(piece.range.start, "PAGE_DATA", reason, None);
            return Ok(());
        }
    }
    let Some(last) = last else { return Ok(()) };
    let (entries, pfns) = (index.entries, index.iter().count() as u64);
    let start = document.pieces[last].range.start;
    let batches = pfns.div_ceil(page::BATCH);
    if records != batches {
        log.change(start, "PAGE_DATA", "records", records, batches);
    }
    if entries != pfns {
        log.change(start, "PAGE_DATA", "entries, of which the last of each pfn stays", entries, pfns);
    }
    let mut at = 0;
    document.pieces.retain(|piece| {
        at += 1;
        piece.part != Part::Pages || at == last + 1
    });
    if let Some(pages) = document.pieces.iter_mut().find(|piece| piece.part == Part::Pages) {
        pages.new = Some(Vec::new());
    }
    document.index = Some(index);
    Ok(())
}

/// Reads the entries of records of pages. Returns what is wrong with them.
fn read(document: &Document<'_>, piece: &Piece, index: &mut Index) -> Result<Option<&'static str>, Error> {
    const TORN: &str = "a record of pages is not all there";
    /// Bytes of entries that are read at a time.
    const PART: u64 = 64 << 10;
    let order = document.libxc;
    let mut at = piece.range.start;
    while at < piece.range.end {
        let header = document.read(at..at + RECORD_HEADER + page::HEADER)?;
        let (Some(length), Some(count)) = (word(&header, 4, order), word(&header, 8, order)) else {
            return Ok(Some(TORN));
        };
        let end = at + RECORD_HEADER + u64::from(length);
        let mut entry = at + RECORD_HEADER + page::HEADER;
        let mut contents = entry + u64::from(count) * page::ENTRY;
        let entries_end = contents;
        if end > piece.range.end || contents > end {
            return Ok(Some(TORN));
        }
        while entry < entries_end {
            let bytes = document.read(entry..entries_end.min(entry + PART))?;
            let (words, _) = bytes.as_chunks::<8>();
            if words.is_empty() {
                return Ok(Some(TORN));
            }
            for word in words {
                let word = order.u64(*word);
                let kind = page::kind(word);
                let offset = if page::has_data(kind) { contents } else { 0 };
                if !index.note(word & page::PFN, kind, offset) {
                    return Ok(Some("it has pages beyond 1 TiB, more than are indexed"));
                }
                contents += if page::has_data(kind) { PAGE_SIZE } else { 0 };
            }
            entry += words.len() as u64 * 8;
        }
        if contents != end {
            return Ok(Some(TORN));
        }
        at = end;
    }
    Ok(None)
}

fn word(bytes: &[u8], at: usize, order: Order) -> Option<u32> {
    Some(order.u32(*bytes.get(at..)?.first_chunk()?))
}
