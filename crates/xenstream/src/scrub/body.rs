//! What is blanked inside a record's body, step by step: each body is walked by what its type says is in it, and what
//! the walk does not know to be structure becomes zero. Lengths and counts that contradict one another end the walk.

mod chain;
mod text;

use xenstream_core::wire::libxc::{self, page, params, policy, types, vcpu};
use xenstream_core::wire::{Order, libxl, xenopsd};
use xenstream_core::{Guest, Layer, Record};

use self::chain::Chain;
use self::text::{Pairs, Text};
use crate::scrub::Scrub;

/// Opaque state that is longer than this is no vcpu's.
const XSAVE_MAX: u64 = 64 << 10;

/// More leaves, MSRs or parameters than this no Xen has, by far.
const ENTRIES_MAX: u64 = 1024;

/// Text that is longer than the longest configuration that a verifier takes is blanked without being looked at.
const TEXT_MAX: u64 = 16 << 20;

/// What stands for an octet that must not be what it is, so that it is still wrong.
pub(super) const WRONG: u8 = 1;

/// What to do with the next octets of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// They stay.
    Keep(u64),
    /// They become zero, whatever they are.
    Zero(u64),
    /// They are changed in place, in whatever pieces they come.
    Mask(u64),
    /// They are needed together.
    Unit(u64),
    /// They are kept back until it is known whether they may stay.
    Hold(u64),
    /// There are no more.
    Done,
}

/// What the stream's headers and earlier records say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    pub(super) libxl: Order,
    pub(super) libxc: Order,
    pub(super) guest: Option<Guest>,
    /// Width of a PV guest in octets.
    pub(super) wide: bool,
    /// Memory may come: policies should not.
    pub(super) static_data_ended: bool,
}

/// A walk through a body.
#[derive(Debug)]
pub(super) struct Walk {
    what: Scrub,
    left: u64,
    at: At,
}

/// Where a walk is.
#[derive(Debug)]
enum At {
    Keep,
    /// So many octets stay, and nothing behind them.
    First(u64),
    Zero,
    /// Count and reserved word of PAGE_DATA.
    Pages(Order),
    Entries(Entries),
    P2m(Order, bool),
    ParamsHeader(Order),
    Params(Order),
    Leaves {
        order: Order,
        late: bool,
    },
    Msrs,
    Vcpu(u32),
    ExtendedId,
    VcpuMsrs,
    Chain(Chain),
    Emulator(u32),
    EmulatorState,
    Pairs(Pairs),
    ConfigLength(Order, Text),
    Text(Text, u64),
    LongText(Text, u64),
}

/// The entries of PAGE_DATA, which say whether there are as many pages as they announce.
#[derive(Debug)]
struct Entries {
    order: Order,
    /// Octets of the body, header included.
    length: u64,
    /// Octets of entries that are still to come.
    left: u64,
    count: u64,
    with_data: u64,
    torn: [u8; 8],
    have: usize,
}

impl Walk {
    /// A walk through the body of a record of libxl, libxc or xenopsd.
    pub(super) fn record(what: Scrub, record: &Record, context: &Context) -> Walk {
        let kind = u32::try_from(record.kind).unwrap_or(u32::MAX);
        let at = match record.layer {
            Layer::Libxl => libxl_body(kind),
            Layer::Libxc => libxc_body(kind, record.body_length, context),
            Layer::Xenopsd => xenopsd_body(what, record),
            _ => At::Zero,
        };
        Walk { what, left: record.body_length, at }
    }

    /// A walk through the optional data of an xl header.
    pub(super) fn optional_data(what: Scrub, length: u64, order: Order, is_json: bool) -> Walk {
        let text = if is_json { Text::Json } else { Text::Plain };
        Walk { what, left: length, at: At::ConfigLength(order, text) }
    }

    /// A walk through the XML of a libvirt header.
    pub(super) fn xml(what: Scrub, length: u64) -> Walk {
        Walk { what, left: length, at: text_of(Text::Xml, length) }
    }

