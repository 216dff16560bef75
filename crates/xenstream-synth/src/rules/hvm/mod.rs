//! The chain inside HVM_CONTEXT.

/// A break that sets the last of these fields of an entry to any of these values, the others to one.
macro_rules! field {
    ($rule:ident, $typecode:ident, $($name:literal: $value:expr,)* => $field:literal: [$($bad:expr),+]) => {
        Break::new(Rule::$rule, HVM, |d| {
            let entry = Entry::reset($typecode, 0)$(.with($name, $value))*;
            let bad = d.one_of(&[$($bad),+])?;
            let at = entry.offset_of($field);
            DraftChain::any(d)?.with_first(d, &entry.with($field, bad), at)
        })
    };
}

pub(super) mod cpu;
pub(super) mod devices;
pub(super) mod vcpus;

use xenstream_core::wire::hvm::types::{self, CPU, PIC};
use xenstream_core::wire::hvm::{
    ENTRY_HEADER, INSTANCE_AT, Instances, LAPIC_OLD, LENGTH_AT, Length, MSR, MSR_HEADER, PICS, RTC_OLD,
    VCPUS, XSAVE_MIN, entry,
};
use xenstream_core::wire::libxc::types::HVM_CONTEXT;
use xenstream_core::wire::msr;
use xenstream_core::{Layer, Limit, RecordRef, Rule};

use crate::body::{Body, Field};
use crate::broken::needs::HVM;
use crate::broken::{Break, Draft, Fault};
use crate::cases::Case;
use crate::hvm::{Chain, Entry};
use crate::item::{EntryPlace, Part};
use crate::libxc::{self, record};
use crate::minimal;
use crate::places::{BODY, CONTEXT, STATIC};

/// An HVM guest whose stream can hold a policy: version 3.
const V3_HVM: &str = "an HVM guest in a stream of version 3";
const ENTRY: &str = "an HVM guest with an entry between HEADER and END";

pub(crate) fn cases() -> Vec<Case> {
    [
        headers(),
        entries(),
        ends(),
        cpu::cases(),
        devices::cases(),
        vcpus::cases(),
        cpu::policies(),
        vcpus::policies(),
    ]
    .concat()
}

/// A chain, and where it is broken: in the entry of this index, `at` bytes from its first.
pub(super) fn case(
    rule: Rule,
    variant: &'static str,
    chain: &Chain,
    neighbour: &Chain,
    index: usize,
    at: u64,
) -> Case {
    let context = Part::libxc(HVM_CONTEXT);
    let [broken, neighbour] =
        [chain, neighbour].map(|chain| minimal::hvm().replaced(context, libxc::hvm_context(chain)));
    let body = broken.offset(broken.find(context)) + BODY;
    let place = chain.places().get(index).copied();
    let offset = body + chain.offset(index);
    let record = RecordRef {
        layer: Layer::Hvm,
        index: index as u64,
        // A torn entry has no typecode yet.
        kind: place.map(|place| u64::from(place.typecode)),
        offset,
    };
    Case::of(rule, variant, &broken, &neighbour).at(offset + at).record(Some(record))
}

/// HEADER, this entry, END.
pub(super) fn around(entry: Entry) -> Chain {
    Chain::around([entry])
}

/// One field of an entry with a value that breaks the rule, and with one beside it that does not.
pub(super) fn field(
    rule: Rule,
    variant: &'static str,
    entry: &Entry,
    field: &str,
    bad: u64,
    good: u64,
) -> Case {
    let [broken, neighbour] = [bad, good].map(|value| around(entry.clone().with(field, value)));
    case(rule, variant, &broken, &neighbour, 1, entry.offset_of(field))
}

/// An entry that needs a feature which the stream's own CPUID policy does not have: the leaf without it, and with it.
fn policy(rule: Rule, variant: &'static str, leaves: [[u32; 6]; 2], entry: &Entry, at: u64) -> Case {
    let chain = around(entry.clone());
    let context = Part::libxc(HVM_CONTEXT);
    let [broken, neighbour] = leaves.map(|leaf| {
        let stream = minimal::hvm().replaced(context, libxc::hvm_context(&chain));
        stream.before(STATIC, libxc::cpuid_policy(&[leaf]))
    });
    let offset = broken.offset(broken.find(context)) + BODY + chain.offset(1);
    let kind = Some(u64::from(entry.typecode()));
    let record = RecordRef { layer: Layer::Hvm, index: 1, kind, offset };
    Case::of(rule, variant, &broken, &neighbour).at(offset + at).record(Some(record))
}

