//! Memory: X86_PV_P2M_FRAMES and PAGE_DATA.
//!
//! Entries are judged in runs, by the passes in [`scan`](super::scan). They are examined one by one only if a rule may be
//! broken or rare types occur.

use crate::observer::{Observer, PageBatch, Pfns};
use crate::policy::{Level, Limit, Policy, Profile};
use crate::rule::Rule;
use crate::summary::{Guest, Summary};
use crate::targets::Fact;
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::scan::{Scan, absent, exceeds, lower, over};
use crate::verify::{Bytes, Field, Marker, Stop, Words, word};
use crate::wire::libxc::{p2m, page};
use crate::wire::{Order, PAGE_SIZE};

/// The number of words in the bitmap of page tables.
const TABLE_WORDS: usize = (page::TABLES_TRACKED / 64) as usize;

/// The number of entries that are searched together for page tables.
const GROUP: usize = 64;

#[derive(Clone, Debug)]
pub(crate) struct State {
    /// The number of entries or frames left.
    pub(crate) words_left: u64,
    count: u32,
    /// Entries with data so far, in this record.
    pub(crate) with_data: u64,
    /// The largest pfn that an entry may have, or -1 in two's complement if none is allowed.
    limit: u64,
    /// The same, but at most the largest that every release can restore.
    pub(super) highest: u64,
    /// Whether the limit also applies to entries for which the restorer populates nothing.
    all_in_range: bool,
    start_pfn: u32,
    /// The number of frames of the p2m so far, from 0 and without a gap.
    frames: u64,
    /// The pfn after the highest one that an entry has named. All pfns below it have been named too, unless
    /// `libxc::memory-gap` was reported.
    pub(crate) named: u64,
    /// HVM: the pfn after the highest one that HVM_PARAMS names.
    pub(crate) special_end: u64,
    /// The previous frame; the number of frames that repeated the previous one; and the number of frames left that an
    /// earlier record has already named, which do not count again.
    frame_before: Option<u64>,
    holes: u64,
    frames_again: u64,
    /// A bitmap of the pages with data that are page tables.
    tables: [u64; TABLE_WORDS],
    any_table: bool,
    table_batch_reported: bool,
    /// The number of pages that were skipped or read.
    contents: u64,
}

impl Default for State {
    fn default() -> State {
        State {
            words_left: 0,
            count: 0,
            with_data: 0,
            limit: page::PFN,
            highest: page::PFN,
            all_in_range: true,
            start_pfn: 0,
            frames: 0,
            named: 0,
            special_end: 0,
            frame_before: None,
            holes: 0,
            frames_again: 0,
            tables: [0; TABLE_WORDS],
            any_table: false,
            table_batch_reported: false,
            contents: 0,
        }
    }
}

impl State {
    /// Updates the range of pfns after the guest, its p2m or a limit has changed.
    pub(crate) fn refresh(&mut self, policy: &Policy, summary: &Summary) {
        let pv = summary.guest == Some(Guest::Pv);
        self.limit = if pv {
            summary.max_pfn.unwrap_or(page::PFN)
        } else {
            policy.limit(Limit::HvmPfn).min(1 << 52).wrapping_sub(1)
        };
        // Pfns of real guests need one comparison. A pfn above either bound is examined again.
        self.highest = lower(self.limit, page::PFN_OLD.wrapping_sub(1));
        self.all_in_range = pv || policy.profile() == Profile::Hardened;
    }
}

/// PAGE_DATA.
impl Verifier {
    #[inline]
    pub(super) fn pages_entries(&mut self) {
        self.set_next(0, Field::Words(Words::PageEntries));
    }

