//! A PV vcpu's state as the X86_PV_VCPU records carry it.

use xenstream_core::wire::libxc::vcpu::{
    BASIC_32, BASIC_64, BasicLayout, IN_KERNEL, LAYOUT_32, LAYOUT_64, XSAVE_AREA_MIN,
};

/// The blob of X86_PV_VCPU_BASIC, of a vcpu that runs its kernel; zero where nothing else was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basic {
    layout: BasicLayout,
    blob: Vec<u8>,
}

impl Basic {
    /// Of a 64-bit guest.
    #[must_use]
    pub fn pv64() -> Basic {
        Basic { layout: LAYOUT_64, blob: vec![0; BASIC_64 as usize] }.flags(IN_KERNEL)
    }

    /// Of a 32-bit guest.
    #[must_use]
    pub fn pv32() -> Basic {
        Basic { layout: LAYOUT_32, blob: vec![0; BASIC_32 as usize] }.flags(IN_KERNEL)
    }

    /// With these flags.
    #[must_use]
    pub fn flags(self, flags: u64) -> Basic {
        /// Offset of `flags`, after the FPU's state.
        const AT: u64 = 512;
        self.word(AT, flags)
    }

    /// With the pfn of the start-info page, which vcpu 0 names in `edx`.
    #[must_use]
    pub fn start_info(self, pfn: u64) -> Basic {
        let at = self.layout.edx;
        self.word(at, pfn)
    }

    /// With this count of GDT entries.
    #[must_use]
    pub fn gdt_entries(self, count: u64) -> Basic {
        let at = self.layout.gdt_ents;
        self.word(at, count)
    }

    /// With the pfn of one frame of the GDT.
    #[must_use]
    pub fn gdt_frame(self, index: u64, pfn: u64) -> Basic {
        let at = self.layout.gdt_frames + index * u64::from(self.layout.word);
        self.word(at, pfn)
    }

    /// With the pfn of the kernel's page table in `ctrlreg[3]`, packed as the guest's width asks.
    #[must_use]
    pub fn cr3(self, pfn: u64) -> Basic {
        let at = self.layout.cr3;
        // A 32-bit guest's cr3 holds the upper bits of the frame in its lowest ones (`xen_pfn_to_cr3`).
        let value = if self.layout.word == 4 { pfn << 12 | pfn >> 20 } else { pfn << 12 };
        self.word(at, value)
    }

    /// With the pfn of the user's page table in `ctrlreg[1]`, marked as there.
    ///
    /// # Panics
    /// Only 64-bit guests have one.
    #[must_use]
    pub fn cr1(self, pfn: u64) -> Basic {
        let at = self.layout.cr1.expect("a 64-bit guest");
        self.word(at, pfn << 12 | 1)
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

    /// Whether it is of a 64-bit guest.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.layout.word == 8
    }

    /// With a register, or another field of a register's width, overwritten.
    #[must_use]
    pub fn word(self, at: u64, value: u64) -> Basic {
        let word = usize::from(self.layout.word);
        self.with_bytes(at, &value.to_le_bytes()[..word])
    }
}

/// The blob of X86_PV_VCPU_EXTENDED of this many bytes, all of which count; zero but for its head.
///
/// # Panics
/// It is shorter than its head of 8 bytes.
#[must_use]
pub fn extended_state(vcpu_id: u32, size: u64) -> Vec<u8> {
    let mut blob = vec![0; size as usize];
    blob[..4].copy_from_slice(&vcpu_id.to_le_bytes());
    blob[4..8].copy_from_slice(&(size as u32).to_le_bytes());
    blob
}

/// The blob of X86_PV_VCPU_XSAVE of this many bytes: without state, or with that of a vcpu that has used the FPU, and where
/// there is room SSE and AVX.
///
/// # Panics
/// It is shorter than its two masks.
#[must_use]
pub fn xsave_state(size: u64) -> Vec<u8> {
    let mut blob = vec![0; size as usize];
    let mask = match size {
        0..XSAVE_AREA_MIN => 0,
        XSAVE_AREA_MIN..848 => 1,
        848.. => 7,
    };
    blob[0] = mask;
    blob[8] = mask;
    blob
}