fn headers() -> Vec<Case> {
    let minimal = Chain::minimal();
    let start = |variant, first: Entry, at| {
        case(Rule::HvmHeader, variant, &Chain::new([first, Entry::end()]), &minimal, 0, at)
    };
    let field = |rule, at: u64, byte| {
        let header = Entry::header().with_byte(at as usize, byte);
        case(rule, "", &Chain::new([header, Entry::end()]), &minimal, 0, ENTRY_HEADER + at)
    };
    let long = Entry::new(types::HEADER, 0, [0; 32]);
    vec![
        start("", Entry::reset(CPU, 0), 0),
        start("end", Entry::end(), 0),
        start("length", long, LENGTH_AT),
        case(Rule::HvmHeader, "second", &around(Entry::header()), &around(Entry::reset(PIC, 0)), 1, 0),
        field(Rule::HvmMagic, 0, 0),
        field(Rule::HvmVersion, 4, 2),
    ]
}

fn entries() -> Vec<Case> {
    let length = |variant, entry: Entry, fine: Entry| {
        case(Rule::HvmEntryLength, variant, &around(entry), &around(fine), 1, LENGTH_AT)
    };
    let sized = |typecode, size: u64| Entry::new(typecode, 0, vec![0; size as usize]);
    let longer = |rule, variant, typecode, lengths: [u64; 2]| {
        let [broken, fine] = lengths.map(|length| around(Entry::filled(typecode, 0, length, 0)));
        case(rule, variant, &broken, &fine, 1, LENGTH_AT)
    };
    // One more than there are, beside the last one.
    let instance = |variant, typecode, first: u16| {
        let [broken, fine] =
            [first, first - 1].map(|instance| around(Entry::new(typecode, instance, [0; 8])));
        case(Rule::HvmInstance, variant, &broken, &fine, 1, INSTANCE_AT)
    };
    let msrs = || Entry::msrs(0, &[(msr::DR0_ADDRESS_MASK, 0), (msr::DR1_ADDRESS_MASK, 0)]);
    let reserved = |variant, n: u64| {
        let at = MSR_HEADER + n * MSR + 4;
        let chain = around(msrs().with_byte(at as usize, 1));
        case(Rule::HvmMsrReserved, variant, &chain, &around(msrs()), 1, ENTRY_HEADER + at)
    };
    let pics = |second| Chain::around([Entry::reset(PIC, 0), Entry::reset(PIC, second)]);
    vec![
        case(
            Rule::HvmTypecode,
            "",
            &around(Entry::new(types::KNOWN, 0, [])),
            &around(Entry::reset(CPU, 0)),
            1,
            0,
        ),
        case(
            Rule::HvmTypecode,
            "highest",
            &around(Entry::new(u16::MAX, 0, [])),
            &around(Entry::reset(CPU, 0)),
            1,
            0,
        ),
        instance("", PIC, 2),
        instance("vcpu", types::TSC_ADJUST, VCPUS as u16),
        instance("vcpu-limit", types::TSC_ADJUST, 64).limit(Limit::Vcpus, 64),
        length("", sized(PIC, 9), Entry::reset(PIC, 0)),
        length("shorter", sized(PIC, 7), Entry::reset(PIC, 0)),
        length("cpu", sized(CPU, 1033), Entry::reset(CPU, 0)),
        length("xsave", sized(types::CPU_XSAVE, XSAVE_MIN - 1), Entry::reset(types::CPU_XSAVE, 0)),
        length("no-msr", Entry::msrs(0, &[]), Entry::msrs(0, &[(msr::SPEC_CTRL, 0)])),
        case(Rule::HvmMsrCount, "", &around(msrs().with_byte(0, 1)), &around(msrs()), 1, ENTRY_HEADER)
            .note("as Xen 4.9 and older wrote it"),
        longer(Rule::HvmLapicLength, "", types::LAPIC, [32, LAPIC_OLD]),
        longer(Rule::HvmLapicLength, "shortest", types::LAPIC, [LAPIC_OLD + 1, 16]),
        longer(Rule::HvmRtcLength, "", types::RTC, [24, RTC_OLD]),
        longer(Rule::HvmRtcLength, "shorter", types::RTC, [RTC_OLD - 1, RTC_OLD]),
        case(Rule::HvmEntryRepeated, "", &pics(0), &pics(1), 2, 0),
        reserved("", 0),
        reserved("second", 1),
    ]
}

