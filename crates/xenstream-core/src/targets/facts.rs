//! Changes between releases of Xen: one row for each change that affects which streams are accepted.
//!
//! A row lists the point release of each branch since which the fact holds. An unlisted branch between two listed ones
//! lacks the fact; every branch after the last listed one has it.

use core::fmt;
use core::str::FromStr;

use crate::policy::{Level, Profile};
use crate::rule::{Grade, Rule};
use crate::targets::HostDependency;
use crate::violation::Layer;

/// Which releases refuse a stream that depends on a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "closed: a change accepts more or less")]
pub enum Polarity {
    /// Releases with the fact accept more. Those without it refuse the stream.
    Accepts,
    /// Releases with the fact accept less. Those with it refuse the stream.
    Refuses,
}

impl Polarity {
    /// The polarity in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Polarity::Accepts => "accepts",
            Polarity::Refuses => "refuses",
        }
    }
}

/// The row of one fact.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FactEntry {
    /// The name, in upper case.
    pub name: &'static str,
    /// Which releases refuse.
    pub polarity: Polarity,
    /// `(minor, point)` of the first release of each branch that has the fact, ascending. Empty if only a vendor has it.
    pub since: &'static [(u8, u8)],
    /// Strictness without a target, under [`Profile::Spec`], [`Profile::Restore`] and [`Profile::Hardened`].
    pub(crate) grades: [Grade; 3],
    /// The rules of findings: one for HVM_CONTEXT and, if there is a second, one for other records. Empty if no stream
    /// reveals the fact.
    pub rules: &'static [Rule],
    /// What the fact depends on besides the stream and the release. Such a fact never refuses a stream.
    pub host: Option<HostDependency>,
    /// The commit of Xen that introduced it.
    pub commit: &'static str,
    /// What changed.
    pub title: &'static str,
    /// What to do about a stream that a release refuses because of the fact.
    pub advice: &'static str,
}

/// Builds the `Fact` enum and its table from the rows.
macro_rules! facts {
    ($(
        $variant:ident $name:literal $polarity:ident $spec:ident $restore:ident $hardened:ident
        since: $since:expr,
        rules: [$($rule:ident),*],
        $(host: $host:ident,)?
        commit: $commit:literal,
        title: $title:literal,
        advice: $advice:literal,
    )*) => {
        /// A change between releases of Xen that decides which streams are taken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Fact {
            $(#[doc = concat!("`", $name, "`: ", $title, ".")] $variant,)*
        }

        pub(super) const ALL: &[Fact] = &[$(Fact::$variant,)*];

        pub(super) static ENTRIES: [FactEntry; ALL.len()] = [$(FactEntry {
            name: $name,
            polarity: Polarity::$polarity,
            since: &$since,
            grades: [facts!(@grade $spec), facts!(@grade $restore), facts!(@grade $hardened)],
            rules: &[$(Rule::$rule),*],
            host: facts!(@host $($host)?),
            commit: $commit,
            title: $title,
            advice: $advice,
        },)*];
    };
    (@grade D) => { Grade::Deny };
    (@grade W) => { Grade::Warn };
    (@grade A) => { Grade::Allow };
    (@host) => { None };
    (@host $host:ident) => { Some(HostDependency::$host) };
}

