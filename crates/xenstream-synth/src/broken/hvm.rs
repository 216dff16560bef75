//! The chain inside HVM_CONTEXT.

pub(super) mod values;

use xenstream_core::wire::hvm::{
    ENTRY_HEADER, INSTANCE_AT, Instances, LAPIC_OLD, LENGTH_AT, Length, MSR, MSR_HEADER, PICS, RTC_OLD,
    VCPUS, entry, types,
};
use xenstream_core::wire::libxc::types::HVM_CONTEXT;
use xenstream_core::{Layer, RecordRef, Rule};

use super::{BODY, Break, Draft, Fault};
use crate::body::{Body, Field};
use crate::hvm::Entry;
use crate::item::EntryPlace;
use crate::libxc::record;
use crate::places::CONTEXT;

const HVM: &str = "an HVM guest";
const ENTRY: &str = "an HVM guest with an entry between HEADER and END";

pub(super) const BREAKS: &[Break] = &[
    Break::new(Rule::HvmHeader, HVM, |d| {
        let chain = Chain::any(d)?;
        let typecode = d.one_of(&[types::END, 2, types::KNOWN - 1])?;
        chain.retyped(d, 0, typecode)
    }),
    Break::new(Rule::HvmHeader, HVM, |d| {
        let chain = Chain::any(d)?;
        let length = d.number(25, 8) as u32;
        chain.edited(d, 0, LENGTH_AT, Field::le32(length))
    }),
    Break::new(Rule::HvmHeader, ENTRY, |d| {
        let chain = Chain::any(d)?;
        let index = chain.any_between(d)?;
        chain.retyped(d, index, types::HEADER)
    }),
    Break::new(Rule::HvmMagic, HVM, |d| {
        let magic = d.one_of(&[0, 0x5438_1287, u32::MAX])?;
        Chain::any(d)?.edited(d, 0, ENTRY_HEADER, Field::le32(magic))
    }),
    Break::new(Rule::HvmVersion, HVM, |d| {
        let version = d.one_of(&[0, 2, u32::MAX])?;
        Chain::any(d)?.edited(d, 0, ENTRY_HEADER + 4, Field::le32(version))
    }),
    Break::new(Rule::HvmTypecode, HVM, |d| {
        let chain = Chain::any(d)?;
        let index = 1 + d.choices.index(chain.entries.len() - 1)?;
        let typecode = d.one_of(&[types::KNOWN, 0x100, u16::MAX])?;
        chain.retyped(d, index, typecode)
    }),
    Break::new(Rule::HvmInstance, ENTRY, |d| {
        let chain = Chain::any(d)?;
        let index = chain.any_between(d)?;
        let least = match entry(chain.entries[index].typecode)?.instances {
            Instances::Any => return None,
            Instances::Pics => PICS as u16,
            Instances::Vcpus => VCPUS as u16,
        };
        let instance = d.number(u64::from(least), (1 << 16) - u64::from(least)) as u16;
        chain.edited(d, index, INSTANCE_AT, Field::Bytes(instance.to_le_bytes().to_vec()))
    }),
    Break::new(Rule::HvmEntryLength, ENTRY, |d| {
        let chain = Chain::any(d)?;
        let index = chain.any_between(d)?;
        let lengths = entry(chain.entries[index].typecode)?.length;
        let length = match lengths {
            Length::Exactly(n) | Length::AtLeast(n) => n - 1,
            Length::AtMost(n) => n + 1,
        };
        // One that does not fit would overrun the body instead.
        (length <= chain.room(index)).then_some(())?;
        chain.edited(d, index, LENGTH_AT, Field::le32(length as u32))
    }),
    Break::new(Rule::HvmMsrCount, "CPU_MSR", |d| {
        let chain = Chain::any(d)?;
        let index = chain.any_msrs(d)?;
        let count = (chain.entries[index].length - MSR_HEADER) / MSR;
        let count = d.one_of(&[0, count + 1, u64::from(u32::MAX)])? as u32;
        chain.edited(d, index, ENTRY_HEADER, Field::le32(count))
    }),
    Break::new(Rule::HvmEntryOverrun, ENTRY, |d| {
        let chain = Chain::any(d)?;
        let index = chain.any_between(d)?;
        let room = chain.room(index);
        let length = d.one_of(&[room + 1, room + 0x1000, u64::from(u32::MAX)])? as u32;
        chain.edited(d, index, LENGTH_AT, Field::le32(length))
    }),
    Break::new(Rule::HvmEntryOverrun, HVM, |d| {
        // The body ends inside an entry's header.
        let chain = Chain::any(d)?;
        let index = 1 + d.choices.index(chain.entries.len() - 1)?;
        let torn = d.number(1, ENTRY_HEADER - 1);
        let body = chain.body(d, chain.entries[index].offset + torn);
        let mut fault = chain.with_body(d, body, index, LENGTH_AT)?;
        fault.record = fault.record.map(|record| RecordRef { kind: None, ..record });
        Some(fault)
    }),
    Break::new(Rule::HvmCpuMissing, HVM, |d| {
        let chain = Chain::any(d)?;
        let first = |entry: &EntryPlace| entry.typecode == types::CPU && entry.instance == 0;
        let index = chain.entries.iter().position(first)?;
        // An instance that no plan has.
        let fault = chain.edited(d, index, INSTANCE_AT, Field::le16(77))?;
        let (end, offset) = (chain.entries.len() - 1, chain.offset(d, chain.entries.len() - 1));
        let record =
            RecordRef { layer: Layer::Hvm, index: end as u64, kind: Some(u64::from(types::END)), offset };
        Some(Fault { record: Some(record), ..fault.found_at(offset) })
    }),
    Break::new(Rule::HvmEndMissing, HVM, |d| {
        let chain = Chain::any(d)?;
        let last = d.choices.index(chain.entries.len() - 1)?;
        let end = chain.entries[last + 1].offset;
        chain.with_body(d, chain.body(d, end), last, end - chain.entries[last].offset)
    }),
    Break::new(Rule::HvmEndLength, HVM, |d| {
        let chain = Chain::any(d)?;
        let length = d.one_of(&[1, 8, u32::MAX])?;
        chain.edited(d, chain.entries.len() - 1, LENGTH_AT, Field::le32(length))
    }),
    Break::new(Rule::HvmTrailing, HVM, |d| {
        let chain = Chain::any(d)?;
        let mut body = chain.body(d, u64::MAX);
        body.extend(vec![0; d.number(1, 32) as usize]);
        chain.with_body(d, body, chain.entries.len() - 1, ENTRY_HEADER)
    }),
    Break::new(Rule::HvmLapicLength, HVM, |d| {
        let length = d.number(LAPIC_OLD + 1, 32 - LAPIC_OLD);
        // Plans have shorter ones, which the rule finds too: this one comes ahead of all.
        Chain::first(d)?.with_first(d, &Entry::filled(types::LAPIC, 0, length, 0), LENGTH_AT)
    }),
    Break::new(Rule::HvmRtcLength, HVM, |d| {
        let length = d.number(RTC_OLD + 1, 24 - RTC_OLD);
        // Plans have shorter ones, which the rule finds too: this one comes ahead of all.
        Chain::first(d)?.with_first(d, &Entry::filled(types::RTC, 0, length, 0), LENGTH_AT)
    }),
    Break::new(Rule::HvmEntryRepeated, ENTRY, |d| {
        let chain = Chain::any(d)?;
        let index = chain.any_between(d)?;
        let end = chain.entries.len() - 1;
        let mut body = chain.body(d, u64::MAX);
        let [from, to, last] = [index, index + 1, end].map(|n| chain.entries[n].offset as usize);
        let copy = body[from..to].to_vec();
        body.splice(last..last, copy);
        let mut fault = chain.with_body(d, body, end, 0)?;
        let kind = Some(u64::from(chain.entries[index].typecode));
        fault.record = fault.record.map(|record| RecordRef { kind, ..record });
        Some(fault)
    }),
    Break::new(Rule::HvmMsrReserved, "CPU_MSR", |d| {
        let chain = Chain::any(d)?;
        let index = chain.any_msrs(d)?;
        let n = d.number(0, (chain.entries[index].length - MSR_HEADER) / MSR);
        let value = d.number(1, u64::from(u32::MAX)) as u32;
        chain.edited(d, index, ENTRY_HEADER + MSR_HEADER + MSR * n + 4, Field::le32(value))
    }),
];

