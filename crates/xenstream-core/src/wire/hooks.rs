//! Names of the checks that are written by hand, for the tables of the structures.

/// Checks that compare a field with other fields, other records or the policy. They are written by hand, in the file of
/// `verify` that the variant names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// The file of the header's layer.
    Header(HeaderHook),
    /// `verify::registers`.
    Record(RecordHook),
    /// `verify::pv`.
    Pv(PvHook),
    /// `verify::policies`.
    Policy(PolicyHook),
    /// `verify::hvm`.
    Hvm(HvmHook),
}

/// Hand-written checks of headers, by layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderHook {
    /// `verify::xl`.
    Xl(XlHook),
    /// `verify::libvirt`.
    Libvirt(LibvirtHook),
    /// `verify::libxl`.
    Libxl(LibxlHook),
    /// `verify::libxc`.
    Libxc(LibxcHook),
}

/// Hand-written checks of the header of xl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XlHook {
    /// `byteorder`, by which the fields after it are read.
    Byteorder,
    /// `mandatory_flags`, which what follows is judged with.
    MandatoryFlags,
    /// `optional_flags`, which observers receive.
    OptionalFlags,
    /// `optional_data_len`, judged once the header has passed.
    OptionalDataLen,
}

/// Hand-written checks of libvirt's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LibvirtHook {
    /// `version`, which tells the byte order.
    Version,
    /// `xml_len`, against the limit.
    XmlLen,
    /// A word of `unused`: one finding for all of them.
    Unused,
}

/// Hand-written checks of the header of the libxl stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LibxlHook {
    /// `ident`, against what the container announces.
    Ident,
    /// `options`, with the byte order.
    Options,
}

/// Hand-written checks of the headers of the libxc stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LibxcHook {
    /// `marker`, in place of which a legacy image may stand.
    Marker,
    /// `version`, which the records are judged with.
    Version,
    /// `options`, with the byte order.
    Options,
    /// `type`: the kind of guest.
    DomainType,
    /// `xen_major`, which the records are judged with.
    XenMajor,
    /// `xen_minor`, which observers receive.
    XenMinor,
}

/// Hand-written checks of the small records of a libxc stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordHook {
    /// X86_PV_INFO: `guest_width`, judged with the levels.
    PvWidth,
    /// X86_PV_INFO: `pt_levels`.
    PvLevels,
    /// `mode` of the clock, which the frequency is judged with.
    TscMode,
    /// `khz` of the clock.
    TscKhz,
    /// HVM_PARAMS: the count against the record's length.
    ParamsCount,
    /// HVM_PARAMS: the index of an entry.
    ParamIndex,
    /// HVM_PARAMS: the value of an entry, by its index.
    ParamValue,
    /// VCPU records: the vcpu against the limit.
    VcpuId,
    /// X86_PV_VCPU_EXTENDED: the vcpu inside the blob against the header's.
    ExtendedId,
}

/// Hand-written checks of the processor that the guest sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyHook {
    /// The leaf of a CPUID entry.
    Leaf,
    /// The subleaf of a CPUID entry, by its leaf.
    Subleaf,
    /// EAX of a CPUID entry: the largest leaf, where the leaf tells it.
    Eax,
    /// EBX of a CPUID entry.
    Ebx,
    /// ECX of a CPUID entry.
    Ecx,
    /// EDX of a CPUID entry.
    Edx,
    /// The index of an MSR.
    MsrIndex,
    /// The value of an MSR, by its index.
    MsrValue,
}

/// Hand-written checks of a PV vcpu's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PvHook {
    /// The start-info page of vcpu 0.
    StartInfo,
    /// A frame of the GDT.
    GdtFrame,
    /// How many descriptors the GDT has.
    GdtEnts,
    /// Whether the vcpu runs its kernel.
    Flags,
    /// The page table of user mode.
    Cr1,
    /// The page table of the kernel.
    Cr3,
    /// The features that vcpu 0 asked for.
    VmAssist,
    /// EXTENDED: how much of the structure counts.
    ExtendedSize,
    /// EXTENDED: the machine-check capabilities, if they count.
    ExtendedCaps,
    /// XSAVE: `xcr0`.
    Xcr0,
    /// XSAVE: `xcr0_accum`, against `xcr0` and the length.
    Xcr0Accum,
    /// XSAVE: the components that the area holds, against `xcr0_accum`.
    XstateBv,
    /// MSRS: the index of an entry.
    MsrIndex,
    /// MSRS: the value of an entry, by its index.
    MsrValue,
}

/// Hand-written checks of entries of HVM_CONTEXT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HvmHook {
    /// HEADER: the frequency of the TSC.
    HeaderTsc,
    /// CPU: CR0, paging without protection.
    Cr0,
    /// CPU: CR3 against the width of physical addresses.
    Cr3,
    /// CPU: CR4 against the policy.
    Cr4,
    /// CPU: EFER against CR0 and the policy.
    Efer,
    /// CPU: the event to be injected.
    Event,
    /// CPU: the error code of that event.
    ErrorCode,
    /// PIC: a byte; the last one is judged with all others.
    Pic,
    /// LAPIC: the mode against the enable bit.
    LapicBase,
    /// PIT: the gate of a channel.
    PitGate,
    /// MTRR: the number of variable ranges.
    MtrrCount,
    /// CPU_XSAVE: the features in use.
    Xcr0,
    /// CPU_XSAVE: the features that were ever in use, against the policy and the entry's length.
    Accum,
    /// CPU_XSAVE: the components that are not in their initial state.
    XstateBv,
    /// CPU_XSAVE: the last word of the header, after which the end of the area is judged.
    XsaveEnd,
    /// CPU_MSR: the count against the entry's length.
    MsrCount,
    /// CPU_MSR: the index of an MSR.
    MsrIndex,
    /// CPU_MSR: the value of an MSR, by its index.
    MsrValue,
}