    /// The reserved word of PAGE_DATA.
    #[inline]
    pub(crate) fn pages_reserved<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let reserved = word(self.libxc_order(), value);
        if reserved != 0 {
            self.flag(Rule::LibxcPageDataReserved, at, u64::from(reserved), Value::None, o)?;
        }
        if self.pages.words_left > 0 {
            self.pages_entries();
            Ok(())
        } else {
            self.pages_entries_end(o)
        }
    }

    /// The count of PAGE_DATA.
    #[inline]
    pub(crate) fn pages_count<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let count = word(self.libxc_order(), value);
        let least = page::HEADER.saturating_add(u64::from(count).saturating_mul(page::ENTRY));
        if least > self.libxc.length {
            self.flag(Rule::LibxcPageDataLength, at.saturating_sub(4), self.libxc.length, least, o)?;
            self.rest_of_body();
            return Ok(());
        }
        if count == 0 {
            self.flag(Rule::LibxcPageDataCount, at, 0, 1, o)?;
        }
        self.pages.begin(count);
        self.set_next(0, Field::Bytes(Bytes::PagesReserved));
        Ok(())
    }

    /// Judges entries.
    #[inline]
    pub(crate) fn pages_words<O: Observer + ?Sized>(
        &mut self,
        words: &[[u8; 8]],
        bytes: &[u8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let order = self.libxc_order();
        let offset = self.position;
        let verdict = if words.len() == 1 || !self.pages_run(words) {
            self.pages_one_by_one(words, o)
        } else {
            self.advance(bytes.len());
            Ok(())
        };
        let judged = self.position.saturating_sub(offset);
        let bytes = usize::try_from(judged).ok().and_then(|judged| bytes.get(..judged)).unwrap_or(bytes);
        if !bytes.is_empty() {
            o.on_pfns(Pfns { bytes, order, offset });
        }
        verdict?;
        self.pages.words_left = self.pages.words_left.saturating_sub(words.len() as u64);
        if self.pages.words_left == 0 {
            return self.pages_entries_end(o);
        }
        Ok(())
    }

    /// Judges a run and counts its types. Returns false, and counts nothing, if an entry may break a rule.
    fn pages_run(&mut self, words: &[[u8; 8]]) -> bool {
        match self.libxc_order() {
            Order::Little => self.pages_run_of(words, u64::from_le_bytes),
            Order::Big => self.pages_run_of(words, u64::from_be_bytes),
        }
    }

    #[inline]
    fn pages_run_of(&mut self, words: &[[u8; 8]], read: impl Fn([u8; 8]) -> u64) -> bool {
        // A run either continues the first pass over the guest's memory, or repeats pfns that were named.
        let State { highest, named, .. } = self.pages;
        let first = words.first().map_or(0, |word| read(*word) & page::PFN);
        let (scan, highest, named) = if first == named {
            let Some(scan) = Scan::ascending(words, &read) else { return false };
            (scan, highest, named.saturating_add(words.len() as u64))
        } else {
            (Scan::of(words, &read), lower(highest, named.wrapping_sub(1)), named)
        };
        if scan.any & page::RESERVED != 0 || scan.may_exceed(highest) && exceeds(words, highest, &read) {
            return false;
        }
        if !self.pages_count_run(words, &scan, read) {
            return false;
        }
        self.pages.named = named;
        true
    }

    /// Counts the types of a run whose pfns are in order. Returns false if a type needs the pass over single entries.
    #[inline]
    fn pages_count_run(&mut self, words: &[[u8; 8]], scan: &Scan, read: impl Fn([u8; 8]) -> u64) -> bool {
        let total = words.len() as u64;
        let with_data = self.pages.with_data;
        // Page tables, as far as the bitmap goes. Nearly every batch of a PV guest has some; no other guest may.
        let may_mark =
            self.summary.guest == Some(Guest::Pv) && with_data.saturating_add(total) <= page::TABLES_TRACKED;
        if let Some(absent) =
            scan.absent(total).or_else(|| if may_mark { None } else { absent(words, &read) })
        {
            let normal = total.saturating_sub(absent);
            count(&mut self.summary.pages.by_type, page::XTAB, absent);
            count(&mut self.summary.pages.by_type, page::NOTAB, normal);
            self.pages.with_data = with_data.saturating_add(normal);
            return true;
        }
        // Other types are rare or wrong. They are left to the pass that can report them, like reserved ones.
        if !may_mark {
            return false;
        }
        let by_type = self.pages.count_and_mark(words, &read);
        if (0u64..16).zip(by_type).any(|(kind, n)| page::is_reserved(kind) && n > 0) {
            return false;
        }
        for (kind, n) in (0u64..16).zip(by_type) {
            count(&mut self.summary.pages.by_type, kind, n);
            if page::has_data(kind) {
                self.pages.with_data = self.pages.with_data.saturating_add(n);
            }
        }
        true
    }

    /// Judges entries one by one, and counts those that are not refused.
    fn pages_one_by_one<O: Observer + ?Sized>(&mut self, words: &[[u8; 8]], o: &mut O) -> Result<(), Stop> {
        let order = self.libxc_order();
        for word in words {
            let entry = order.u64(*word);
            self.pages_entry(entry, o)?;
            self.pages.name(entry & page::PFN);
            let kind = page::kind(entry);
            count(&mut self.summary.pages.by_type, kind, 1);
            if page::has_data(kind) {
                if page::is_table(kind) {
                    self.pages.mark_table(self.pages.with_data);
                }
                self.pages.with_data = self.pages.with_data.saturating_add(1);
            }
            self.advance(8);
        }
        Ok(())
    }

    #[inline]
    fn pages_entry<O: Observer + ?Sized>(&mut self, entry: u64, o: &mut O) -> Result<(), Stop> {
        let at = self.position;
        let kind = page::kind(entry);
        let pfn = entry & page::PFN;
        let State { highest, all_in_range, .. } = self.pages;
        if page::is_reserved(kind) {
            self.flag(Rule::LibxcPageDataType, at, kind, Value::None, o)?;
        }
        if entry & page::RESERVED != 0 {
            self.flag(Rule::LibxcPageDataPfnReserved, at, entry, Value::None, o)?;
        }
        // For other types, the restorer grows its bitmap of populated pages to the pfn.
        let populates = all_in_range || !matches!(kind, page::XTAB | page::BROKEN);
        if over(pfn, highest) && populates {
            self.pages_pfn_high(at, pfn, o)?;
        }
        if page::is_table(kind) {
            self.pages_table(kind, at, o)?;
        }
        if pfn > self.pages.named {
            self.memory_gap(at, pfn, o)?;
        }
        Ok(())
    }

    /// Reports a pfn above the limit, or one that does not fit the bitmap of old restorers.
    #[cold]
    fn pages_pfn_high<O: Observer + ?Sized>(&mut self, at: u64, pfn: u64, o: &mut O) -> Result<(), Stop> {
        let limit = self.pages.limit;
        if over(pfn, limit) {
            let pv = self.summary.guest == Some(Guest::Pv);
            let rule = if pv { Rule::LibxcPageDataPfnRange } else { Rule::LibxcPageDataPfnLimit };
            self.flag(rule, at, pfn, limit.wrapping_add(1), o)?;
        }
        if pfn >= page::PFN_OLD {
            self.flag_fact(Fact::Pfn31, at, pfn, page::PFN_OLD, o)?;
        }
        Ok(())
    }

    fn pages_table<O: Observer + ?Sized>(&mut self, kind: u64, at: u64, o: &mut O) -> Result<(), Stop> {
        if self.summary.guest != Some(Guest::Pv) {
            return self.flag(Rule::LibxcPageDataTableType, at, kind, Value::None, o);
        }
        let watched = self.policy.level(Rule::PvPteRange) != Level::Allow;
        if watched && self.pages.with_data >= page::TABLES_TRACKED && !self.pages.table_batch_reported {
            self.pages.table_batch_reported = true;
            self.flag(Rule::PvTableBatch, at, self.pages.with_data, page::TABLES_TRACKED, o)?;
        }
        Ok(())
    }

    /// Ends the entries, and checks that as many pages follow as they announce.
    #[inline]
    pub(super) fn pages_entries_end<O: Observer + ?Sized>(&mut self, o: &mut O) -> Result<(), Stop> {
        let State { count, with_data, any_table, .. } = self.pages;
        // A record has fewer than 2^32 entries: nothing wraps.
        let exact = page::HEADER
            .wrapping_add(u64::from(count).wrapping_mul(page::ENTRY))
            .wrapping_add(with_data.wrapping_mul(PAGE_SIZE));
        if exact != self.libxc.length {
            let field = self.record.map_or(0, |record| record.offset.saturating_add(4));
            self.flag(Rule::LibxcPageDataLength, field, self.libxc.length, exact, o)?;
            self.rest_of_body();
            return Ok(());
        }
        o.on_page_batch(&PageBatch { count, pages: with_data, offset: self.position });
        if with_data == 0 && !self.body_is_wanted {
            // The record ends here: with its required length, there is no padding.
            self.libxc_await();
            return Ok(());
        }
        let watched = any_table
            && self.summary.max_pfn.is_some()
            && self.summary.guest == Some(Guest::Pv)
            && self.policy.level(Rule::PvPteRange) != Level::Allow;
        if watched {
            self.pages_after_table();
        } else {
            self.rest_of_body();
        }
        Ok(())
    }

    /// Skips to the next page table among the pages that follow.
    pub(crate) fn pages_contents(&mut self) {
        let done = self.pages.contents;
        match self.pages.next_table(done) {
            Some(table) => {
                self.pages.contents = table.saturating_add(1);
                let gap = table.saturating_sub(done).saturating_mul(PAGE_SIZE);
                self.pv_page_table(gap);
            }
            None => self.rest_of_body(),
        }
    }

    /// Looks for the next page table, after another one or the entries.
    pub(crate) fn pages_after_table(&mut self) {
        self.set_next(0, Field::Marker(Marker::PageContents));
    }
}