    /// What comes next.
    pub(super) fn step(&self) -> Step {
        if self.left == 0 {
            return Step::Done;
        }
        let unit = |n: u64| if n <= self.left { Step::Unit(n) } else { Step::Zero(self.left) };
        match &self.at {
            At::Keep => Step::Keep(self.left),
            At::First(n) => Step::Keep((*n).min(self.left)),
            At::Zero => Step::Zero(self.left),
            At::Pages(_) => unit(page::HEADER),
            At::Entries(entries) => Step::Hold(entries.left),
            At::P2m(..) => unit(libxc::p2m::HEADER),
            At::ParamsHeader(_) => unit(params::HEADER),
            At::Params(_) => unit(params::ENTRY),
            At::Leaves { .. } => unit(policy::CPUID_LEAF),
            At::Msrs => unit(policy::MSR),
            At::Vcpu(_) => unit(vcpu::HEADER),
            At::ExtendedId | At::ConfigLength(..) => unit(4),
            At::VcpuMsrs => unit(vcpu::MSR),
            At::Chain(chain) => chain.step(self.left),
            At::Emulator(_) => unit(libxl::EMULATOR_HEADER),
            At::EmulatorState => unit(QEMU_MAGIC.len() as u64),
            At::Pairs(_) => Step::Mask(self.left),
            At::Text(_, n) => unit(*n),
            At::LongText(_, n) => Step::Mask((*n).min(self.left)),
        }
    }

    /// So many octets stayed, or became zero.
    pub(super) fn passed(&mut self, n: u64) {
        self.left -= n;
        match &mut self.at {
            At::First(first) => {
                *first -= n;
                if *first == 0 {
                    self.at = At::Zero;
                }
            }
            At::Chain(chain) => chain.passed(n),
            // Too little was left for what should have come.
            At::Keep | At::Zero => {}
            _ => self.at = At::Zero,
        }
    }

    /// Changes octets in place.
    pub(super) fn mask(&mut self, octets: &mut [u8]) {
        self.left -= octets.len() as u64;
        match &mut self.at {
            At::Pairs(pairs) => pairs.mask(octets, self.what),
            At::LongText(text, n) => {
                *n -= octets.len() as u64;
                text.fill(octets);
                if *n == 0 {
                    self.at = At::Zero;
                }
            }
            _ => octets.fill(0),
        }
    }

    /// Looks at octets that are needed together and blanks what is to be blanked of them. `true` keeps them back.
    pub(super) fn unit(&mut self, octets: &mut [u8]) -> bool {
        self.left -= octets.len() as u64;
        let at = std::mem::replace(&mut self.at, At::Zero);
        self.at = match at {
            // What does not fit is the count, so that stays.
            At::Pages(order) => match Entries::announced(order, octets, self.left) {
                Some(entries) => {
                    self.at = At::Entries(entries);
                    return true;
                }
                None => At::Zero,
            },
            At::P2m(order, wide) => p2m(order, wide, octets, self.left),
            At::ParamsHeader(order) => params_header(order, octets, self.left),
            At::Params(order) => param(order, octets),
            At::Leaves { order, late } => leaf(order, late, octets),
            At::Msrs => policy_msr(octets),
            At::Vcpu(kind) => vcpu_blob(kind, self.left, self.what),
            At::ExtendedId => kept(!self.what.registers && self.left <= vcpu::EXTENDED_MAX),
            At::VcpuMsrs => vcpu_msr(octets, self.what),
            At::Chain(mut chain) => {
                chain.unit(octets, self.left, self.what);
                At::Chain(chain)
            }
            At::Emulator(libxl::types::EMULATOR_XENSTORE_DATA) => At::Pairs(Pairs::default()),
            At::Emulator(_) if self.what.registers => At::EmulatorState,
            At::Emulator(_) => kept(true),
            At::EmulatorState if octets == QEMU_MAGIC => At::Zero,
            At::ConfigLength(order, text) => config(order, text, octets, self.left),
            At::Text(text, _) => {
                text.blank(octets, self.what.names);
                At::Zero
            }
            _ => zero(octets),
        };
        false
    }

    /// Looks at octets that are kept back.
    pub(super) fn hold(&mut self, octets: &[u8]) {
        self.left -= octets.len() as u64;
        if let At::Entries(entries) = &mut self.at {
            entries.take(octets);
        }
    }

