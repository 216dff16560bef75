//! The chain inside HVM_CONTEXT, entry by entry.

use xenstream_core::wire::hvm::{self, Length, types};

use crate::item::EntryPlace;

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

    /// An entry of zeros, as long as Xen writes or needs it.
    ///
    /// # Panics
    /// Xen does not know the typecode.
    #[must_use]
    pub fn zeroed(typecode: u16, instance: u16) -> Entry {
        let length = hvm::entry(typecode).expect("a typecode that Xen knows").length;
        let (Length::Exactly(n) | Length::AtMost(n) | Length::AtLeast(n)) = length;
        Entry::new(typecode, instance, vec![0; n as usize])
    }

    /// HEADER, the first entry.
    #[must_use]
    pub fn header() -> Entry {
        let mut body = Vec::with_capacity(hvm::HEADER_LENGTH as usize);
        body.extend(hvm::MAGIC.to_le_bytes());
        body.extend(hvm::VERSION.to_le_bytes());
        body.resize(hvm::HEADER_LENGTH as usize, 0);
        Entry::new(types::HEADER, 0, body)
    }

    /// CPU_MSR of a vcpu: pairs of index and value.
    #[must_use]
    pub fn msrs(vcpu: u16, msrs: &[(u32, u64)]) -> Entry {
        let count = u32::try_from(msrs.len()).expect("a count of 32 bits");
        let mut body = count.to_le_bytes().to_vec();
        body.extend([0; 4]);
        for (index, value) in msrs {
            body.extend(index.to_le_bytes());
            body.extend([0; 4]);
            body.extend(value.to_le_bytes());
        }
        Entry::new(types::CPU_MSR, vcpu, body)
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

    /// HEADER and END: the least that Xen takes.
    #[must_use]
    pub fn minimal() -> Chain {
        Chain::around([])
    }

    /// HEADER, these entries, END.
    #[must_use]
    pub fn around(entries: impl IntoIterator<Item = Entry>) -> Chain {
        Chain::new([Entry::header()].into_iter().chain(entries).chain([Entry::end()]))
    }

    /// What Xen writes for a guest with a full set of emulated devices, grouped by type as Xen groups it.
    #[must_use]
    pub fn with_devices(vcpus: u16) -> Chain {
        const PIC: u16 = 3;
        let mut entries = per_vcpu(vcpus, &[2]);
        entries.extend([Entry::zeroed(PIC, 0), Entry::zeroed(PIC, 1), Entry::zeroed(4, 0)]);
        entries.extend(per_vcpu(vcpus, &[5, 6]));
        entries.extend((7..=13).map(|typecode| Entry::zeroed(typecode, 0)));
        entries.extend(per_vcpu(vcpus, &[14]));
        entries.push(Entry::zeroed(15, 0));
        entries.extend(per_vcpu(vcpus, &[types::CPU_XSAVE, 17, 18, 19]));
        entries.extend((0..vcpus).map(|vcpu| Entry::msrs(vcpu, &[(0xC000_0103, u64::from(vcpu))])));
        Chain::around(entries)
    }

    /// What Xen writes for a PVH guest, which has no PIC, IOAPIC, PIT, RTC and HPET.
    #[must_use]
    pub fn without_devices(vcpus: u16) -> Chain {
        Chain::around(per_vcpu(vcpus, &[2, 5, 6, 14, types::CPU_XSAVE, 18, 19]))
    }

    /// With bytes behind the last entry.
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

    /// Offset of an entry from the chain's start; of what follows the last one for the index behind it.
    #[must_use]
    pub fn offset(&self, index: usize) -> u64 {
        self.entries[..index].iter().map(Entry::size).sum()
    }

    /// The bytes, little-endian in every stream.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in &self.entries {
            out.extend(entry.typecode.to_le_bytes());
            out.extend(entry.instance.to_le_bytes());
            out.extend(entry.length().to_le_bytes());
            out.extend(&entry.body);
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

fn per_vcpu(vcpus: u16, typecodes: &[u16]) -> Vec<Entry> {
    let entries = |typecode: &u16| (0..vcpus).map(|vcpu| Entry::zeroed(*typecode, vcpu)).collect::<Vec<_>>();
    typecodes.iter().flat_map(entries).collect()
}