facts! {
    // Releases that have these take more.
    V3 "V3" Accepts A A A
        since: [(14, 0)],
        rules: [LibxcVersion3],
        commit: "6501e46ca7",
        title: "libxc streams may have version 3, STATIC_DATA_END and CPU policies",
        advice: "Restore it on a newer release; writing the stream as version 2 loses the CPU policies, so that is safe only between hosts with the same processor",
    Rtc24 "RTC24" Accepts A A A
        since: [(14, 0)],
        rules: [HvmRtcLength],
        commit: "105b06fc7e",
        title: "an RTC entry may have up to 24 bytes instead of exactly 16",
        advice: "Restore it on a newer release, or truncate the entry to 16 bytes, which loses the guest's clock offset; the toolstack usually sets it anyway",
    Lapic32 "LAPIC32" Accepts A A A
        since: [(18, 5), (19, 2), (20, 1), (21, 0)],
        rules: [HvmLapicLength],
        commit: "b28b590d4a",
        title: "a LAPIC entry may have up to 32 bytes instead of 24",
        advice: "Restore it on a newer point release, or truncate the entry to 24 bytes, which loses nothing if the last 8 are zero",
    Msr2 "MSR2" Accepts A A A
        since: [(13, 2), (14, 1), (15, 0)],
        rules: [LibxcMsrPolicyCount],
        commit: "ac4ec487e0",
        title: "X86_MSR_POLICY may hold a second MSR, ARCH_CAPABILITIES",
        advice: "Restore it on a newer point release, or drop the entry of MSR 0x10a, which loses nothing if its value is 0",
    L72 "L72" Accepts A A A
        since: [(14, 5), (15, 3), (16, 1), (17, 0)],
        rules: [LibxcCpuidPolicyLeaf],
        commit: "f3709b15fc",
        title: "CPUID leaf 7 may have subleaf 2",
        advice: "Restore it on a newer point release, or drop the subleaf and lower the limit in subleaf 0: the guest sees other processor features",
    L73 "L73" Accepts A A A
        since: [],
        rules: [LibxcCpuidPolicyLeaf],
        commit: "patch of XCP-ng and XenServer",
        title: "CPUID leaf 7 may have subleaf 3",
        advice: "Restore it on XCP-ng or XenServer, or drop the subleaf and lower the limit in subleaf 0: the guest sees other processor features",
    E21 "E21" Accepts A A A
        since: [(14, 5), (15, 3), (16, 0)],
        rules: [LibxcCpuidPolicyLeaf],
        commit: "e9b4fe2636",
        title: "CPUID may have leaves 0x8000001d to 0x80000021",
        advice: "Restore it on a newer point release, or drop the leaves and lower the limit in leaf 0x80000000: the guest sees other processor features",
    Ac64 "AC64" Accepts A A A
        since: [(14, 6), (15, 5), (16, 5), (17, 2), (18, 0)],
        rules: [LibxcMsrPolicyValue],
        commit: "d9fe459ffa",
        title: "ARCH_CAPABILITIES in the policy may have 64 bits instead of 32",
        advice: "Restore it on a newer point release; clearing the high half makes the guest apply unnecessary mitigations",
    Leaf "LEAF" Accepts A A A
        since: [(18, 4), (19, 1), (20, 0)],
        rules: [],
        host: MaxLeaf,
        commit: "fa2d831803",
        title: "the highest CPUID leaf of a policy may exceed the host's",
        advice: "Restore it on a host whose processor has at least as many CPUID leaves, or on a newer release",
    Vsc "VSC" Accepts A A A
        since: [(17, 0)],
        rules: [HvmMsrIndex],
        commit: "8ffd5496f4",
        title: "a CPU_MSR entry may hold VIRT_SPEC_CTRL (0xc001011f)",
        advice: "Restore it on a newer release; without the MSR, the guest loses a mitigation that it has enabled",
    Pkrs "PKRS" Accepts A A A
        since: [(18, 0)],
        rules: [HvmMsrIndex],
        commit: "59bbbb823d",
        title: "a CPU_MSR entry may hold PKRS (0x6e1)",
        advice: "Restore it on a newer release; without the MSR, the guest loses memory protection",
    Psfd "PSFD" Accepts A A A
        since: [(14, 5), (15, 3), (16, 1), (17, 0)],
        rules: [HvmMsrValue],
        commit: "969a57f73f",
        title: "SPEC_CTRL may have bit 7, PSFD",
        advice: "Restore it on a newer point release; without the bit, the guest loses a mitigation that it has enabled",
    Bhi "BHI" Accepts A A A
        since: [(15, 6), (16, 6), (17, 4), (18, 2), (19, 0)],
        rules: [HvmMsrValue],
        commit: "fixes for XSA-456, April 2024",
        title: "SPEC_CTRL may have bits 3 to 6 and 10",
        advice: "Restore it on a newer point release; without the bits, the guest loses a mitigation that it has enabled",
    Aibrs "AIBRS" Accepts A A A
        since: [(18, 0)],
        rules: [HvmCpuEfer],
        commit: "between 4.17 and 4.18",
        title: "EFER may have bit 21, AutoIBRS",
        advice: "Restore it on a newer release",
    Cet "CET" Accepts A A A
        since: [(16, 0)],
        rules: [HvmCpuCr4],
        commit: "between 4.15 and 4.16",
        title: "CR4 may have bit 23, CET",
        advice: "Restore it on a newer release",
    Pks "PKS" Accepts A A A
        since: [(18, 0)],
        rules: [HvmCpuCr4],
        commit: "59bbbb823d",
        title: "CR4 may have bit 24, PKS",
        advice: "Restore it on a newer release",
    Lass "LASS" Accepts A A A
        since: [(22, 0)],
        rules: [HvmCpuCr4],
        commit: "between 4.21 and 4.22",
        title: "CR4 may have bit 27, LASS",
        advice: "Restore it on a newer release",
    Amx "AMX" Accepts A A A
        since: [(20, 0)],
        rules: [HvmXsaveState, PvXsaveState],
        commit: "e3b5440012",
        title: "XSAVE state may have components 17 and 18, AMX tiles",
        advice: "Restore it on a newer release",
    Vir13 "VIR13" Accepts A A A
        since: [(15, 0)],
        rules: [LibxcHvmParamsRefused],
        commit: "948719f3bf",
        title: "HVM parameter 9 may have Viridian bits 10 to 12",
        advice: "Restore it on a newer release, because the guest relies on the features",
    Tsc64 "TSC64" Accepts W W D
        since: [(16, 4), (17, 1), (18, 0)],
        rules: [LibxcTscInfoKhz],
        commit: "ad15a0a8ca",
        title: "any TSC frequency is safe; without the fact, a multiple of 2^29 kHz hangs the host",
        advice: "Restore it on a newer release; no saver writes such a frequency, so find out where the image comes from",

    Pfn31 "PFN31" Accepts A A A
        since: [(15, 0)],
        rules: [LibxcPageDataPfnLimit],
        commit: "between 4.14 and 4.15",
        title: "pfns may be 2^30 and above; without the fact, the restorer's bitmap overflows, and from 2^31 it is freed twice",
        advice: "Restore it on a newer release; a guest of less than 4 TiB has no such pfn, so find out where the image comes from",

    L7Sub2 "L7SUB2" Accepts A A A
        since: [(13, 0), (14, 0), (15, 3), (16, 1), (17, 0)],
        rules: [LibxcCpuidPolicyMax],
        commit: "f3709b15fc",
        title: "the highest subleaf of CPUID leaf 7 may be 2",
        advice: "Restore it on a newer point release, or lower the limit in subleaf 0: the guest sees other processor features",

    // Releases that have these take less.
    Cr3w "CR3W" Refuses W D D
        since: [(14, 0)],
        rules: [HvmCpuCr3],
        commit: "80872597e6",
        title: "CR3 may not exceed the width of a physical address",
        advice: "The register is damaged: save the guest again",
    Vma "VMA" Refuses W D D
        since: [(13, 1), (14, 0)],
        rules: [PvVmAssist],
        commit: "a62c6fe05c",
        title: "vm_assist of a PV guest must have only known bits",
        advice: "The field is damaged: save the guest again",
    Dr32 "DR32" Refuses W W D
        since: [(18, 0)],
        rules: [HvmCpuDebug, PvDebug],
        commit: "15987cb03f",
        title: "DR6 and DR7 must fit 32 bits, and a PV guest's DR0 to DR3 must hold its own addresses",
        advice: "Clear the high halves of DR6 and DR7: the hardware has no such bits",
    Gdt16 "GDT16" Refuses W D D
        since: [(14, 0)],
        rules: [PvGdtCount],
        commit: "ded6e9d514",
        title: "gdt_ents of a PV guest is checked in all its bits",
        advice: "The field is damaged: save the guest again",
    Pv32Vm "PV32VM" Refuses W W D
        since: [(21, 1), (22, 0)],
        rules: [PvEflagsVm],
        commit: "dbd936248f",
        title: "EFLAGS of a 32-bit PV guest may not have bit 17, VM",
        advice: "Clear the bit: the guest cannot run in that mode under a 64-bit Xen",
    PicChk "PICCHK" Refuses W W D
        since: [(19, 0)],
        rules: [HvmPicState],
        commit: "69c89dd787",
        title: "the values of a PIC entry are checked",
        advice: "Save the guest again; no release since 4.16 writes such values",
    PicInit "PICINIT" Refuses W W W
        since: [(19, 0)],
        rules: [HvmPicInit],
        commit: "69c89dd787",
        title: "a PIC whose output is asserted during an initialisation sequence is refused",
        advice: "Set int_output to 0: Xen recomputes it, so the guest does not notice",
    PitChk "PITCHK" Refuses W W D
        since: [(19, 0)],
        rules: [HvmPitState],
        commit: "c53013da6f",
        title: "the values of the PIT entry are checked",
        advice: "The entry is damaged: save the guest again",
    LinkPad "LINKPAD" Refuses W W D
        since: [(19, 0)],
        rules: [HvmPciLinkPad],
        commit: "7a3bd1cbc4",
        title: "the padding of the PCI_LINK entry must be zero",
        advice: "Zero the padding: nothing is lost",
    TilePair "TILEPAIR" Refuses W W D
        since: [(19, 0)],
        rules: [HvmXsaveState],
        commit: "e3b5440012",
        title: "XSAVE components 17 and 18 must come together",
        advice: "The state is damaged: save the guest again",
    Altp2m "ALTP2M" Refuses W W D
        since: [(19, 0)],
        rules: [LibxcHvmParamsRefused],
        commit: "0291089f6e",
        title: "HVM parameter 35 (ALTP2M) may not be set",
        advice: "Drop the parameter if its value is 0",
    Nest "NEST" Refuses W W D
        since: [(15, 0)],
        rules: [LibxcHvmParamsRefused],
        commit: "f5bdb4aaa1",
        title: "HVM parameter 24 (NESTEDHVM) may not be set",
        advice: "Drop the parameter if its value is 0",
    Vmxe "VMXE" Refuses A A A
        since: [(15, 0)],
        rules: [],
        host: NestedVirt,
        commit: "between 4.14 and 4.15",
        title: "CR4.VMXE requires nested virtualisation to be configured",
        advice: "Configure nested virtualisation for the guest on the restoring host",
    L7Max "L7MAX" Refuses A A A
        since: [(15, 0)],
        rules: [LibxcCpuidPolicyMax],
        commit: "e6e85b662b",
        title: "the highest subleaf of CPUID leaf 7 is at most 2",
        advice: "Restore it on XCP-ng or XenServer, or lower the limit in subleaf 0: Xen has no subleaf above 2",
    Vendor "VENDOR" Refuses A A A
        since: [(22, 0)],
        rules: [],
        host: Vendor,
        commit: "c520286a53",
        title: "the CPU vendor in the policy must be the host's",
        advice: "Restore it on a host with a processor of the same vendor",
    NoVir "NOVIR" Refuses A A A
        since: [(22, 0)],
        rules: [],
        host: Viridian,
        commit: "43c1c49b00",
        title: "Xen may be built without Viridian support",
        advice: "Restore it on a Xen that was built with Viridian support",
    Qtrad "QTRAD" Refuses W W W
        since: [(21, 0)],
        rules: [LibxlEmulatorTraditional],
        commit: "19ab8356ab",
        title: "qemu-traditional was removed",
        advice: "Restore it on an older release: no other device model can load the state",
}

