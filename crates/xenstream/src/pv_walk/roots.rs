//! Types of a PV guest's top-level page tables, judged in one pass: of an input that comes in order.
//!
//! A guest has one such table for each process and a few more, so a bounded set holds the pfns whose last type is that of
//! one. Where there are more than the set has room for, the rules stay unchecked.

use std::collections::{BTreeMap, HashSet};

use xenstream_core::wire::Order;
use xenstream_core::wire::libxc::{p2m, types, vcpu};
use xenstream_core::{Guest, Header, Layer, Level, Pfns, Policy, Profile, Record, Rule, Value, Violation};

use super::{Basic, basic, root_level, violation};

/// The rules that are judged here.
pub(crate) const RULES: [Rule; 2] = [Rule::PvCr3Type, Rule::PvCr1Type];

/// Most tables that are kept: 1 MiB, and four times as many processes as Linux has by default.
const TABLES_MAX: usize = 1 << 17;
/// Most vcpus whose registers are kept, which is as many as Xen has.
const VCPUS_MAX: usize = 8192;

/// Bits of a pfn that the filter looks at.
const FILTER_BITS: u32 = 16;

/// The tables so far, and the registers that name some of them.
#[derive(Debug)]
pub(crate) struct Roots {
    /// The input comes in order, and the rules are not both allowed.
    is_on: bool,
    /// Registers are final when they come: no later record of the vcpu replaces them.
    is_strict: bool,
    guest: Option<Guest>,
    order: Order,
    narrow: bool,
    /// The largest pfn that X86_PV_P2M_FRAMES tell of.
    largest: Option<u64>,
    tables: HashSet<u64>,
    /// Tells most other pfns apart from those of tables: a bit for each pfn's low bits.
    filter: Vec<u64>,
    basics: BTreeMap<u32, Basic>,
    /// There was more than there is room for.
    is_full: bool,
    /// The registers have been judged.
    is_done: bool,
    /// The record whose body passes, and the beginning of that.
    record: Option<Record>,
    body: Vec<u8>,
}

impl Roots {
    pub(crate) fn new(policy: &Policy) -> Roots {
        Roots {
            is_on: false,
            is_strict: policy.profile() != Profile::Restore,
            guest: None,
            order: Order::Little,
            narrow: false,
            largest: None,
            tables: HashSet::new(),
            filter: Vec::new(),
            basics: BTreeMap::new(),
            is_full: false,
            is_done: false,
            record: None,
            body: Vec::new(),
        }
    }

    /// The input comes in order, and there will be no second walk.
    pub(crate) fn switch_on(&mut self, policy: &Policy) {
        self.is_on = RULES.iter().any(|rule| policy.level(*rule) != Level::Allow);
    }

    /// Whether the rules were judged.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done && !self.is_full
    }

    pub(crate) fn header(&mut self, header: &Header) {
        match header {
            Header::LibxcImage { order, .. } => {
                self.order = *order;
                self.tables.clear();
                self.basics.clear();
                self.largest = None;
            }
            Header::LibxcDomain { guest, .. } => {
                self.guest = Some(*guest);
                if self.listens() {
                    self.filter = vec![0; 1 << (FILTER_BITS - 6)];
                }
            }
            _ => {}
        }
    }

    /// Whether the body of this record is to pass by.
    pub(crate) fn wants(&mut self, record: &Record) -> bool {
        let wanted = self.listens()
            && record.layer == Layer::Libxc
            && match u32::try_from(record.kind) {
                Ok(types::X86_PV_INFO | types::X86_PV_P2M_FRAMES) => true,
                Ok(types::X86_PV_VCPU_BASIC) => {
                    let size = if self.narrow { vcpu::BASIC_32 } else { vcpu::BASIC_64 };
                    record.body_length == vcpu::HEADER + size
                }
                _ => false,
            };
        self.record = wanted.then_some(*record);
        self.body.clear();
        wanted
    }

    /// Bytes of a record's body; the last ones of a vcpu's registers may bring findings.
    pub(crate) fn body(&mut self, bytes: &[u8]) -> Vec<Violation> {
        let Some(record) = self.record else { return Vec::new() };
        let is_basic = record.kind == u64::from(types::X86_PV_VCPU_BASIC);
        // The beginning of the other records is enough.
        let length = if is_basic { record.body_length } else { record.body_length.min(p2m::HEADER) };
        let room = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(self.body.len());
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if (self.body.len() as u64) < length {
            return Vec::new();
        }
        self.record = None;
        if is_basic {
            return self.registers(&record);
        }
        if record.kind == u64::from(types::X86_PV_INFO) {
            self.narrow = self.body.first() == Some(&4);
        } else if let Some(header) = self.body.first_chunk() {
            let (_, end) = self.order.pair(*header);
            self.largest = self.largest.max(Some(u64::from(end)));
        }
        Vec::new()
    }

    /// A record begins; some complete the domain.
    pub(crate) fn record(&mut self, record: &Record) -> Vec<Violation> {
        let completes = record.layer == Layer::Libxc
            && [types::CHECKPOINT, types::END].map(u64::from).contains(&record.kind);
        if !completes || !self.listens() {
            return Vec::new();
        }
        self.is_done = true;
        if self.is_strict {
            return Vec::new();
        }
        std::mem::take(&mut self.basics).values().flat_map(|basic| self.findings(basic)).collect()
    }

    /// Entries of PAGE_DATA.
    pub(crate) fn pfns(&mut self, entries: Pfns<'_>) {
        if !self.listens() {
            return;
        }
        let root = root_level(self.narrow);
        for entry in entries.iter() {
            let pfn = entry.pfn();
            let bit = pfn & ((1 << FILTER_BITS) - 1);
            let Some(word) = self.filter.get_mut(bit as usize / 64) else { return };
            if entry.page_type().table_level() == Some(root) {
                *word |= 1 << (bit % 64);
                self.tables.insert(pfn);
                if self.tables.len() > TABLES_MAX {
                    self.give_up();
                    return;
                }
            } else if *word >> (bit % 64) & 1 != 0 {
                self.tables.remove(&pfn);
            }
        }
    }

    fn listens(&self) -> bool {
        self.is_on && !self.is_full && self.guest == Some(Guest::Pv)
    }

    fn give_up(&mut self) {
        self.is_full = true;
        self.tables = HashSet::new();
        self.basics = BTreeMap::new();
    }

    fn registers(&mut self, record: &Record) -> Vec<Violation> {
        let Some((id, basic)) = basic(self.order, self.narrow, record, &self.body) else { return Vec::new() };
        if self.is_strict {
            return self.findings(&basic);
        }
        self.basics.insert(id, basic);
        if self.basics.len() > VCPUS_MAX {
            self.give_up();
        }
        Vec::new()
    }

    /// The rules that these registers break.
    fn findings(&self, basic: &Basic) -> Vec<Violation> {
        let root = root_level(self.narrow);
        let named = [(Rule::PvCr3Type, Some(&basic.cr3)), (Rule::PvCr1Type, basic.cr1.as_ref())];
        let named = named.into_iter().filter_map(|(rule, named)| Some((rule, named?)));
        // What is out of range has a rule of its own.
        let in_range = named.filter(|(_, named)| self.largest.is_none_or(|largest| named.pfn <= largest));
        in_range
            .filter(|(_, named)| !self.tables.contains(&named.pfn))
            .map(|(rule, named)| violation(rule, named, Value::UnknownPageType, root.into()))
            .collect()
    }
}
