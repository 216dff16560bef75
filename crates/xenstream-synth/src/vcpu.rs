//! A PV vcpu's state as the X86_PV_VCPU records carry it.

use xenstream_core::wire::Order;
use xenstream_core::wire::layout::{Layout, Placed};
use xenstream_core::wire::libxc::vcpu::{IN_KERNEL, XSAVE_AREA_MIN};
use xenstream_core::wire::pv::{BASIC_32, BASIC_64, EXTENDED, XSAVE};

use crate::flat::Flat;

/// The blob of X86_PV_VCPU_BASIC, of a vcpu that runs its kernel; zero where nothing else was set.
#[derive(Clone, Debug)]
pub struct Basic {
    layout: &'static Layout,
    blob: Vec<u8>,
}

impl Basic {
    /// The registers of a 64-bit guest.
    #[must_use]
    pub fn pv64() -> Basic {
        Basic::of(&BASIC_64)
    }

    /// The registers of a 32-bit guest.
    #[must_use]
    pub fn pv32() -> Basic {
        Basic::of(&BASIC_32)
    }

    fn of(layout: &'static Layout) -> Basic {
        Basic { layout, blob: Flat::new(layout).bytes() }.flags(IN_KERNEL)
    }

    /// With this value in a field that the structure declares, of its first element if there are several.
    ///
    /// # Panics
    /// The structure has no such field.
    #[must_use]
    #[track_caller]
    pub fn with(self, field: &str, value: u64) -> Basic {
        self.with_element(field, 0, value)
    }

    /// With this value in a field of an element that the structure declares.
    ///
    /// # Panics
    /// The structure has no such field.
    #[must_use]
    #[track_caller]
    pub fn with_element(mut self, field: &str, element: u64, value: u64) -> Basic {
        let at = self.offset_of_element(field, element);
        let width = self.layout.find(field).map_or(0, |Placed { field, .. }| field.width);
        let bytes = Order::Little.put_number(width, value);
        self.blob[at as usize..][..width as usize].copy_from_slice(&bytes[..width as usize]);
        self
    }

    /// Offset of a field in the blob, of its first element if there are several.
    ///
    /// # Panics
    /// The structure has no such field.
    #[must_use]
    #[track_caller]
    pub fn offset_of(&self, field: &str) -> u64 {
        self.offset_of_element(field, 0)
    }

    /// Offset of a field of an element in the blob.
    ///
    /// # Panics
    /// The structure has no such field.
    #[must_use]
    #[track_caller]
    pub fn offset_of_element(&self, field: &str, element: u64) -> u64 {
        let group =
            self.layout.groups.iter().find(|group| group.fields.iter().any(|other| other.name == field));
        let stride = group.map_or(0, |group| u64::from(group.stride));
        crate::flat::offset_of(self.layout, field) + stride * element
    }

    /// With these flags.
    #[must_use]
    pub fn flags(self, flags: u64) -> Basic {
        self.with("flags", flags)
    }

    /// With the pfn of the start-info page, which vcpu 0 names in `edx`.
    #[must_use]
    pub fn start_info(self, pfn: u64) -> Basic {
        let register = if self.is_wide() { "rdx" } else { "edx" };
        self.with(register, pfn)
    }

    /// With this count of GDT entries.
    #[must_use]
    pub fn gdt_entries(self, count: u64) -> Basic {
        self.with("gdt_ents", count)
    }

    /// With the pfn of one frame of the GDT.
    #[must_use]
    pub fn gdt_frame(self, index: u64, pfn: u64) -> Basic {
        self.with_element("gdt_frame", index, pfn)
    }

    /// With the pfn of the kernel's page table in `ctrlreg[3]`, packed as the guest's width asks.
    #[must_use]
    pub fn cr3(self, pfn: u64) -> Basic {
        // A 32-bit guest's cr3 holds the upper bits of the frame in its lowest ones (`xen_pfn_to_cr3`).
        let value = if self.is_wide() { pfn << 12 } else { pfn << 12 | pfn >> 20 };
        self.with("cr3", value)
    }

    /// With the pfn of the user's page table in `ctrlreg[1]`, marked as there.
    ///
    /// # Panics
    /// Only 64-bit guests have one.
    #[must_use]
    pub fn cr1(self, pfn: u64) -> Basic {
        assert!(self.is_wide(), "a 64-bit guest");
        self.with("cr1", pfn << 12 | 1)
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
        self.layout.size() == BASIC_64.size()
    }

    /// With a register, or another field of a register's width, overwritten.
    #[must_use]
    pub fn word(self, at: u64, value: u64) -> Basic {
        let word = if self.is_wide() { 8 } else { 4 };
        self.with_bytes(at, &value.to_le_bytes()[..word])
    }
}

/// The blob of X86_PV_VCPU_EXTENDED of this many bytes, all of which count; zero but for its head.
#[must_use]
pub fn extended_state(vcpu_id: u32, size: u64) -> Vec<u8> {
    Flat::new(&EXTENDED).of_length(size).with("vcpu", vcpu_id.into()).with("size", size).bytes()
}

/// The blob of X86_PV_VCPU_XSAVE of this many bytes: without state, or with that of a vcpu that has used the FPU, and where
/// there is room SSE and AVX.
#[must_use]
pub fn xsave_state(size: u64) -> Vec<u8> {
    let mask = match size {
        0..XSAVE_AREA_MIN => 0,
        XSAVE_AREA_MIN..848 => 1,
        848.. => 7,
    };
    xsave_of(size, mask)
}

/// The blob of X86_PV_VCPU_XSAVE of this many bytes, with these features in use.
pub(crate) fn xsave_of(size: u64, features: u64) -> Vec<u8> {
    Flat::new(&XSAVE).of_length(size).with("xcr0", features).with("xcr0_accum", features).bytes()
}