impl State {
    /// Records that an entry has named this pfn.
    #[inline]
    pub(super) fn name(&mut self, pfn: u64) {
        self.named = self.named.max(pfn.saturating_add(1));
    }

    /// Begins a record with this many entries.
    #[inline]
    pub(super) fn begin(&mut self, count: u32) {
        self.count = count;
        self.words_left = u64::from(count);
        self.with_data = 0;
        self.contents = 0;
        self.table_batch_reported = false;
        if self.any_table {
            self.any_table = false;
            self.tables = [0; TABLE_WORDS];
        }
    }

    /// Counts the types of a run and marks its page tables. A second pass over the run marks the same ones.
    fn count_and_mark(&mut self, words: &[[u8; 8]], read: impl Fn([u8; 8]) -> u64) -> [u64; 16] {
        let mut by_type = [0; 16];
        let mut index = self.with_data;
        let (groups, rest) = words.as_chunks::<GROUP>();
        for group in groups {
            // Page tables are few, and close to each other.
            if let Some(absent) = absent(group, &read) {
                let normal = (GROUP as u64).wrapping_sub(absent);
                count(&mut by_type, page::XTAB, absent);
                count(&mut by_type, page::NOTAB, normal);
                index = index.wrapping_add(normal);
            } else {
                index = self.count_and_mark_each(group, index, &mut by_type, &read);
            }
        }
        self.count_and_mark_each(rest, index, &mut by_type, &read);
        by_type
    }

