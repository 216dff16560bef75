//! X86_CPUID_POLICY and X86_MSR_POLICY: what the hypervisor accepts, and what they say about the guest's processor.
//!
//! The policy bounds the registers of the guest's vcpus, because Xen gives the guest at most the features in the policy. A few
//! words of the policy are kept for the checks of registers. A leaf that is missing in the stream has Xen's own default, and
//! proves nothing.

use crate::observer::Observer;
use crate::rule::Rule;
use crate::targets::{Fact, HostDependency};
use crate::value::Value;
use crate::verifier::Verifier;
use crate::verify::Stop;
use crate::verify::flat::FieldValue;
use crate::wire::layout::PolicyHook;
use crate::wire::libxc::policy;
use crate::wire::{msr, records, xsave};

/// The most leaves that any release accepts: XCP-ng has room for one more than Xen.
const LEAVES_MAX: u64 = 121;
/// Largest basic leaf.
const BASIC_MAX: u32 = 0xD;
/// Largest subleaf of leaf 7, with XCP-ng's.
const FEATURES_MAX: u32 = 3;
/// Largest extended leaf.
const EXTENDED_MAX: u32 = 0x8000_0021;
/// First extended leaf.
const EXTENDED: u32 = 0x8000_0000;
/// Bits of an extended leaf that number it among them.
const EXTENDED_NUMBER: u32 = 0xFFFF;
/// Largest extended leaf without the fact E21.
const EXTENDED_OLD: u32 = 0x8000_001C;
/// `subleaf` of a leaf that has none.
const NO_SUBLEAF: u32 = u32::MAX;
/// The narrowest physical addresses that Xen assumes, without and with the feature PAE or PSE36.
const ADDRESS_BITS_MIN: [u32; 2] = [32, 36];
/// PAE or PSE36.
const WIDE_ADDRESSES: Need = Need::either((Word::Leaf1Edx, 6), (Word::Leaf1Edx, 17));
/// The feature XSAVE, which a guest has only with the leaf that describes it.
const XSAVE: (Word, u8) = (Word::Leaf1Ecx, 26);
const XSAVE_LEAF: u32 = 0xD;
/// The widest physical addresses of any processor, in bits.
pub(crate) const ADDRESS_BITS_MAX: u32 = 52;

/// A register of a leaf that the checks of a guest's registers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Word {
    Leaf1Ecx,
    Leaf1Edx,
    Leaf7Ebx,
    Leaf7Ecx,
    Leaf7Edx,
    Leaf7Sub1Eax,
    Leaf7Sub2Edx,
    LeafDSub1Eax,
    Extended1Ecx,
    Extended1Edx,
    Extended8Eax,
    Extended8Ebx,
    Extended21Eax,
    /// The lower half of the MSR of that name in X86_MSR_POLICY.
    PlatformInfo,
}

impl Word {
    /// Returns leaf, subleaf (0 if there is none) and register (0 for EAX to 3 for EDX) of a word of CPUID.
    const fn place(self) -> Option<(u32, u32, usize)> {
        Some(match self {
            Word::Leaf1Ecx => (1, 0, 2),
            Word::Leaf1Edx => (1, 0, 3),
            Word::Leaf7Ebx => (7, 0, 1),
            Word::Leaf7Ecx => (7, 0, 2),
            Word::Leaf7Edx => (7, 0, 3),
            Word::Leaf7Sub1Eax => (7, 1, 0),
            Word::Leaf7Sub2Edx => (7, 2, 3),
            Word::LeafDSub1Eax => (0xD, 1, 0),
            Word::Extended1Ecx => (0x8000_0001, 0, 2),
            Word::Extended1Edx => (0x8000_0001, 0, 3),
            Word::Extended8Eax => (0x8000_0008, 0, 0),
            Word::Extended8Ebx => (0x8000_0008, 0, 1),
            Word::Extended21Eax => (0x8000_0021, 0, 0),
            Word::PlatformInfo => return None,
        })
    }
}

const WORDS: usize = Word::PlatformInfo as usize + 1;

fn word_bit(word: Word) -> u16 {
    1u16.checked_shl(word as u32).unwrap_or(0)
}

/// A feature: a bit of a word, or one of two bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    one: (Word, u8),
    other: (Word, u8),
}

impl Need {
    pub(crate) const fn one(word: Word, bit: u8) -> Need {
        Need { one: (word, bit), other: (word, bit) }
    }

    pub(crate) const fn either(one: (Word, u8), other: (Word, u8)) -> Need {
        Need { one, other }
    }

