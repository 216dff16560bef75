//! The second walk through a PV guest's image: what the restorer looks up when it completes the domain.
//!
//! Registers name pages, and what type a page has is known only after all of PAGE_DATA has passed, before the registers
//! come. So the types are read once more, of the few pages that matter: once for the names, once for the types. Contents
//! of pages are passed over, but for the start-info page. That takes an input that can be read at any place; of any other
//! these rules are [unchecked](crate::Report::unchecked), but for those on [page tables](roots).
//!
//! Source: `x86_pv_stream_complete()` of libxenguest. What a checkpoint leaves standing counts, and nothing after the
//! last one.

use std::collections::{BTreeMap, BTreeSet};

use xenstream_core::wire::libxc::{p2m, pte, types, vcpu};
use xenstream_core::wire::{Order, PAGE_SIZE};
use xenstream_core::{
    Guest, Header, Layer, Level, Observer, PageBatch, PageType, Pfns, Policy, Record, RecordRef, Rule, Value,
    Violation,
};

use crate::session::{Session, Stop};
use crate::source::ahead::read_at;
use crate::source::file::{self, ReadAt};
use crate::{Error, Options};

pub(crate) mod roots;

/// The rules that take a second walk.
pub(crate) const RULES: [Rule; 7] = [
    Rule::PvStartInfoType,
    Rule::PvStoreRange,
    Rule::PvConsoleRange,
    Rule::PvGdtType,
    Rule::PvCr3Type,
    Rule::PvCr1Type,
    Rule::PvP2mType,
];

/// Walks a file whose stream broke no rule at deny, if it holds a PV guest.
pub(crate) fn walk(file: &dyn ReadAt, session: &mut Session<'_>) -> Result<(), Stop> {
    let summary = *session.summary();
    let (Some(Guest::Pv), Some(largest)) = (summary.guest, summary.max_pfn) else { return Ok(()) };
    let policy = &session.options().policy;
    if RULES.iter().all(|rule| policy.level(*rule) == Level::Allow) {
        return Ok(());
    }
    let options = permissive(session.options());
    let narrow = summary.guest_width == Some(4);

    let mut names = Names { narrow, ..Names::default() };
    pass(file, &options, &mut names)?;
    names.complete();
    let mut types = Types::of(&names.named);
    pass(file, &options, &mut types)?;
    for violation in findings(file, &names.named, &types, narrow, largest)? {
        session.found(&violation)?;
    }
    session.walked();
    Ok(())
}

/// The same input, with every rule passed over: it has been judged.
fn permissive(options: &Options) -> Options {
    let policy = Rule::all().filter(|rule| !rule.is_structural()).fold(options.policy.clone(), lower);
    Options { policy, ..options.clone() }.with_derived_limits(false).with_decompression(false)
}

fn lower(policy: Policy, rule: Rule) -> Policy {
    policy.with_level(rule, Level::Allow).expect("only structural rules cannot be lowered")
}

fn pass(file: &dyn ReadAt, options: &Options, observer: &mut dyn Observer) -> Result<(), Stop> {
    let mut session = Session::new(options, Some(observer));
    file::drive_once(file, &mut session)
}

/// The level of a guest's top-level page tables.
const fn root_level(narrow: bool) -> u8 {
    if narrow { 3 } else { 4 }
}

/// A pfn that is named, and where.
#[derive(Clone, Copy, Debug)]
struct Named {
    pfn: u64,
    at: u64,
    record: RecordRef,
}

/// What a BASIC names.
#[derive(Clone, Debug)]
struct Basic {
    start_info: Named,
    gdt: Vec<Named>,
    cr3: Named,
    cr1: Option<Named>,
}

/// Frames of the p2m that one record names, in order.
#[derive(Clone, Debug)]
struct Frames {
    first: u64,
    pfns: Vec<u32>,
    at: u64,
    record: RecordRef,
}

/// The first pass: what is named.
#[derive(Debug, Default)]
struct Names {
    narrow: bool,
    order: Order,
    /// The record whose body passes, and bytes of it that are not decoded yet.
    record: Option<Record>,
    body: Vec<u8>,
    named: NamedSoFar,
    /// What came after a checkpoint: it counts once the next one comes.
    buffered: Option<NamedSoFar>,
}

