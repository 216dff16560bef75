//! The fast path: the steps of which most streams are full go short ways, since the general machinery costs more than
//! the rules do. They are the header of a libxc record, VERIFY, the header of PAGE_DATA, and the entry of a batch of one.
//!
//! The invariant: a short way is taken only where no rule is broken, nothing has to be remembered that the long way
//! remembers, and the bytes lie in one piece, with no gap before them. It leaves the verifier as the long way does, and
//! the observer sees the same. Where it cannot tell, it does nothing, and the long way is taken.
//!
//! A change to a rule on these records needs a look here as well. `crates/xenstream-synth/tests/it/often.rs` compares
//! both ways, and `cargo xtask count` fails when the short one is no longer taken.

use crate::observer::{Observer, Pfns};
use crate::policy::Limit;
use crate::verifier::Verifier;
use crate::verify::libxc::libxc_begun;
use crate::verify::pages::count;
use crate::verify::places::Seen;
use crate::verify::scan::over;
use crate::verify::{Bytes, Field, Stop, Words};
use crate::violation::{Layer, RecordRef};
use crate::wire::RECORD_HEADER;
use crate::wire::libxc::{page, types};

/// After these, [`libxc_place`](Verifier::libxc_place) would find nothing in a PAGE_DATA and change nothing.
const PAGE_DATA: Seen = Seen::STATIC_OVER.and(Seen::P2M_OVER).and(Seen::PAGE_DATA).and(Seen::UNCHECKPOINTED);
/// The same for a VERIFY.
const VERIFY: Seen = PAGE_DATA.and(Seen::VERIFY);

impl Verifier {
    /// Takes a step with a short way; gives back what is left of the input, or `None` where it was not taken.
    #[inline]
    pub(crate) fn short_cut<'a, O: Observer + ?Sized>(
        &mut self,
        input: &'a [u8],
        o: &mut O,
    ) -> Result<Option<&'a [u8]>, Stop> {
        let Some((bytes, rest)) = input.split_first_chunk::<8>() else { return Ok(None) };
        if self.have > 0 {
            return Ok(None);
        }
        let taken = match self.field {
            Field::Bytes(Bytes::LibxcRecord) => {
                let at = self.position;
                self.advance(8);
                self.libxc_record(at, *bytes, o)?;
                true
            }
            Field::Bytes(Bytes::PagesCount) => self.pages_header(*bytes),
            Field::Words(Words::PageEntries) => self.pages_single(*bytes, o)?,
            Field::Bytes(_) | Field::Words(_) | Field::Stretch(_) | Field::Marker(_) | Field::Ended => false,
        };
        Ok(taken.then_some(rest))
    }

    /// A record's header.
    // Left to itself, the compiler decides by what else a program instantiates.
    #[inline(always)]
    pub(crate) fn libxc_record<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        header: [u8; 8],
        o: &mut O,
    ) -> Result<(), Stop> {
        let (kind, length) = self.libxc.order.pair(header);
        let length = u64::from(length);
        let index = self.libxc.index;
        self.libxc.index = index.wrapping_add(1);
        if kind == types::VERIFY && length == 0 && self.libxc_usual(VERIFY) {
            self.libxc_count(types::VERIFY);
            let record = libxc_begun(index, kind, at, length);
            o.on_record(&record);
            // There is no body, however much it is wanted.
            o.wants_body(&record);
            self.certain_until = self.position.saturating_add(RECORD_HEADER);
            self.libxc_await();
            return Ok(());
        }
        self.libxc.kind = kind;
        self.libxc.length = length;
        self.record = Some(RecordRef { layer: Layer::Libxc, index, kind: Some(u64::from(kind)), offset: at });
        let lengths = page::HEADER..=self.policy.limit(Limit::LibxcRecord);
        if kind == types::PAGE_DATA && lengths.contains(&length) && self.libxc_usual(PAGE_DATA) {
            self.libxc_count(types::PAGE_DATA);
            self.begin_body(&libxc_begun(index, kind, at, length), RECORD_HEADER, o);
            self.set_next(0, Field::Bytes(Bytes::PagesCount));
            return Ok(());
        }
        self.libxc_unusual(at, o)
    }

    /// Whether a record breaks no rule before its length and its body, if it is settled once these have come.
    #[inline]
    fn libxc_usual(&self, settled: Seen) -> bool {
        self.libxc.seen.has(settled) && self.records < self.policy.limit(Limit::Records)
    }

    /// Counts a record that is not over the limit.
    #[inline]
    fn libxc_count(&mut self, kind: u32) {
        self.summary.records.count_libxc(kind);
        self.records = self.records.wrapping_add(1);
    }

    /// Takes the count and the reserved word in one, unless there is something to find in them.
    #[inline]
    fn pages_header(&mut self, header: [u8; 8]) -> bool {
        let (count, reserved) = self.libxc_order().pair(header);
        let least = page::HEADER.saturating_add(u64::from(count).saturating_mul(page::ENTRY));
        let usual = count > 0 && reserved == 0 && least <= self.libxc.length && !self.body_is_wanted;
        if usual {
            self.advance(8);
            self.pages.begin(count);
            self.pages_entries();
        }
        usual
    }

    /// Takes the entry of a batch of one, unless there is something to find or to remember of it.
    #[inline]
    fn pages_single<O: Observer + ?Sized>(&mut self, word: [u8; 8], o: &mut O) -> Result<bool, Stop> {
        let order = self.libxc_order();
        let entry = order.u64(word);
        let kind = page::kind(entry);
        let has_data = kind == page::NOTAB;
        let plain = (has_data || kind >= page::BROKEN)
            && entry & page::RESERVED == 0
            && !over(entry & page::PFN, self.pages.highest)
            && entry & page::PFN <= self.pages.named;
        if !plain || self.pages.words_left != 1 || self.body_is_wanted {
            return Ok(false);
        }
        let offset = self.position;
        self.advance(8);
        count(&mut self.summary.pages.by_type, kind, 1);
        self.pages.with_data = self.pages.with_data.wrapping_add(u64::from(has_data));
        self.pages.name(entry & page::PFN);
        self.pages.words_left = 0;
        o.on_pfns(Pfns { bytes: &word, order, offset });
        self.pages_entries_end(o)?;
        Ok(true)
    }
}