    /// Returns whether a processor lacks the feature. `register` returns a register of its CPUID by leaf, subleaf and number.
    pub(crate) fn is_lacking(self, register: &impl Fn(u32, u32, usize) -> u32) -> bool {
        let is_clear = |(word, bit): (Word, u8)| {
            let value = word.place().map(|(leaf, subleaf, number)| register(leaf, subleaf, number));
            value.is_some_and(|value| value.checked_shr(u32::from(bit)).unwrap_or(0) & 1 == 0)
        };
        is_clear(self.one) && is_clear(self.other)
    }
}

/// Features of XSAVE, and what the policy must offer for each (`recalculate_xstate()` of Xen).
pub(crate) const XSAVE_NEEDS: [(u64, Need); 6] = [
    (xsave::X87 | xsave::SSE, Need::one(Word::Leaf1Ecx, 26)),
    (xsave::AVX, Need::one(Word::Leaf1Ecx, 28)),
    (xsave::MPX, Need::one(Word::Leaf7Ebx, 14)),
    (xsave::AVX512, Need::one(Word::Leaf7Ebx, 16)),
    (xsave::PKRU, Need::one(Word::Leaf7Ecx, 3)),
    (xsave::TILE, Need::one(Word::Leaf7Edx, 24)),
];

/// MSRs, and what the policy must offer for each (the MSR handlers of Xen).
const MSR_NEEDS: [(u32, Need); 10] = [
    (msr::SPEC_CTRL, Need::either((Word::Leaf7Edx, 26), (Word::Extended8Ebx, 14))),
    (msr::PKRS, Need::one(Word::Leaf7Ecx, 31)),
    (msr::BNDCFGS, Need::one(Word::Leaf7Ebx, 14)),
    (msr::VIRT_SPEC_CTRL, Need::one(Word::Extended8Ebx, 25)),
    (msr::DR0_ADDRESS_MASK, Need::one(Word::Extended1Ecx, 26)),
    (msr::DR1_ADDRESS_MASK, Need::one(Word::Extended1Ecx, 26)),
    (msr::DR1_ADDRESS_MASK + 1, Need::one(Word::Extended1Ecx, 26)),
    (msr::DR3_ADDRESS_MASK, Need::one(Word::Extended1Ecx, 26)),
    (msr::TSC_AUX, Need::either((Word::Extended1Edx, 27), (Word::Leaf7Ecx, 22))),
    (msr::XSS, Need::one(Word::LeafDSub1Eax, 3)),
];

/// Bits of MSRs, and what the policies must offer for each (`msr_spec_ctrl_valid_bits()` and `guest_wrmsr()` of Xen).
const MSR_BIT_NEEDS: [(u32, u64, Need); 6] = [
    (msr::SPEC_CTRL, 1 << 2, Need::either((Word::Leaf7Edx, 31), (Word::Extended8Ebx, 24))),
    (msr::SPEC_CTRL, msr::SPEC_CTRL_PSFD, Need::either((Word::Leaf7Sub2Edx, 0), (Word::Extended8Ebx, 28))),
    (msr::SPEC_CTRL, 3 << 3, Need::one(Word::Leaf7Sub2Edx, 1)),
    (msr::SPEC_CTRL, 3 << 5, Need::one(Word::Leaf7Sub2Edx, 2)),
    (msr::SPEC_CTRL, 1 << 10, Need::one(Word::Leaf7Sub2Edx, 4)),
    (msr::MISC_FEATURES_ENABLES, 1, Need::one(Word::PlatformInfo, 31)),
];

/// What the stream's policy says.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    leaf: u32,
    subleaf: u32,
    msr: u32,
    /// Whether Xen applies the record, which must not come too late.
    applies: bool,
    words: [u32; WORDS],
    /// The words that were read, as bits.
    known: u16,
    /// The end of each XSAVE component in the area of the saver's processor, by its number.
    xsave_ends: [u32; xsave::COMPONENTS],
    xsave_known: u32,
    /// The first leaf, subleaf of leaf 7, and extended leaf beyond the largest that the policy names. Xen zeroes these and all
    /// higher ones, including its own defaults (`x86_cpu_policy_clear_out_of_range_leaves()`).
    basic_end: Option<u32>,
    features_end: Option<u32>,
    extended_end: Option<u32>,
}

impl State {
    /// Returns whether the policy says that the guest lacks a feature.
    pub(crate) fn lacks(&self, need: Need) -> bool {
        self.is_clear(need.one) && self.is_clear(need.other)
    }

    fn is_clear(&self, (word, bit): (Word, u8)) -> bool {
        let has_no_leaf = (word, bit) == XSAVE && is_beyond(XSAVE_LEAF, self.basic_end);
        has_no_leaf
            || self.word(word).is_some_and(|word| word.checked_shr(u32::from(bit)).unwrap_or(0) & 1 == 0)
    }