#[derive(Debug, Default)]
struct NamedSoFar {
    basics: BTreeMap<u32, Basic>,
    frames: Vec<Frames>,
}

impl Names {
    /// A record with a body has passed.
    fn complete(&mut self) {
        let body = std::mem::take(&mut self.body);
        if let Some(record) =
            self.record.take().filter(|record| record.kind == u64::from(types::X86_PV_VCPU_BASIC))
            && let Some((id, basic)) = basic(self.order, self.narrow, &record, &body)
        {
            self.current().basics.insert(id, basic);
        }
    }

    fn current(&mut self) -> &mut NamedSoFar {
        self.buffered.as_mut().unwrap_or(&mut self.named)
    }

    fn checkpoint(&mut self) {
        if let Some(mut buffered) = self.buffered.replace(NamedSoFar::default()) {
            self.named.basics.append(&mut buffered.basics);
            self.named.frames.append(&mut buffered.frames);
        }
    }

    /// The frames of the p2m that have come, and its header before them.
    fn frames(&mut self, record: &Record) {
        let narrow = self.narrow;
        let order = self.order;
        let (words, rest) = self.body.as_chunks::<8>();
        let (words, rest) = (words.to_vec(), rest.to_vec());
        let mut words = words.into_iter();
        self.body = rest;
        let frames = &mut self.current().frames;
        let at = record.body_offset + p2m::HEADER;
        if frames.last().is_none_or(|frames| frames.at != at)
            && let Some(header) = words.next()
        {
            let (start, _) = order.pair(header);
            let first = u64::from(start) >> p2m::frame_shift(if narrow { 4 } else { 8 });
            frames.push(Frames { first, pfns: Vec::new(), at, record: record.reference() });
        }
        if let Some(frames) = frames.last_mut() {
            // A pfn of more than 32 bits is out of range, which is a rule of its own.
            frames.pfns.extend(words.map(|word| u32::try_from(order.u64(word)).unwrap_or(u32::MAX)));
        }
    }
}

/// The pages that a BASIC names, and its vcpu.
fn basic(order: Order, narrow: bool, record: &Record, body: &[u8]) -> Option<(u32, Basic)> {
    let (header, blob) = body.split_first_chunk::<8>()?;
    let (id, _) = order.pair(*header);
    let layout = if narrow { &vcpu::LAYOUT_32 } else { &vcpu::LAYOUT_64 };
    let word = |at: u64| {
        let bytes = blob.get(at as usize..)?;
        if narrow {
            Some(u64::from(u32::from_le_bytes(*bytes.first_chunk()?)))
        } else {
            Some(u64::from_le_bytes(*bytes.first_chunk()?))
        }
    };
    let named = |pfn, at| {
        let at = record.body_offset + vcpu::HEADER + at;
        Named { pfn, at, record: record.reference() }
    };
    let entries = word(layout.gdt_ents)? & u64::from(u32::MAX);
    let frames = entries.div_ceil(vcpu::GDT_ENTRIES_PER_FRAME).min(vcpu::GDT_FRAMES);
    let gdt = (0..frames).filter_map(|n| {
        let at = layout.gdt_frames + n * u64::from(layout.word);
        Some(named(word(at)?, at))
    });
    let cr3 = word(layout.cr3)?;
    let cr3 = if narrow { u64::from((cr3 as u32).rotate_left(20)) } else { cr3 >> pte::FRAME_SHIFT };
    let cr1 = layout.cr1.and_then(|at| {
        let cr1 = word(at)?;
        (cr1 & pte::PRESENT != 0).then(|| named(cr1 >> pte::FRAME_SHIFT, at))
    });
    let basic = Basic {
        start_info: named(word(layout.edx)?, layout.edx),
        gdt: gdt.collect(),
        cr3: named(cr3, layout.cr3),
        cr1,
    };
    Some((id, basic))
}

impl NamedSoFar {
    /// The start-info page's pfn.
    fn start_info(&self) -> Option<u64> {
        self.basics.get(&0).map(|basic| basic.start_info.pfn)
    }

    fn pfns(&self) -> impl Iterator<Item = u64> + '_ {
        let registers = self.basics.values().flat_map(|basic| {
            let named = [&basic.start_info, &basic.cr3].into_iter().chain(&basic.gdt).chain(&basic.cr1);
            named.map(|named| named.pfn)
        });
        registers.chain(self.frames.iter().flat_map(|frames| frames.pfns.iter().map(|pfn| u64::from(*pfn))))
    }
}