    fn count_and_mark_each(
        &mut self,
        words: &[[u8; 8]],
        mut index: u64,
        by_type: &mut [u64; 16],
        read: impl Fn([u8; 8]) -> u64,
    ) -> u64 {
        for word in words {
            let kind = page::kind(read(*word));
            count(by_type, kind, 1);
            if page::is_table(kind) {
                self.mark_table(index);
            }
            index = index.wrapping_add(u64::from(page::has_data(kind)));
        }
        index
    }

    fn mark_table(&mut self, index: u64) {
        let word = usize::try_from(index / 64).unwrap_or(usize::MAX);
        if let Some(word) = self.tables.get_mut(word) {
            *word |= 1 << (index % 64);
            self.any_table = true;
        }
    }

    /// Returns the first page table at or after this index.
    fn next_table(&self, index: u64) -> Option<u64> {
        let words = usize::try_from(index / 64).ok().and_then(|first| self.tables.get(first..))?;
        let mut first = index & !63;
        let mut mask = u64::MAX << (index % 64);
        for word in words {
            let hit = word & mask;
            if hit != 0 {
                return Some(first.saturating_add(u64::from(hit.trailing_zeros())));
            }
            first = first.saturating_add(64);
            mask = u64::MAX;
        }
        None
    }
}

#[inline]
pub(super) fn count(by_type: &mut [u64; 16], kind: u64, n: u64) {
    if let Some(sum) = by_type.get_mut((kind & 15) as usize) {
        *sum = sum.wrapping_add(n);
    }
}

