//! The chain inside HVM_CONTEXT, entry by entry.

use xenstream_core::wire::headers::HVM_ENTRY;
use xenstream_core::wire::hvm::vcpus::CPU_MSR;
use xenstream_core::wire::hvm::{self, Length, cpu, types};
use xenstream_core::wire::layout::{Field, Placed};
use xenstream_core::wire::{msr, xsave};

use crate::flat::Flat;
use crate::item::EntryPlace;
use crate::libxc;

/// One entry of the chain: an entry header and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    typecode: u16,
    instance: u16,
    body: Vec<u8>,
    claimed: Option<u32>,
}

impl Entry {
    /// An entry with this body.
    #[must_use]
    pub fn new(typecode: u16, instance: u16, body: impl Into<Vec<u8>>) -> Entry {
        Entry { typecode, instance, body: body.into(), claimed: None }
    }

    /// An entry in the state after a reset, as long as Xen 4.17 writes it or needs it.
    ///
    /// # Panics
    /// Xen does not know the typecode.
    #[must_use]
    pub fn reset(typecode: u16, instance: u16) -> Entry {
        let length = hvm::entry(typecode).expect("a typecode that Xen knows").length;
        let length = match length {
            // A longer one is taken by few releases.
            _ if typecode == types::LAPIC => hvm::LAPIC_OLD,
            Length::Exactly(n) | Length::AtMost(n) | Length::AtLeast(n) => n,
        };
        Entry::filled(typecode, instance, length, 0)
    }

    /// An entry of this length in which every byte that no check looks at is `fill`. The others are as after a reset.
    ///
    /// # Panics
    /// Xen does not know the typecode.
    #[must_use]
    pub fn filled(typecode: u16, instance: u16, length: u64, fill: u8) -> Entry {
        let known = hvm::entry(typecode).expect("a typecode that Xen knows");
        let mut entry = Entry::new(typecode, instance, vec![fill; length as usize]);
        let [layout] = known.body(length);
        for Placed { field, offset, .. } in layout.fields(length) {
            if !field.checks.is_empty() {
                entry.put(offset, field.width, after_reset(typecode, instance, field.name));
            }
        }
        // What follows the XSAVE area of these features.
        if typecode == types::CPU_XSAVE {
            entry.body[hvm::XSAVE_MIN as usize..].fill(0);
        }
        entry
    }

    /// HEADER, the first entry.
    #[must_use]
    pub fn header() -> Entry {
        Entry::reset(types::HEADER, 0)
    }

    /// With this value in a field that its structure declares.
    ///
    /// # Panics
    /// The structure has no such field.
    #[must_use]
    pub fn with(mut self, field: &str, value: u64) -> Entry {
        let (offset, width) = self.field(field);
        self.put(offset, width, value);
        self
    }

    /// Offset of a field from the start of the entry, its header included.
    ///
    /// # Panics
    /// The structure has no such field.
    #[must_use]
    pub fn offset_of(&self, field: &str) -> u64 {
        hvm::ENTRY_HEADER + self.field(field).0
    }

    /// The fields that its structure declares.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        let known = hvm::entry(self.typecode).expect("a typecode that Xen knows");
        let length = self.body.len() as u64;
        let [layout] = known.body(length);
        layout.fields(length).map(|placed| placed.field)
    }

    fn field(&self, name: &str) -> (u64, u32) {
        let known = hvm::entry(self.typecode).expect("a typecode that Xen knows");
        let length = self.body.len() as u64;
        let [layout] = known.body(length);
        let mut fields = layout.fields(length);
        let placed = fields.find(|placed| placed.field.name == name).expect("a field of the structure");
        (placed.offset, placed.field.width)
    }

    /// The bytes of a field, as far as the entry has them.
    fn put(&mut self, offset: u64, width: u32, value: u64) {
        let bytes = value.to_le_bytes();
        let field = self.body.iter_mut().skip(offset as usize).zip(bytes).take(width as usize);
        field.for_each(|(byte, value)| *byte = value);
    }

    /// CPU_MSR of a vcpu: pairs of index and value.
    #[must_use]
    pub fn msrs(vcpu: u16, msrs: &[(u32, u64)]) -> Entry {
        let count = u32::try_from(msrs.len()).expect("a count of 32 bits");
        let body = Flat::new(&CPU_MSR).of_length(hvm::MSR_HEADER).with("count", count.into());
        Entry::new(types::CPU_MSR, vcpu, libxc::msr_entries(body, msrs).bytes())
    }

    /// END, the last entry.
    #[must_use]
    pub fn end() -> Entry {
        Entry::new(types::END, 0, [])
    }

    /// With a header that claims this length.
    #[must_use]
    pub fn claiming(mut self, length: u32) -> Entry {
        self.claimed = Some(length);
        self
    }

    /// With this byte at this place of the body.
    ///
    /// # Panics
    /// It lies outside.
    #[must_use]
    pub fn with_byte(mut self, at: usize, byte: u8) -> Entry {
        self.body[at] = byte;
        self
    }

    /// The typecode.
    #[must_use]
    pub fn typecode(&self) -> u16 {
        self.typecode
    }

    /// The instance.
    #[must_use]
    pub fn instance(&self) -> u16 {
        self.instance
    }

    /// Size in bytes, header included.
    #[must_use]
    pub fn size(&self) -> u64 {
        hvm::ENTRY_HEADER + self.body.len() as u64
    }

    /// The bytes, header included.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let header = Flat::new(&HVM_ENTRY)
            .with("typecode", self.typecode.into())
            .with("instance", self.instance.into())
            .with("length", self.length().into());
        let mut out = header.bytes();
        out.extend(&self.body);
        out
    }

    fn length(&self) -> u32 {
        self.claimed.unwrap_or_else(|| u32::try_from(self.body.len()).expect("a length of 32 bits"))
    }
}