impl Observer for Names {
    fn wants_body(&mut self, record: &Record) -> bool {
        self.complete();
        if record.layer != Layer::Libxc {
            return false;
        }
        let basic = vcpu::HEADER + if self.narrow { vcpu::BASIC_32 } else { vcpu::BASIC_64 };
        match u32::try_from(record.kind) {
            Ok(types::X86_PV_P2M_FRAMES) => {}
            Ok(types::X86_PV_VCPU_BASIC) if record.body_length == basic => {}
            Ok(types::CHECKPOINT) => {
                self.checkpoint();
                return false;
            }
            _ => return false,
        }
        self.record = Some(*record);
        true
    }

    fn on_header(&mut self, header: &Header) {
        if let Header::LibxcImage { order, .. } = header {
            *self = Names { narrow: self.narrow, order: *order, ..Names::default() };
        }
    }

    fn on_body(&mut self, _: u64, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
        if let Some(record) = self.record.filter(|record| record.kind == u64::from(types::X86_PV_P2M_FRAMES))
        {
            self.frames(&record);
        }
    }
}

/// The second pass: types of the pages that are named, as the last entry of each says.
#[derive(Debug, Default)]
struct Types {
    /// Ascending, without repetitions.
    pfns: Vec<u64>,
    /// Tells most other pfns apart from these: a bit for each pfn's low bits.
    filter: Vec<u64>,
    page_types: Vec<PageType>,
    start_info: Option<u64>,
    /// Pages with data that this record has had so far, and which of them is the start-info page.
    with_data: u64,
    start_info_page: Option<u64>,
    /// Offset and record of the last start-info page.
    contents: Option<(u64, RecordRef)>,
    record: Option<RecordRef>,
    /// Contents are compared from here on, and no longer taken.
    verifies: bool,
    buffered: Option<Vec<Change>>,
}

/// What an entry changes.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// The type of the n-th page.
    PageType(usize, PageType),
    /// The start-info page: its offset, and the record that it is in.
    Contents(u64, RecordRef),
}

/// Bits of a pfn that the filter looks at.
const FILTER_BITS: u32 = 20;

impl Types {
    fn of(names: &NamedSoFar) -> Types {
        let mut pfns: Vec<u64> = names.pfns().collect();
        pfns.sort_unstable();
        pfns.dedup();
        let mut filter = vec![0; 1 << (FILTER_BITS - 6)];
        for pfn in &pfns {
            let bit = pfn & ((1 << FILTER_BITS) - 1);
            filter[bit as usize / 64] |= 1 << (bit % 64);
        }
        // A page that no entry names is of the first type, as in the restorer.
        let page_types = vec![PageType::NOTAB; pfns.len()];
        Types { pfns, filter, page_types, start_info: names.start_info(), ..Types::default() }
    }

    /// What came after a checkpoint counts once the next one comes.
    fn checkpoint(&mut self) {
        let buffered = self.buffered.replace(Vec::new()).unwrap_or_default();
        for change in buffered {
            self.apply(change);
        }
    }

    fn change(&mut self, change: Change) {
        match &mut self.buffered {
            Some(buffered) => buffered.push(change),
            None => self.apply(change),
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::PageType(n, page_type) => self.page_types[n] = page_type,
            Change::Contents(offset, record) => self.contents = Some((offset, record)),
        }
    }

    fn page_type(&self, pfn: u64) -> PageType {
        let found = self.pfns.binary_search(&pfn);
        found.map_or(PageType::NOTAB, |n| self.page_types[n])
    }

    fn passes_filter(&self, pfn: u64) -> bool {
        let bit = pfn & ((1 << FILTER_BITS) - 1);
        self.filter[bit as usize / 64] >> (bit % 64) & 1 != 0
    }
}

impl Observer for Types {
    fn on_header(&mut self, header: &Header) {
        if let Header::LibxcImage { .. } = header {
            self.page_types.fill(PageType::NOTAB);
            (self.contents, self.buffered, self.verifies) = (None, None, false);
        }
    }