fn ends() -> Vec<Case> {
    let minimal = Chain::minimal();
    let headless = Chain::new([Entry::header()]);
    let overrun = |variant, entry: Entry| {
        let chain = Chain::new([Entry::header(), entry]);
        case(Rule::HvmEntryOverrun, variant, &chain, &minimal, 1, LENGTH_AT)
    };
    let torn = |variant, tail: &[u8]| {
        let chain = headless.clone().with_tail(tail);
        case(Rule::HvmEntryOverrun, variant, &chain, &minimal, 1, LENGTH_AT)
    };
    let missing = |variant, chain: Chain, last: usize| {
        let entry = chain.offset(last + 1) - chain.offset(last);
        case(Rule::HvmEndMissing, variant, &chain, &minimal, last, entry)
    };
    let end = Entry::new(types::END, 0, [0; 8]);
    let trailing = |variant, tail: &[u8]| {
        case(Rule::HvmTrailing, variant, &Chain::minimal().with_tail(tail), &minimal, 2, ENTRY_HEADER)
    };
    let around_end = |end| Chain::new([Entry::header(), Entry::reset(CPU, 0), end]);
    vec![
        case(Rule::HvmCpuMissing, "", &Chain::new([Entry::header(), Entry::end()]), &minimal, 1, 0)
            .note("the hypervisor takes it, and the guest stands still"),
        overrun("", Entry::new(CPU, 0, [0; 8]).claiming(9)),
        overrun("huge", Entry::new(CPU, 0, []).claiming(u32::MAX)),
        torn("torn", &[0; 7]),
        torn("torn-one", &[0]),
        missing("", headless.clone(), 0),
        missing("second", Chain::new([Entry::header(), Entry::reset(PIC, 0)]), 1),
        // An entry of which so much is passed over that it need not be copied.
        missing("long", Chain::new([Entry::header(), Entry::filled(types::CPU_XSAVE, 0, 32 << 10, 0)]), 1),
        case(Rule::HvmEndLength, "", &around_end(end), &minimal, 2, LENGTH_AT),
        trailing("", &[0]),
        trailing("entry", &[0; 8]),
    ]
}