    /// Once all that is kept back is there: may it stay?
    pub(super) fn release(&mut self) -> Option<bool> {
        match &self.at {
            At::Entries(entries) if entries.left == 0 => {
                let agree = entries.agree();
                self.at = At::Zero;
                Some(agree)
            }
            _ => None,
        }
    }
}

/// How QEMU's state begins: its magic and version 3 (`migration/savevm.c`). It says what was blanked and tells nothing
/// of the guest.
const QEMU_MAGIC: [u8; 8] = *b"QEVM\0\0\0\x03";

/// The rest of a body stays, or not.
fn kept(stays: bool) -> At {
    if stays { At::Keep } else { At::Zero }
}

fn zero(octets: &mut [u8]) -> At {
    octets.fill(0);
    At::Zero
}

fn libxl_body(kind: u32) -> At {
    use libxl::types;
    match kind {
        types::EMULATOR_XENSTORE_DATA | types::EMULATOR_CONTEXT => At::Emulator(kind),
        types::CHECKPOINT_STATE => At::First(4),
        _ => At::Zero,
    }
}

fn xenopsd_body(what: Scrub, record: &Record) -> At {
    use xenopsd::types;
    match record.kind {
        types::XENOPS => text_of(Text::Expression, record.body_length),
        types::QEMU_TRAD if !what.registers && record.body_length <= xenopsd::QEMU_TRAD_MAX => At::Keep,
        // UEFI variables and the state of a TPM hold keys.
        _ => At::Zero,
    }
}

fn libxc_body(kind: u32, length: u64, context: &Context) -> At {
    let order = context.libxc;
    let (guest, at) = match kind {
        types::PAGE_DATA => (None, At::Pages(order)),
        types::X86_TSC_INFO => (None, At::First(libxc::tsc::LENGTH)),
        types::X86_CPUID_POLICY => (
            None,
            At::Leaves {
                order,
                late: context.static_data_ended || length > ENTRIES_MAX * policy::CPUID_LEAF,
            },
        ),
        types::X86_MSR_POLICY if context.static_data_ended || length > ENTRIES_MAX * policy::MSR => {
            (None, At::Zero)
        }
        types::X86_MSR_POLICY => (None, At::Msrs),
        types::X86_PV_INFO => (Some(Guest::Pv), At::First(libxc::pv_info::LENGTH)),
        types::X86_PV_P2M_FRAMES => (Some(Guest::Pv), At::P2m(order, context.wide)),
        types::X86_PV_VCPU_BASIC
        | types::X86_PV_VCPU_EXTENDED
        | types::X86_PV_VCPU_XSAVE
        | types::X86_PV_VCPU_MSRS => (Some(Guest::Pv), At::Vcpu(kind)),
        types::HVM_CONTEXT => (Some(Guest::Hvm), At::Chain(Chain::default())),
        types::HVM_PARAMS => (Some(Guest::Hvm), At::ParamsHeader(order)),
        // SHARED_INFO is a page of the guest's; of other types nobody knows what they hold.
        _ => (None, At::Zero),
    };
    if guest.is_some() && guest != context.guest { At::Zero } else { at }
}

/// Frames stay if there are as many as the range of pfns asks for.
fn p2m(order: Order, wide: bool, header: &[u8], left: u64) -> At {
    let (start, end) = pair(order, header);
    let shift = libxc::p2m::frame_shift(if wide { 8 } else { 4 });
    let frames = (u64::from(end) >> shift).checked_sub(u64::from(start) >> shift).map(|n| n + 1);
    kept(start <= end && frames.is_some_and(|n| 8 * n == left))
}

fn params_header(order: Order, header: &[u8], left: u64) -> At {
    let count = u64::from(pair(order, header).0);
    let fits = count <= ENTRIES_MAX && count * params::ENTRY == left;
    if fits { At::Params(order) } else { At::Zero }
}

/// A parameter that Xen does not know may be anything; the first unknown one stands for it.
fn param(order: Order, entry: &mut [u8]) -> At {
    let index = order.u64(first8(entry));
    if index >= params::COUNT {
        entry.fill(0);
        entry[..8].copy_from_slice(&order.put_u64(params::COUNT));
    }
    At::Params(order)
}

