//! Places in streams, and numbers, that several cases and breaks are about.

use xenstream_core::wire::libxc::types::{
    END, HVM_CONTEXT, HVM_PARAMS, PAGE_DATA, STATIC_DATA_END, X86_PV_INFO, X86_PV_P2M_FRAMES,
    X86_PV_VCPU_BASIC,
};
use xenstream_core::wire::libxc::{page, params, vcpu};
use xenstream_core::wire::xenopsd;

use crate::Part;
use crate::minimal::{MAX_PFN_32, MAX_PFN_64};

pub(crate) const INFO: Part = Part::libxc(X86_PV_INFO);
pub(crate) const STATIC: Part = Part::libxc(STATIC_DATA_END);
pub(crate) const P2M: Part = Part::libxc(X86_PV_P2M_FRAMES);
pub(crate) const PAGES: Part = Part::libxc(PAGE_DATA);
pub(crate) const BASIC: Part = Part::libxc(X86_PV_VCPU_BASIC);
pub(crate) const CONTEXT: Part = Part::libxc(HVM_CONTEXT);
pub(crate) const PARAMS: Part = Part::libxc(HVM_PARAMS);
/// The END of libxc.
pub(crate) const LAST: Part = Part::libxc(END);

/// Offset of the length in a record of libxl or libxc.
pub(crate) const LENGTH: u64 = 4;
/// Offset of the body in a record of libxl or libxc.
pub(crate) const BODY: u64 = 8;
/// Offset of the first entry in PAGE_DATA.
pub(crate) const ENTRIES: u64 = BODY + page::HEADER;
/// Offset of the blob in a VCPU record.
pub(crate) const BLOB: u64 = BODY + vcpu::HEADER;
/// Offset of the first entry in HVM_PARAMS.
pub(crate) const PARAM: u64 = BODY + params::HEADER;
/// Offset of the length in a typed header of xenopsd.
pub(crate) const XENOPSD_LENGTH: u64 = 8;
/// Offset of what a typed header of xenopsd announces.
pub(crate) const XENOPSD_BODY: u64 = xenopsd::HEADER;
/// The `subleaf` of a CPUID leaf that has none.
pub(crate) const NO_SUBLEAF: u32 = u32::MAX;
/// Largest pfn of the smallest 64-bit PV guest, and of the 32-bit one.
pub(crate) const MAX_64: u64 = MAX_PFN_64 as u64;
pub(crate) const MAX_32: u64 = MAX_PFN_32 as u64;