/// The body of HVM_CONTEXT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    entries: Vec<Entry>,
    tail: Vec<u8>,
}

impl Chain {
    /// A chain of these entries, in this order.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Chain {
        Chain { entries: entries.into_iter().collect(), tail: Vec::new() }
    }

    /// HEADER, the registers of vcpu 0 and END: the least that runs.
    #[must_use]
    pub fn minimal() -> Chain {
        Chain::around([])
    }

    /// HEADER, these entries, END. The registers of vcpu 0 come after them if they are not among them.
    #[must_use]
    pub fn around(entries: impl IntoIterator<Item = Entry>) -> Chain {
        let mut entries: Vec<Entry> = [Entry::header()].into_iter().chain(entries).collect();
        if !entries.iter().any(|entry| entry.typecode == types::CPU && entry.instance == 0) {
            entries.push(Entry::reset(types::CPU, 0));
        }
        entries.push(Entry::end());
        Chain::new(entries)
    }

    /// What Xen writes for a guest with a full set of emulated devices, grouped by type as Xen groups it.
    #[must_use]
    pub fn with_devices(vcpus: u16) -> Chain {
        let mut entries = per_vcpu(vcpus, &[2]);
        entries.extend([Entry::reset(types::PIC, 0), Entry::reset(types::PIC, 1), Entry::reset(4, 0)]);
        entries.extend(per_vcpu(vcpus, &[5, 6]));
        entries.extend((7..=13).map(|typecode| Entry::reset(typecode, 0)));
        entries.extend(per_vcpu(vcpus, &[14]));
        entries.push(Entry::reset(15, 0));
        entries.extend(per_vcpu(vcpus, &[types::CPU_XSAVE, 17, 18, 19]));
        entries.extend((0..vcpus).map(|vcpu| Entry::msrs(vcpu, &[(msr::DR0_ADDRESS_MASK, u64::from(vcpu))])));
        Chain::around(entries)
    }

    /// What Xen writes for a PVH guest, which has no PIC, IOAPIC, PIT, RTC and HPET.
    #[must_use]
    pub fn without_devices(vcpus: u16) -> Chain {
        Chain::around(per_vcpu(vcpus, &[2, 5, 6, 14, types::CPU_XSAVE, 18, 19]))
    }

    /// With bytes after the last entry.
    #[must_use]
    pub fn with_tail(mut self, bytes: impl Into<Vec<u8>>) -> Chain {
        self.tail = bytes.into();
        self
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Offset of an entry from the chain's start; of what follows the last one for the index after it.
    #[must_use]
    pub fn offset(&self, index: usize) -> u64 {
        self.entries[..index].iter().map(Entry::size).sum()
    }

    /// The bytes, little-endian in every stream.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in &self.entries {
            out.extend(entry.bytes());
        }
        out.extend(&self.tail);
        out
    }

    pub(crate) fn places(&self) -> Vec<EntryPlace> {
        let mut offset = 0;
        let place = |entry: &Entry| {
            let place = EntryPlace {
                typecode: entry.typecode,
                instance: entry.instance,
                offset,
                length: u64::from(entry.length()),
            };
            offset += entry.size();
            place
        };
        self.entries.iter().map(place).collect()
    }
}

/// What a field that is checked holds after a reset.
fn after_reset(typecode: u16, instance: u16, field: &str) -> u64 {
    match (typecode, field) {
        (types::HEADER, "magic") => u64::from(hvm::MAGIC),
        (types::HEADER, "version") => u64::from(hvm::VERSION),
        (types::CPU, "cr0") => cpu::cr0::ET,
        (types::PIC, "modes") => u64::from(instance == 0) << hvm::pic::IS_MASTER,
        (types::LAPIC, "timer_divisor") => 2,
        (types::PIT, "gate") => 1,
        (types::CPU_XSAVE, "xcr0" | "xcr0_accum") => xsave::X87,
        _ => 0,
    }
}

fn per_vcpu(vcpus: u16, typecodes: &[u16]) -> Vec<Entry> {
    let entries = |typecode: &u16| (0..vcpus).map(|vcpu| Entry::reset(*typecode, vcpu)).collect::<Vec<_>>();
    typecodes.iter().flat_map(entries).collect()
}