/// X86_PV_P2M_FRAMES.
impl Verifier {
    pub(crate) fn p2m_start<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let start = word(self.libxc_order(), value);
        self.pages.start_pfn = start;
        let frame = u64::from(start) >> p2m::frame_shift(self.guest_width());
        if frame > self.pages.frames {
            // The restorer allocates the whole list, and does not initialise what no record fills.
            self.flag(Rule::LibxcP2mFramesGap, at, frame, self.pages.frames, o)?;
        }
        self.set_next(0, Field::Bytes(Bytes::P2mEnd));
        Ok(())
    }

    pub(crate) fn p2m_end<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        value: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let start = u64::from(self.pages.start_pfn);
        let end = u64::from(word(self.libxc_order(), value));
        if start > end {
            self.flag(Rule::LibxcP2mFramesRange, at, end, start, o)?;
            self.rest_of_body();
            return Ok(());
        }
        let limit = self.policy.limit(Limit::P2mPfn);
        if end >= limit {
            self.flag(Rule::LibxcP2mFramesRange, at, end, limit, o)?;
        }
        let shift = p2m::frame_shift(self.guest_width());
        let (first, last) = (start >> shift, end >> shift);
        let frames = last.saturating_sub(first).saturating_add(1);
        let exact = p2m::HEADER.saturating_add(frames.saturating_mul(8));
        if exact != self.libxc.length {
            self.flag(Rule::LibxcP2mFramesLength, at.saturating_sub(8), self.libxc.length, exact, o)?;
            self.rest_of_body();
            return Ok(());
        }
        let largest = self.summary.max_pfn.unwrap_or(0).max(end);
        if largest == 0 {
            self.flag(Rule::LibxcP2mFramesEmpty, at, end, 1, o)?;
        }
        self.summary.max_pfn = Some(largest);
        self.pages.refresh(&self.policy, &self.summary);
        self.pages.frames_again = self.pages.frames.saturating_sub(first).min(frames);
        if first <= self.pages.frames {
            self.pages.frames = self.pages.frames.max(last.saturating_add(1));
        }
        self.pages.words_left = frames;
        self.set_next(0, Field::Words(Words::P2mFrames));
        Ok(())
    }

    pub(crate) fn p2m_words<O: Observer + ?Sized>(
        &mut self,
        words: &[[u8; 8]],
        o: &mut O,
    ) -> Result<(), Stop> {
        let order = self.libxc_order();
        let largest = self.summary.max_pfn.unwrap_or(0);
        for word in words {
            let frame = order.u64(*word);
            if frame > largest {
                self.flag(Rule::LibxcP2mFramesEntry, self.position, frame, largest, o)?;
            }
            let repeats = self.pages.frame_before.replace(frame) == Some(frame);
            if self.pages.frames_again > 0 {
                self.pages.frames_again = self.pages.frames_again.saturating_sub(1);
            } else if repeats {
                self.pages.holes = self.pages.holes.saturating_add(1);
                let limit = self.policy.limit(Limit::P2mHoles);
                if self.pages.holes > limit {
                    self.flag(Rule::LibxcP2mFramesHoles, self.position, self.pages.holes, limit, o)?;
                }
            }
            self.advance(8);
        }
        self.pages.words_left = self.pages.words_left.saturating_sub(words.len() as u64);
        if self.pages.words_left == 0 {
            self.rest_of_body();
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn the_map_of_page_tables_finds_what_was_marked() {
        let mut state = State::default();
        assert_eq!(state.next_table(0), None);
        let marked = [0, 1, 63, 64, 200, page::TABLES_TRACKED - 1];
        for index in marked {
            state.mark_table(index);
        }
        // Beyond the map nothing is marked.
        state.mark_table(page::TABLES_TRACKED);
        state.mark_table(u64::MAX);
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(index) = state.next_table(from) {
            found.push(index);
            from = index + 1;
        }
        assert_eq!(found, marked);
        assert_eq!(state.next_table(u64::MAX), None);
    }
}