const _: () = assert!(ALL.len() <= 64, "a fact is a bit of a u64");

impl Fact {
    /// How many facts there are.
    pub const COUNT: usize = ALL.len();

    /// Every fact, those that make releases take more first.
    pub fn all() -> impl ExactSizeIterator<Item = Fact> + Clone {
        ALL.iter().copied()
    }

    /// The fact's row.
    #[must_use]
    pub const fn entry(self) -> &'static FactEntry {
        &ENTRIES[self as usize]
    }

    /// The fact's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// Whether a release that refuses for this fact does so on some hosts or under some configurations only.
    #[must_use]
    pub const fn depends_on_host(self) -> bool {
        self.entry().host.is_some()
    }

    /// Whether the branch `4.minor` has the fact in its release `point`.
    #[must_use]
    pub const fn holds_in(self, minor: u8, point: u8) -> bool {
        let since = self.entry().since;
        let mut i = since.len();
        while i > 0 {
            i -= 1;
            let (branch, first) = since[i];
            if minor == branch {
                return point >= first;
            }
            if minor > branch {
                return i + 1 == since.len();
            }
        }
        false
    }

    /// The rule of a finding in a record of this layer.
    pub(crate) fn rule_in(self, layer: Option<Layer>) -> Option<Rule> {
        let rules = self.entry().rules;
        let in_chain = layer == Some(Layer::Hvm);
        rules.iter().find(|rule| (rule.layer() == Layer::Hvm) == in_chain).or(rules.first()).copied()
    }

    /// The level of a stream that shows the fact, without a target.
    pub(crate) fn level(self, profile: Profile) -> Level {
        self.entry().grades.get(profile as usize).map_or(Level::Allow, |grade| grade.level())
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No fact has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no fact has this name")]
#[non_exhaustive]
pub struct UnknownFact;

impl FromStr for Fact {
    type Err = UnknownFact;

    /// Finds a fact by its name, in upper or lower case.
    fn from_str(name: &str) -> Result<Fact, UnknownFact> {
        Fact::all().find(|fact| fact.name().eq_ignore_ascii_case(name)).ok_or(UnknownFact)
    }
}

/// A set of facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FactSet(u64);

impl FactSet {
    /// The set without facts.
    pub const EMPTY: FactSet = FactSet(0);

    /// The facts of one polarity that decide without the host.
    pub(super) const fn sure(polarity: Polarity) -> FactSet {
        let mut set = FactSet::EMPTY;
        let mut i = 0;
        while i < ALL.len() {
            if ENTRIES[i].polarity as u8 == polarity as u8 && !ALL[i].depends_on_host() {
                set = set.with(ALL[i]);
            }
            i += 1;
        }
        set
    }

    /// The set and this fact.
    #[must_use]
    pub const fn with(self, fact: Fact) -> FactSet {
        FactSet(self.0 | 1 << fact as u8)
    }

    /// Whether the fact is in the set.
    #[must_use]
    pub const fn contains(self, fact: Fact) -> bool {
        self.0 >> fact as u8 & 1 != 0
    }

    /// Whether the set has no fact.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one of the facts that make releases take more is in `self` and not in `facts`, or one of those that make
    /// them take less is in both.
    pub(super) const fn is_refused_with(self, facts: FactSet) -> bool {
        const ACCEPTING: u64 = FactSet::sure(Polarity::Accepts).0;
        const REFUSING: u64 = FactSet::sure(Polarity::Refuses).0;
        self.0 & (ACCEPTING & !facts.0 | REFUSING & facts.0) != 0
    }

    /// The facts in the set, in the table's order.
    pub fn iter(self) -> impl Iterator<Item = Fact> + Clone {
        Fact::all().filter(move |fact| self.contains(*fact))
    }
}