pub(crate) const BREAKS: &[Break] = &[
    Break::new(Rule::HvmHeader, HVM, |d| {
        let chain = DraftChain::any(d)?;
        let typecode = d.one_of(&[types::END, 2, types::KNOWN - 1])?;
        chain.retyped(d, 0, typecode)
    }),
    Break::new(Rule::HvmHeader, HVM, |d| {
        let chain = DraftChain::any(d)?;
        let length = d.number(25, 8) as u32;
        chain.edited(d, 0, LENGTH_AT, Field::le32(length))
    }),
    Break::new(Rule::HvmHeader, ENTRY, |d| {
        let chain = DraftChain::any(d)?;
        let index = chain.any_between(d)?;
        chain.retyped(d, index, types::HEADER)
    }),
    Break::new(Rule::HvmTypecode, HVM, |d| {
        let chain = DraftChain::any(d)?;
        let index = 1 + d.choices.index(chain.entries.len() - 1)?;
        let typecode = d.one_of(&[types::KNOWN, 0x100, u16::MAX])?;
        chain.retyped(d, index, typecode)
    }),
    Break::new(Rule::HvmInstance, ENTRY, |d| {
        let chain = DraftChain::any(d)?;
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
        let chain = DraftChain::any(d)?;
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
        let chain = DraftChain::any(d)?;
        let index = chain.any_msrs(d)?;
        let count = (chain.entries[index].length - MSR_HEADER) / MSR;
        let count = d.one_of(&[0, count + 1, u64::from(u32::MAX)])? as u32;
        chain.edited(d, index, ENTRY_HEADER, Field::le32(count))
    }),
    Break::new(Rule::HvmEntryOverrun, ENTRY, |d| {
        let chain = DraftChain::any(d)?;
        let index = chain.any_between(d)?;
        let room = chain.room(index);
        let length = d.one_of(&[room + 1, room + 0x1000, u64::from(u32::MAX)])? as u32;
        chain.edited(d, index, LENGTH_AT, Field::le32(length))
    }),
    Break::new(Rule::HvmEntryOverrun, HVM, |d| {
        // The body ends inside an entry's header.
        let chain = DraftChain::any(d)?;
        let index = 1 + d.choices.index(chain.entries.len() - 1)?;
        let torn = d.number(1, ENTRY_HEADER - 1);
        let body = chain.body(d, chain.entries[index].offset + torn);
        let mut fault = chain.with_body(d, body, index, LENGTH_AT)?;
        fault.record = fault.record.map(|record| RecordRef { kind: None, ..record });
        Some(fault)
    }),
    Break::new(Rule::HvmCpuMissing, HVM, |d| {
        let chain = DraftChain::any(d)?;
        let first = |entry: &EntryPlace| entry.typecode == CPU && entry.instance == 0;
        let index = chain.entries.iter().position(first)?;
        // An instance that no plan has.
        let fault = chain.edited(d, index, INSTANCE_AT, Field::le16(77))?;
        let (end, offset) = (chain.entries.len() - 1, chain.offset(d, chain.entries.len() - 1));
        let record =
            RecordRef { layer: Layer::Hvm, index: end as u64, kind: Some(u64::from(types::END)), offset };
        Some(Fault { record: Some(record), ..fault.found_at(offset) })
    }),
    Break::new(Rule::HvmEndMissing, HVM, |d| {
        let chain = DraftChain::any(d)?;
        let last = d.choices.index(chain.entries.len() - 1)?;
        let end = chain.entries[last + 1].offset;
        chain.with_body(d, chain.body(d, end), last, end - chain.entries[last].offset)
    }),
    Break::new(Rule::HvmEndLength, HVM, |d| {
        let chain = DraftChain::any(d)?;
        let length = d.one_of(&[1, 8, u32::MAX])?;
        chain.edited(d, chain.entries.len() - 1, LENGTH_AT, Field::le32(length))
    }),
    Break::new(Rule::HvmTrailing, HVM, |d| {
        let chain = DraftChain::any(d)?;
        let mut body = chain.body(d, u64::MAX);
        body.extend(vec![0; d.number(1, 32) as usize]);
        chain.with_body(d, body, chain.entries.len() - 1, ENTRY_HEADER)
    }),
    Break::new(Rule::HvmLapicLength, HVM, |d| {
        let length = d.number(LAPIC_OLD + 1, 32 - LAPIC_OLD);
        // Plans have shorter ones, which the rule finds too: this one comes ahead of all.
        DraftChain::first(d)?.with_first(d, &Entry::filled(types::LAPIC, 0, length, 0), LENGTH_AT)
    }),
    Break::new(Rule::HvmRtcLength, HVM, |d| {
        let length = d.number(RTC_OLD + 1, 24 - RTC_OLD);
        // Plans have shorter ones, which the rule finds too: this one comes ahead of all.
        DraftChain::first(d)?.with_first(d, &Entry::filled(types::RTC, 0, length, 0), LENGTH_AT)
    }),
    Break::new(Rule::HvmEntryRepeated, ENTRY, |d| {
        let chain = DraftChain::any(d)?;
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
];

/// With a CPUID policy of this leaf in place of any other, and with this entry.
fn with_leaf(d: &Draft<'_>, leaf: [u32; 6], entry: &Entry, at: u64) -> Option<Fault> {
    use xenstream_core::wire::libxc::types::{STATIC_DATA_END, X86_CPUID_POLICY};
    d.version(3)?;
    // The chain before any other, so that no vcpu of it is judged by the leaf first.
    d.first(Part::libxc(HVM_CONTEXT))?;
    let policy = libxc::cpuid_policy(&[leaf]);
    let stream = match d.first(Part::libxc(X86_CPUID_POLICY)) {
        Some(index) => d.stream.clone().with_item(index, policy),
        None => d.stream.clone().inserted(d.first(Part::libxc(STATIC_DATA_END))?, policy),
    };
    let draft = Draft { rule: d.rule, stream: &stream, expected: d.expected, choices: d.choices.clone() };
    DraftChain::first(&draft)?.with_first(&draft, entry, at)
}

/// The chain of one HVM_CONTEXT.
pub(super) struct DraftChain {
    item: usize,
    entries: Vec<EntryPlace>,
}

impl DraftChain {
    pub(super) fn any(d: &Draft<'_>) -> Option<DraftChain> {
        let item = d.any_of(CONTEXT)?;
        Some(DraftChain { item, entries: d.item(item).entries().to_vec() })
    }

    fn first(d: &Draft<'_>) -> Option<DraftChain> {
        let item = d.first(CONTEXT)?;
        Some(DraftChain { item, entries: d.item(item).entries().to_vec() })
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
    pub(super) fn with_first(&self, d: &Draft<'_>, entry: &Entry, at: u64) -> Option<Fault> {
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