    fn word(&self, word: Word) -> Option<u32> {
        if self.is_zeroed(word) {
            return Some(0);
        }
        let known = self.known & word_bit(word) != 0;
        self.words.get(word as usize).copied().filter(|_| known)
    }

    /// Returns whether the word belongs to a leaf beyond the largest.
    fn is_zeroed(&self, word: Word) -> bool {
        let features = |subleaf| is_beyond(7, self.basic_end) || is_beyond(subleaf, self.features_end);
        match word {
            Word::Leaf1Ecx | Word::Leaf1Edx => is_beyond(1, self.basic_end),
            Word::Leaf7Ebx | Word::Leaf7Ecx | Word::Leaf7Edx => features(0),
            Word::Leaf7Sub1Eax => features(1),
            Word::Leaf7Sub2Edx => features(2),
            Word::LeafDSub1Eax => is_beyond(XSAVE_LEAF, self.basic_end),
            Word::Extended1Ecx | Word::Extended1Edx => is_beyond(0x1, self.extended_end),
            Word::Extended8Eax | Word::Extended8Ebx => is_beyond(0x8, self.extended_end),
            Word::Extended21Eax => is_beyond(0x21, self.extended_end),
            Word::PlatformInfo => false,
        }
    }

    fn note(&mut self, word: Word, value: u32) {
        if let Some(slot) = self.words.get_mut(word as usize) {
            *slot = value;
            self.known |= word_bit(word);
        }
    }

    /// Whether the policy says that the guest does not have an MSR.
    pub(crate) fn lacks_msr(&self, index: u32) -> bool {
        MSR_NEEDS.iter().any(|(of, need)| *of == index && self.lacks(*need))
    }

    /// Bits that some release takes in an MSR, without those of features that the policies say the guest does not have.
    pub(crate) fn msr_bits(&self, index: u32) -> u64 {
        MSR_BIT_NEEDS
            .iter()
            .filter(|(of, _, need)| *of == index && self.lacks(*need))
            .fold(msr::bits(index), |bits, (_, lacking, _)| bits & !lacking)
    }

    /// Returns the greatest width of physical addresses in bits, if the policy says so.
    pub(crate) fn address_bits(&self) -> Option<u32> {
        let [narrow, wide] = ADDRESS_BITS_MIN;
        let least = if self.lacks(WIDE_ADDRESSES) { narrow } else { wide };
        self.word(Word::Extended8Eax).map(|eax| (eax & 0xFF).clamp(least, ADDRESS_BITS_MAX))
    }

    /// Returns the size in bytes of an XSAVE area with these features, if it is known.
    pub(crate) fn xsave_size(&self, features: u64) -> Option<u64> {
        let mut size = xsave::LEGACY;
        for (component, end) in (0..xsave::COMPONENTS as u32).zip(&self.xsave_ends).skip(2) {
            if features.checked_shr(component).unwrap_or(0) & 1 != 0 {
                if self.xsave_known.checked_shr(component).unwrap_or(0) & 1 == 0 {
                    return None;
                }
                size = size.max(u64::from(*end));
            }
        }
        Some(size)
    }
}

/// Returns whether a leaf is beyond the largest one, if that is known.
fn is_beyond(leaf: u32, end: Option<u32>) -> bool {
    end.is_some_and(|end| leaf >= end)
}

impl Verifier {
    /// Begins X86_CPUID_POLICY. A second one replaces the first, unless it comes too late to be applied.
    pub(crate) fn cpuid_start(&mut self) {
        self.policies.applies = !self.static_data_ended();
        if self.policies.applies {
            let platform_info = self.policies.word(Word::PlatformInfo);
            self.policies = State { applies: true, ..State::default() };
            if let Some(platform_info) = platform_info {
                self.policies.note(Word::PlatformInfo, platform_info);
            }
        }
        self.flat_body(&records::CPUID_POLICY);
    }

    /// Begins X86_MSR_POLICY. A second one replaces the first, unless it comes too late to be applied.
    pub(crate) fn msr_policy_start(&mut self) {
        self.policies.applies = !self.static_data_ended();
        if self.policies.applies {
            self.policies.known &= !word_bit(Word::PlatformInfo);
        }
        self.flat_body(&records::MSR_POLICY);
    }

