//! The parameters of HVM_PARAMS (`public/hvm/params.h`), and what Xen asks of their values
//! (`hvm_allow_set_param()` and `hvm_set_param()`).

use crate::rule::Rule::LibxcHvmParamsRefused as REFUSED;
use crate::wire::layout::Check::{self, AtMost, Between, Has, OneOf, Within};

/// One parameter.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Param {
    /// Its name, without `HVM_PARAM_`.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Whether a toolstack may set it, and how often.
    pub settable: Settable,
    /// What Xen asks of its value.
    pub checks: &'static [Check],
}

/// What the value of a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pfn.
    Pfn,
    /// A guest-physical address.
    Address,
    /// An event channel.
    EventChannel,
    /// A number.
    Number,
    /// Flags.
    Flags,
    /// No release gives it a meaning.
    Unused,
}

/// Whether a toolstack may set a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settable {
    /// As often as it likes.
    Always,
    /// To one value that is not zero: another one is refused.
    Once,
    /// Never: Xen refuses every value.
    Never,
}

const fn param(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, settable: Settable::Always, checks: &[] }
}

const fn once(name: &'static str, kind: Kind) -> Param {
    Param { settable: Settable::Once, ..param(name, kind) }
}

const fn never(name: &'static str, kind: Kind) -> Param {
    Param { settable: Settable::Never, ..param(name, kind) }
}

const fn checked(param: Param, checks: &'static [Check]) -> Param {
    Param { checks, ..param }
}

/// Number of parameters that Xen knows (`HVM_NR_PARAMS`).
pub const COUNT: u64 = PARAMS.len() as u64;

/// Indices that other checks look for.
pub mod index {
    /// The page of xenstore's ring.
    pub const STORE_PFN: u64 = 1;
    /// Features of Viridian.
    pub const VIRIDIAN: u64 = 9;
    /// Those of them that Xen knows since 4.15.
    pub const VIRIDIAN_SINCE_15: u64 = 0x1C00;
    /// The page of the console's ring.
    pub const CONSOLE_PFN: u64 = 17;
    /// Nested virtualisation; since [`Fact::Nest`](crate::Fact::Nest) it may not be set.
    pub const NESTEDHVM: u64 = 24;
    /// Alternate p2m; since [`Fact::Altp2m`](crate::Fact::Altp2m) it may not be set.
    pub const ALTP2M: u64 = 35;
    /// Machine-check capabilities.
    pub const MCA_CAP: u64 = 38;
}

/// Every parameter, by its index.
pub static PARAMS: &[Param] = &{
    use Kind::{Address, EventChannel, Flags, Number, Pfn, Unused};
    [
        param("CALLBACK_IRQ", Number),
        param("STORE_PFN", Pfn),
        param("STORE_EVTCHN", EventChannel),
        param("unused", Unused),
        param("PAE_ENABLED", Number),
        once("IOREQ_PFN", Pfn),
        once("BUFIOREQ_PFN", Pfn),
        param("unused", Unused),
        param("unused", Unused),
        // No feature without the base feature, and none that no release knows.
        checked(once("VIRIDIAN", Flags), &[Has(1, REFUSED), Within(0x1FFF, REFUSED)]),
        checked(param("TIMER_MODE", Number), &[AtMost(3, REFUSED)]),
        param("HPET_ENABLED", Number),
        param("IDENT_PT", Address),
        never("DM_DOMAIN", Number),
        // Awake, or suspended to RAM.
        checked(
            param("ACPI_S_STATE", Number),
            &[OneOf(&[0, 3], REFUSED), AtMost(0, crate::rule::Rule::LibxcHvmParamsSuspended)],
        ),
        checked(param("VM86_TSS", Address), &[Within(0xFFFF_FFFF, REFUSED)]),
        param("VPT_ALIGN", Number),
        param("CONSOLE_PFN", Pfn),
        param("CONSOLE_EVTCHN", EventChannel),
        // 0 on a fresh domain, and each change has to be from 0 to 1 or back.
        checked(param("ACPI_IOPORTS_LOCATION", Number), &[AtMost(1, REFUSED)]),
        never("MEMORY_EVENT_CR0", Number),
        never("MEMORY_EVENT_CR3", Number),
        never("MEMORY_EVENT_CR4", Number),
        never("MEMORY_EVENT_INT3", Number),
        checked(param("NESTEDHVM", Number), &[AtMost(1, REFUSED)]),
        never("MEMORY_EVENT_SINGLE_STEP", Number),
        never("BUFIOREQ_EVTCHN", EventChannel),
        param("PAGING_RING_PFN", Pfn),
        param("MONITOR_RING_PFN", Pfn),
        param("SHARING_RING_PFN", Pfn),
        never("MEMORY_EVENT_MSR", Number),
        // A SHUTDOWN_* code.
        checked(param("TRIPLE_FAULT_REASON", Number), &[AtMost(5, REFUSED)]),
        once("IOREQ_SERVER_PFN", Pfn),
        checked(once("NR_IOREQ_SERVER_PAGES", Number), &[Between(1, 64, REFUSED)]),
        param("VM_GENERATION_ID_ADDR", Address),
        // Refused whatever its value since Xen 4.19.
        checked(param("ALTP2M", Number), &[AtMost(3, REFUSED)]),
        // In bytes; 0 lets the hypervisor choose.
        checked(param("X87_FIP_WIDTH", Number), &[OneOf(&[0, 4, 8], REFUSED)]),
        // The size, in the upper half, has room for a TSS.
        checked(param("VM86_TSS_SIZED", Address), &[Between(104 << 32, u64::MAX, REFUSED)]),
        checked(once("MCA_CAP", Flags), &[AtMost(1, REFUSED)]),
    ]
};

/// What is known of a parameter; `None` for an index that Xen does not know.
#[inline]
#[must_use]
pub fn param_at(index: u64) -> Option<&'static Param> {
    usize::try_from(index).ok().and_then(|index| PARAMS.get(index))
}

/// Whether no release lets a toolstack set this parameter, whatever the value.
#[must_use]
pub fn is_never_set(index: u64) -> bool {
    param_at(index).is_some_and(|param| param.settable == Settable::Never)
}

/// Whether the value of this parameter is the pfn of a page that the guest has.
#[must_use]
pub fn is_pfn(index: u64) -> bool {
    param_at(index).is_some_and(|param| param.kind == Kind::Pfn)
}