    fn on_record(&mut self, record: &Record) {
        if record.layer != Layer::Libxc {
            return;
        }
        self.record = Some(record.reference());
        (self.with_data, self.start_info_page) = (0, None);
        match u32::try_from(record.kind) {
            Ok(types::VERIFY) => self.verifies = true,
            Ok(types::CHECKPOINT) => self.checkpoint(),
            _ => {}
        }
    }

    fn on_pfns(&mut self, entries: Pfns<'_>) {
        for entry in entries.iter() {
            let pfn = entry.pfn();
            if self.passes_filter(pfn)
                && let Ok(n) = self.pfns.binary_search(&pfn)
            {
                self.change(Change::PageType(n, entry.page_type()));
                if entry.has_data() && self.start_info == Some(pfn) {
                    self.start_info_page = Some(self.with_data);
                }
            }
            self.with_data += u64::from(entry.has_data());
        }
    }

    fn on_page_batch(&mut self, batch: &PageBatch) {
        if let (Some(page), Some(record), false) = (self.start_info_page, self.record, self.verifies) {
            self.change(Change::Contents(batch.offset + page * PAGE_SIZE, record));
        }
    }
}

/// What the restorer refuses, in the order in which it looks.
fn findings(
    file: &dyn ReadAt,
    names: &NamedSoFar,
    types: &Types,
    narrow: bool,
    largest: u64,
) -> Result<Vec<Violation>, Error> {
    let mut found = Vec::new();
    let normal = |rule, named: &Named, found: &mut Vec<Violation>| {
        let page_type = types.page_type(named.pfn);
        // What is out of range has a rule of its own.
        if named.pfn <= largest && page_type != PageType::NOTAB {
            found.push(violation(rule, named, page_type.bits(), PageType::NOTAB.bits()));
        }
    };
    let root = root_level(narrow);
    let table = |rule, named: &Named, found: &mut Vec<Violation>| {
        let page_type = types.page_type(named.pfn);
        if named.pfn <= largest && page_type.table_level() != Some(root) {
            found.push(violation(rule, named, Value::PageType(page_type), root.into()));
        }
    };
    for (id, basic) in &names.basics {
        if *id == 0 {
            normal(Rule::PvStartInfoType, &basic.start_info, &mut found);
            found.extend(rings(file, types, narrow, largest)?);
        }
        for frame in &basic.gdt {
            normal(Rule::PvGdtType, frame, &mut found);
        }
        table(Rule::PvCr3Type, &basic.cr3, &mut found);
        if let Some(cr1) = &basic.cr1 {
            table(Rule::PvCr1Type, cr1, &mut found);
        }
    }
    // A frame that a later record names again is the one that counts.
    let mut seen = BTreeSet::new();
    for frames in names.frames.iter().rev() {
        for (n, pfn) in (0u64..).zip(&frames.pfns) {
            let named = Named { pfn: u64::from(*pfn), at: frames.at + 8 * n, record: frames.record };
            if names.frames.len() == 1 || seen.insert(frames.first + n) {
                normal(Rule::PvP2mType, &named, &mut found);
            }
        }
    }
    Ok(found)
}

/// The pages of xenstore and of the console, which the start-info page names.
fn rings(file: &dyn ReadAt, types: &Types, narrow: bool, largest: u64) -> Result<Vec<Violation>, Error> {
    let Some((offset, record)) = types.contents else { return Ok(Vec::new()) };
    // `store_mfn` and `console.domU.mfn` of `start_info_t` (`public/xen.h`): pfns, in an image.
    let places = if narrow { [44, 52] } else { [56, 72] };
    let mut found = Vec::new();
    for (rule, place) in [Rule::PvStoreRange, Rule::PvConsoleRange].into_iter().zip(places) {
        let mut bytes = [0; 8];
        let width = if narrow { 4 } else { 8 };
        let at = offset + place;
        if read_at(file, &mut bytes[..width], at)?.len() < width {
            continue;
        }
        let named = Named { pfn: u64::from_le_bytes(bytes), at, record };
        if named.pfn > largest {
            found.push(violation(rule, &named, named.pfn, largest));
        }
    }
    Ok(found)
}

fn violation(rule: Rule, named: &Named, found: impl Into<Value>, expected: u64) -> Violation {
    Violation::new(rule, named.at, Some(named.record)).found(found).expected(expected)
}