    /// Judges the number of leaves, for which Xen has limited room.
    pub(crate) fn cpuid_count<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        length: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        let leaves = length / policy::CPUID_LEAF;
        if leaves > LEAVES_MAX {
            self.flag(Rule::LibxcCpuidPolicyCount, at, leaves, LEAVES_MAX, o)?;
        }
        Ok(())
    }

    /// Judges the number of MSRs, for which Xen has limited room, more in newer releases.
    pub(crate) fn msr_policy_count<O: Observer + ?Sized>(
        &mut self,
        at: u64,
        length: u64,
        o: &mut O,
    ) -> Result<(), Stop> {
        match length / policy::MSR {
            0 | policy::MSRS_OLD => Ok(()),
            policy::MSRS_MAX => self.flag_fact(Fact::Msr2, at, policy::MSRS_MAX, policy::MSRS_OLD, o),
            count => self.flag(Rule::LibxcMsrPolicyCount, at, count, policy::MSRS_MAX, o),
        }
    }

    /// Runs the hand-written checks of policies.
    #[inline(never)]
    pub(crate) fn policy_hook<O: Observer + ?Sized>(
        &mut self,
        hook: PolicyHook,
        field: FieldValue,
        o: &mut O,
    ) -> Result<(), Stop> {
        // Xen never sees a policy that comes after the static data.
        if !self.policies.applies {
            return Ok(());
        }
        let FieldValue { value, at, .. } = field;
        let register = value as u32;
        match hook {
            PolicyHook::Leaf => self.cpuid_leaf(at, register, o),
            PolicyHook::Subleaf => self.cpuid_subleaf(at, register, o),
            PolicyHook::Eax => self.cpuid_eax(at, register, o),
            PolicyHook::Ebx => {
                self.policy_note(register, |leaf, subleaf| match (leaf, subleaf) {
                    (7, 0) => Some(Word::Leaf7Ebx),
                    (0x8000_0008, _) => Some(Word::Extended8Ebx),
                    _ => None,
                });
                // The offset of a component follows its size.
                let component = self.policies.subleaf;
                if self.policies.leaf == 0xD && component > 1 {
                    self.xsave_component(component, register);
                }
                Ok(())
            }
            PolicyHook::Ecx => {
                self.policy_note(register, |leaf, subleaf| match (leaf, subleaf) {
                    (1, _) => Some(Word::Leaf1Ecx),
                    (7, 0) => Some(Word::Leaf7Ecx),
                    (0x8000_0001, _) => Some(Word::Extended1Ecx),
                    _ => None,
                });
                Ok(())
            }
            PolicyHook::Edx => {
                self.policy_note(register, |leaf, subleaf| match (leaf, subleaf) {
                    (1, _) => Some(Word::Leaf1Edx),
                    (7, 0) => Some(Word::Leaf7Edx),
                    (7, 2) => Some(Word::Leaf7Sub2Edx),
                    (0x8000_0001, _) => Some(Word::Extended1Edx),
                    _ => None,
                });
                Ok(())
            }
            PolicyHook::MsrIndex => self.msr_policy_index(at, register, o),
            PolicyHook::MsrValue => self.msr_policy_value(at, value, o),
        }
    }

    fn policy_note(&mut self, value: u32, word: impl Fn(u32, u32) -> Option<Word>) {
        if let Some(word) = word(self.policies.leaf, self.policies.subleaf) {
            self.policies.note(word, value);
        }
    }

    fn xsave_component(&mut self, component: u32, offset: u32) {
        if let Some(end) = self.policies.xsave_ends.get_mut(component as usize) {
            *end = end.saturating_add(offset);
            self.policies.xsave_known |= 1u32.checked_shl(component).unwrap_or(0);
        }
    }

    fn cpuid_leaf<O: Observer + ?Sized>(&mut self, at: u64, leaf: u32, o: &mut O) -> Result<(), Stop> {
        self.policies.leaf = leaf;
        if subleaves(leaf).is_none() {
            self.flag(Rule::LibxcCpuidPolicyLeaf, at, u64::from(leaf), Value::None, o)?;
        } else if leaf > EXTENDED_OLD {
            self.flag_fact(Fact::E21, at, u64::from(leaf), u64::from(EXTENDED_OLD), o)?;
        }
        Ok(())
    }

    fn cpuid_subleaf<O: Observer + ?Sized>(&mut self, at: u64, subleaf: u32, o: &mut O) -> Result<(), Stop> {
        let leaf = self.policies.leaf;
        self.policies.subleaf = subleaf;
        let found = u64::from(subleaf);
        match subleaves(leaf) {
            Some(0) if subleaf != NO_SUBLEAF => {
                self.flag(Rule::LibxcCpuidPolicyLeaf, at, found, u64::from(NO_SUBLEAF), o)?;
            }
            Some(count) if count > 0 && subleaf >= count => {
                self.flag(Rule::LibxcCpuidPolicyLeaf, at, found, u64::from(count), o)?;
            }
            _ => {}
        }
        match (leaf, subleaf) {
            // Some releases compare the vendor or the highest leaf with the host's.
            (0, _) => {
                self.flag_fact(Fact::Vendor, at, 0, 0, o)?;
                self.flag_fact(Fact::Leaf, at, 0, 0, o)?;
                self.depends_on(HostDependency::Features);
            }
            (7, 2) => self.flag_fact(Fact::L72, at, 2, 1, o)?,
            (7, 3) => self.flag_fact(Fact::L73, at, 3, 2, o)?,
            _ => {}
        }
        Ok(())
    }

    /// Judges leaves that name the largest leaf, beyond which Xen has no room.
    fn cpuid_eax<O: Observer + ?Sized>(&mut self, at: u64, eax: u32, o: &mut O) -> Result<(), Stop> {
        let (largest, end) = match (self.policies.leaf, self.policies.subleaf) {
            (0, _) => (BASIC_MAX, &mut self.policies.basic_end),
            (7, 0) => (FEATURES_MAX, &mut self.policies.features_end),
            (EXTENDED, _) => (EXTENDED_MAX, &mut self.policies.extended_end),
            (7, 1) => {
                self.policy_note(eax, |_, _| Some(Word::Leaf7Sub1Eax));
                return Ok(());
            }
            (0xD, 1) => {
                self.policy_note(eax, |_, _| Some(Word::LeafDSub1Eax));
                return Ok(());
            }
            (0x8000_0008, _) => {
                self.policy_note(eax, |_, _| Some(Word::Extended8Eax));
                return Ok(());
            }
            (0x8000_0021, _) => {
                self.policy_note(eax, |_, _| Some(Word::Extended21Eax));
                return Ok(());
            }
            (0xD, component) if component > 1 => {
                if let Some(end) = self.policies.xsave_ends.get_mut(component as usize) {
                    *end = eax;
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        // The range starts at this number plus one. For all ones that is the whole range, and Xen refuses nothing.
        let number = if self.policies.leaf == EXTENDED { eax & EXTENDED_NUMBER } else { eax };
        *end = Some(number.wrapping_add(1));
        let wraps = eax == u32::MAX && self.policies.leaf != EXTENDED;
        if eax > largest && !wraps {
            self.flag(Rule::LibxcCpuidPolicyMax, at, u64::from(eax), u64::from(largest), o)?;
        }
        match (self.policies.leaf, eax) {
            (7, 2) => self.flag_fact(Fact::L7Sub2, at, u64::from(eax), 1, o),
            (7, 3..=FEATURES_MAX) => self.flag_fact(Fact::L7Max, at, u64::from(eax), 2, o),
            _ => Ok(()),
        }
    }

    fn msr_policy_index<O: Observer + ?Sized>(&mut self, at: u64, index: u32, o: &mut O) -> Result<(), Stop> {
        self.policies.msr = index;
        match index {
            msr::PLATFORM_INFO => Ok(()),
            msr::ARCH_CAPABILITIES => self.flag_fact(Fact::Msr2, at, u64::from(index), 0, o),
            _ => self.flag(Rule::LibxcMsrPolicyIndex, at, u64::from(index), Value::None, o),
        }
    }

    fn msr_policy_value<O: Observer + ?Sized>(&mut self, at: u64, value: u64, o: &mut O) -> Result<(), Stop> {
        let index = self.policies.msr;
        let allowed = msr::bits(index);
        if value & !allowed != 0 {
            return self.flag(Rule::LibxcMsrPolicyValue, at, value, allowed, o);
        }
        if index == msr::PLATFORM_INFO {
            self.policies.note(Word::PlatformInfo, value as u32);
        }
        if index == msr::ARCH_CAPABILITIES && value > u64::from(u32::MAX) {
            self.flag_fact(Fact::Ac64, at, value, u64::from(u32::MAX), o)?;
        }
        Ok(())
    }
}

/// Returns the most subleaves that a leaf may have (`x86_cpuid_copy_from_buffer()` of Xen), 0 if it has none, or `None` if no
/// release accepts the leaf.
fn subleaves(leaf: u32) -> Option<u32> {
    match leaf {
        0x4 => Some(6),
        // XCP-ng has one more than Xen.
        0x7 => Some(4),
        0xB => Some(2),
        0xD => Some(63),
        0x0..=BASIC_MAX | 0x4000_0000 | 0x4000_0100 | EXTENDED..=EXTENDED_MAX => Some(0),
        _ => None,
    }
}