/// A leaf. Where no policy should come its registers go; what is not the number of a leaf at all goes too, and so does
/// what is behind it.
fn leaf(order: Order, late: bool, octets: &mut [u8]) -> At {
    /// Leaves are numbered from 0, from 0x4000_0000 and from 0x8000_0000.
    const NUMBER: u32 = 0x3FFF_F000;
    let (leaf, _) = pair(order, octets);
    let is_leaf = leaf & NUMBER == 0;
    if !is_leaf {
        // Still none.
        octets[..8].fill(0xFF);
    }
    if late || !is_leaf {
        octets[8..].fill(0);
    }
    At::Leaves { order, late: late || !is_leaf }
}

/// An MSR of the policy: `u32 index, u32 flags, u64 value`. Flags are zero; behind others nothing is known.
fn policy_msr(entry: &mut [u8]) -> At {
    if is_plain_msr(entry) { At::Msrs } else { At::Zero }
}

/// Is the second word of an MSR zero, as it has to be? Of one that is not nothing is left but that.
fn is_plain_msr(entry: &mut [u8]) -> bool {
    let plain = entry[4..8] == [0; 4];
    if !plain {
        entry.fill(0);
        entry[4..8].fill(WRONG);
    }
    plain
}

fn vcpu_blob(kind: u32, blob: u64, what: Scrub) -> At {
    let stays = match kind {
        types::X86_PV_VCPU_EXTENDED => return At::ExtendedId,
        types::X86_PV_VCPU_MSRS if blob <= ENTRIES_MAX * vcpu::MSR => return At::VcpuMsrs,
        types::X86_PV_VCPU_BASIC => blob == vcpu::BASIC_64 || blob == vcpu::BASIC_32,
        types::X86_PV_VCPU_XSAVE => blob <= XSAVE_MAX,
        _ => false,
    };
    kept(stays && !what.registers)
}

/// An MSR of a vcpu: `u32 index, u32 reserved, u64 value`.
fn vcpu_msr(entry: &mut [u8], what: Scrub) -> At {
    if !is_plain_msr(entry) {
        return At::Zero;
    }
    if what.registers {
        entry[8..].fill(0);
    }
    At::VcpuMsrs
}

fn config(order: Order, text: Text, length: &[u8], left: u64) -> At {
    let length = u64::from(order.u32([length[0], length[1], length[2], length[3]]));
    if length <= left { text_of(text, length) } else { At::Zero }
}

fn text_of(text: Text, length: u64) -> At {
    match length {
        0 => At::Zero,
        1..=TEXT_MAX => At::Text(text, length),
        _ => At::LongText(text, length),
    }
}

impl Entries {
    /// The entries that a body's header announces, if it has room for them.
    fn announced(order: Order, header: &[u8], left: u64) -> Option<Entries> {
        let count = u64::from(pair(order, header).0);
        let entries = count * page::ENTRY;
        (count > 0 && entries <= left).then_some(Entries {
            order,
            length: page::HEADER + left,
            left: entries,
            count,
            with_data: 0,
            torn: [0; 8],
            have: 0,
        })
    }

    fn take(&mut self, mut octets: &[u8]) {
        self.left -= octets.len() as u64;
        while self.have > 0 || octets.len() < 8 {
            let Some((octet, rest)) = octets.split_first() else { return };
            self.torn[self.have] = *octet;
            self.have = (self.have + 1) % 8;
            octets = rest;
            if self.have == 0 {
                self.count(self.torn);
            }
        }
        let (words, rest) = octets.as_chunks::<8>();
        for word in words {
            self.count(*word);
        }
        self.torn[..rest.len()].copy_from_slice(rest);
        self.have = rest.len();
    }

    fn count(&mut self, word: [u8; 8]) {
        self.with_data += u64::from(page::has_data(page::kind(self.order.u64(word))));
    }

    /// Are there as many pages as the entries announce?
    fn agree(&self) -> bool {
        page::HEADER + self.count * page::ENTRY + self.with_data * xenstream_core::wire::PAGE_SIZE
            == self.length
    }
}

fn first8(octets: &[u8]) -> [u8; 8] {
    octets.first_chunk().copied().unwrap_or_default()
}

fn pair(order: Order, octets: &[u8]) -> (u32, u32) {
    order.pair(first8(octets))
}