/// The chain of one HVM_CONTEXT.
struct Chain {
    item: usize,
    entries: Vec<EntryPlace>,
}

impl Chain {
    fn any(d: &Draft<'_>) -> Option<Chain> {
        let item = d.any_of(CONTEXT)?;
        Some(Chain { item, entries: d.item(item).entries().to_vec() })
    }

    fn first(d: &Draft<'_>) -> Option<Chain> {
        let item = d.first(CONTEXT)?;
        Some(Chain { item, entries: d.item(item).entries().to_vec() })
    }

    /// Any entry between HEADER and END.
    fn any_between(&self, d: &Draft<'_>) -> Option<usize> {
        Some(1 + d.choices.index(self.entries.len() - 2)?)
    }

    fn any_msrs(&self, d: &Draft<'_>) -> Option<usize> {
        let entries = self.entries.iter().enumerate();
        let all: Vec<usize> =
            entries.filter(|(_, entry)| entry.typecode == types::CPU_MSR).map(|(index, _)| index).collect();
        d.one_of(&all)
    }

    /// Bytes after the header of an entry.
    fn room(&self, index: usize) -> u64 {
        let end = self.entries.last().map_or(0, |end| end.offset + ENTRY_HEADER);
        end - self.entries[index].offset - ENTRY_HEADER
    }

