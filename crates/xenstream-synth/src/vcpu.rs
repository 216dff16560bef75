//! A PV vcpu's registers as X86_PV_VCPU_BASIC carries them.

use xenstream_core::wire::libxc::vcpu::{BASIC_32, BASIC_64, BasicLayout, LAYOUT_32, LAYOUT_64};

/// The blob of X86_PV_VCPU_BASIC, zero where nothing was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basic {
    layout: BasicLayout,
    blob: Vec<u8>,
}

impl Basic {
    /// Of a 64-bit guest.
    #[must_use]
    pub fn pv64() -> Basic {
        Basic { layout: LAYOUT_64, blob: vec![0; BASIC_64 as usize] }
    }

    /// Of a 32-bit guest.
    #[must_use]
    pub fn pv32() -> Basic {
        Basic { layout: LAYOUT_32, blob: vec![0; BASIC_32 as usize] }
    }

    /// With the pfn of the start-info page, which vcpu 0 names in `edx`.
    #[must_use]
    pub fn start_info(self, pfn: u64) -> Basic {
        let at = self.layout.edx;
        self.register(at, pfn)
    }

    /// With this count of GDT entries.
    #[must_use]
    pub fn gdt_entries(self, count: u64) -> Basic {
        let at = self.layout.gdt_ents;
        self.register(at, count)
    }

    /// With the pfn of one frame of the GDT.
    #[must_use]
    pub fn gdt_frame(self, index: u64, pfn: u64) -> Basic {
        let at = self.layout.gdt_frames + index * u64::from(self.layout.word);
        self.register(at, pfn)
    }

    /// With the pfn of the kernel's page table in `ctrlreg[3]`, packed as the guest's width asks.
    #[must_use]
    pub fn cr3(self, pfn: u64) -> Basic {
        let at = self.layout.cr3;
        // A 32-bit guest's cr3 holds the upper bits of the frame in its lowest ones (`xen_pfn_to_cr3`).
        let value = if self.layout.word == 4 { pfn << 12 | pfn >> 20 } else { pfn << 12 };
        self.register(at, value)
    }

    /// With the pfn of the user's page table in `ctrlreg[1]`, marked as there.
    ///
    /// # Panics
    /// Only 64-bit guests have one.
    #[must_use]
    pub fn cr1(self, pfn: u64) -> Basic {
        let at = self.layout.cr1.expect("a 64-bit guest");
        self.register(at, pfn << 12 | 1)
    }

    /// With bytes of the blob overwritten.
    ///
    /// # Panics
    /// They lie outside.
    #[must_use]
    pub fn with_bytes(mut self, at: u64, bytes: &[u8]) -> Basic {
        let at = at as usize;
        self.blob[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// The blob.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.blob
    }

    fn register(self, at: u64, value: u64) -> Basic {
        let word = usize::from(self.layout.word);
        self.with_bytes(at, &value.to_le_bytes()[..word])
    }
}