    fn offset(&self, d: &Draft<'_>, index: usize) -> u64 {
        d.stream.offset(self.item) + BODY + self.entries[index].offset
    }

    /// The first bytes of the body.
    fn body(&self, d: &Draft<'_>, bytes: u64) -> Vec<u8> {
        let length = d.item(self.item).length().min(bytes);
        d.bytes(self.item)[BODY as usize..(BODY + length) as usize].to_vec()
    }

    /// With a field of an entry overwritten, and broken there.
    fn edited(&self, d: &Draft<'_>, index: usize, at: u64, field: Field) -> Option<Fault> {
        let fault = d.field(self.item, BODY + self.entries[index].offset + at, field)?;
        let kind = Some(u64::from(self.entries[index].typecode));
        let offset = self.offset(d, index);
        let record = RecordRef { layer: Layer::Hvm, index: index as u64, kind, offset };
        Some(Fault { record: Some(record), ..fault })
    }

    /// With another typecode in this place.
    fn retyped(&self, d: &Draft<'_>, index: usize, typecode: u16) -> Option<Fault> {
        let mut fault = self.edited(d, index, 0, Field::le16(typecode))?;
        fault.record = fault.record.map(|record| RecordRef { kind: Some(u64::from(typecode)), ..record });
        Some(fault)
    }

    /// With an entry more, first after HEADER, and broken `at` bytes from its first.
    fn with_first(&self, d: &Draft<'_>, entry: &Entry, at: u64) -> Option<Fault> {
        let mut body = self.body(d, u64::MAX);
        let start = self.entries.get(1)?.offset as usize;
        body.splice(start..start, entry.bytes());
        let mut fault = self.with_body(d, body, 1, at)?;
        let kind = Some(u64::from(entry.typecode()));
        fault.record = fault.record.map(|record| RecordRef { kind, ..record });
        Some(fault)
    }

    /// With another body, broken in this entry.
    fn with_body(&self, d: &Draft<'_>, body: Vec<u8>, index: usize, at: u64) -> Option<Fault> {
        let item = record(HVM_CONTEXT, Body::new().raw(body));
        let fault = d.other(self.item, item, BODY + self.entries[index].offset + at)?;
        let kind = Some(u64::from(self.entries[index].typecode));
        let offset = self.offset(d, index);
        let record = RecordRef { layer: Layer::Hvm, index: index as u64, kind, offset };
        Some(Fault { record: Some(record), ..fault })
    }
}
