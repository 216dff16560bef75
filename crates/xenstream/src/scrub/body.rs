//! What is blanked inside a record's body, step by step: each body is walked by what its type says is in it, and what
//! the walk does not know to be structure becomes zero. Lengths and counts that contradict one another end the walk.

mod chain;
mod entries;
mod flat;
mod text;

use xenstream_core::wire::libxc::{self, page, types};
use xenstream_core::wire::{Order, libxl, structures, xenopsd};
use xenstream_core::{Guest, Layer, Record};

use self::chain::Chain;
use self::entries::Entries;
use self::flat::Flat;
use self::text::{Pairs, Text};
use crate::scrub::Scrub;
use crate::scrub::header::{number_up_to, wrong_unless_zero};

/// No number of pages, pfns or entries in a record that says how many it has is as large as this.
const NUMBER_MAX: u32 = 0x00FF_FFFF;

/// Text that is longer than the longest configuration that a verifier takes is blanked without being looked at.
const TEXT_MAX: u64 = 16 << 20;

/// What to do with the next bytes of a body.
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
    /// A PV guest is a 32-bit one.
    pub(super) narrow: bool,
    /// Largest pfn of a PV guest's p2m.
    pub(super) max_pfn: u64,
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
    /// So many bytes stay, and nothing behind them.
    First(u64),
    Flat(Flat),
    Zero,
    /// Count and reserved word of PAGE_DATA.
    Pages(Order),
    Entries(Entries),
    P2m(Context),
    Frames(Order, u64),
    Chain(Chain),
    Emulator(Order, u32),
    EmulatorState,
    Pairs(Pairs),
    ConfigLength(Order, Text),
    Text(Text, u64),
    LongText(Text, u64),
}

impl Walk {
    /// A walk through the body of a record of libxl, libxc or xenopsd.
    pub(super) fn record(what: Scrub, record: &Record, context: &Context) -> Walk {
        let kind = u32::try_from(record.kind).unwrap_or(u32::MAX);
        let at = match record.layer {
            Layer::Libxl => libxl_body(kind, context.libxl),
            Layer::Libxc => libxc_body(what, record, context),
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
            At::Flat(flat) => flat.step(),
            At::P2m(_) => unit(libxc::p2m::HEADER),
            At::Frames(..) => unit(page::ENTRY),
            At::ConfigLength(..) => unit(4),
            At::Chain(chain) => chain.step(self.left),
            At::Emulator(..) => unit(libxl::EMULATOR_HEADER),
            At::EmulatorState => unit(BLANK_STATE.len() as u64),
            At::Pairs(_) => Step::Mask(self.left),
            At::Text(_, n) => unit(*n),
            At::LongText(_, n) => Step::Mask((*n).min(self.left)),
        }
    }

    /// So many bytes stayed, or became zero.
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
            At::Flat(flat) => flat.passed(n),
            // Too little was left for what should have come.
            At::Keep | At::Zero => {}
            _ => self.at = At::Zero,
        }
    }

    /// Changes bytes in place.
    pub(super) fn mask(&mut self, bytes: &mut [u8]) {
        self.left -= bytes.len() as u64;
        match &mut self.at {
            At::Pairs(pairs) => pairs.mask(bytes, self.left, self.what),
            At::LongText(text, n) => {
                *n -= bytes.len() as u64;
                text.fill(bytes);
                if *n == 0 {
                    self.at = At::Zero;
                }
            }
            _ => bytes.fill(0),
        }
    }

    /// Looks at bytes that are needed together and blanks what is to be blanked of them. `true` keeps them back.
    pub(super) fn unit(&mut self, bytes: &mut [u8]) -> bool {
        self.left -= bytes.len() as u64;
        let at = std::mem::replace(&mut self.at, At::Zero);
        self.at = match at {
            At::Flat(mut flat) => {
                flat.unit(bytes);
                At::Flat(flat)
            }
            At::Pages(order) => match Entries::announced(order, bytes, self.left) {
                Some(entries) => {
                    wrong_unless_zero(&mut bytes[4..]);
                    self.at = At::Entries(entries);
                    return true;
                }
                None => {
                    count_only(order, bytes);
                    At::Zero
                }
            },
            At::P2m(context) => p2m(&context, bytes, self.left),
            At::Frames(order, largest) => {
                // One that is out of range may be anything: it stays out of range.
                if order.u64(first8(bytes)) > largest {
                    bytes.fill(0xFF);
                }
                At::Frames(order, largest)
            }
            At::Chain(mut chain) => {
                chain.unit(bytes, self.left, self.what);
                At::Chain(chain)
            }
            At::Emulator(order, kind) => {
                number_up_to(order, libxl::EMULATOR_ID_MAX, &mut bytes[..4]);
                number_up_to(order, u32::from(u16::MAX), &mut bytes[4..]);
                match kind {
                    libxl::types::EMULATOR_XENSTORE_DATA => At::Pairs(Pairs::default()),
                    _ if self.what.registers => At::EmulatorState,
                    _ => At::Keep,
                }
            }
            At::EmulatorState if bytes.starts_with(&QEMU_MAGIC) => {
                bytes.copy_from_slice(&BLANK_STATE);
                At::Zero
            }
            At::EmulatorState if bytes.starts_with(&QEMU_MAGIC[..4]) => {
                // Of another version: of one that no state has.
                bytes[4..].fill(0);
                At::Zero
            }
            At::ConfigLength(order, text) => config(order, text, bytes, self.left),
            At::Text(text, _) => {
                text.blank(bytes, self.what.names);
                At::Zero
            }
            _ => zero(bytes),
        };
        false
    }

    /// Tells what later bodies are walked by.
    pub(super) fn teach(&self, context: &mut Context) {
        if let At::Flat(flat) = &self.at
            && let Some(narrow) = flat.narrow()
        {
            context.narrow = narrow;
        }
        if let At::Frames(_, max_pfn) = &self.at {
            context.max_pfn = *max_pfn;
        }
    }

    /// Looks at bytes that are kept back.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        self.left -= bytes.len() as u64;
        if let At::Entries(entries) = &mut self.at {
            entries.take(bytes);
        }
    }

    /// Returns whether the withheld bytes may be kept, once all of them have arrived.
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

/// How QEMU's state begins: its magic and version 3 (`migration/savevm.c`).
const QEMU_MAGIC: [u8; 8] = *b"QEVM\0\0\0\x03";

/// A state's header and its first section, of a device without a name or contents. Zeros follow, the last of which ends
/// the state.
const BLANK_STATE: [u8; 23] = *b"QEVM\0\0\0\x03\x04\0\0\0\0\x01-\0\0\0\0\0\0\0\0";

fn zero(bytes: &mut [u8]) -> At {
    bytes.fill(0);
    At::Zero
}

fn libxl_body(kind: u32, order: Order) -> At {
    use libxl::types;
    match kind {
        types::EMULATOR_XENSTORE_DATA | types::EMULATOR_CONTEXT => At::Emulator(order, kind),
        types::CHECKPOINT_STATE => At::First(4),
        _ => At::Zero,
    }
}

fn xenopsd_body(what: Scrub, record: &Record) -> At {
    use xenopsd::types;
    match record.kind {
        types::XENOPS => text_of(Text::Expression, record.body_length),
        types::QEMU_TRAD if record.body_length <= xenopsd::QEMU_TRAD_MAX => {
            if what.registers {
                At::EmulatorState
            } else {
                At::Keep
            }
        }
        // UEFI variables and the state of a TPM hold keys.
        _ => At::Zero,
    }
}

fn libxc_body(mut what: Scrub, record: &Record, context: &Context) -> At {
    let order = context.libxc;
    let kind = u32::try_from(record.kind).unwrap_or(u32::MAX);
    let (guest, at) = match kind {
        types::PAGE_DATA => (None, At::Pages(order)),
        types::X86_PV_P2M_FRAMES => (Some(Guest::Pv), At::P2m(*context)),
        types::HVM_CONTEXT => (Some(Guest::Hvm), At::Chain(Chain::default())),
        // SHARED_INFO is a page of the guest's, and what other types hold is not known.
        _ => {
            let guest = match kind {
                types::X86_PV_INFO
                | types::X86_PV_VCPU_BASIC
                | types::X86_PV_VCPU_EXTENDED
                | types::X86_PV_VCPU_XSAVE
                | types::X86_PV_VCPU_MSRS => Some(Guest::Pv),
                types::HVM_PARAMS => Some(Guest::Hvm),
                _ => None,
            };
            // Where no policy should come its values go.
            let is_policy = matches!(kind, types::X86_CPUID_POLICY | types::X86_MSR_POLICY);
            what.damaged |= is_policy && context.static_data_ended;
            let layouts = structures::of_body(record.layer, record.kind, record.body_length);
            (guest, At::Flat(Flat::new(layouts, order, record.body_length, what)))
        }
    };
    if guest.is_some() && guest != context.guest { At::Zero } else { at }
}

/// Frames stay if there are as many as the range of pfns asks for.
fn p2m(context: &Context, header: &mut [u8], left: u64) -> At {
    let order = context.libxc;
    let (start, end) = pair(order, header);
    let shift = libxc::p2m::frame_shift(if context.narrow { 4 } else { 8 });
    let frames = (u64::from(end) >> shift).checked_sub(u64::from(start) >> shift).map(|n| n + 1);
    if start <= end && frames.is_some_and(|n| 8 * n == left) {
        return At::Frames(order, context.max_pfn.max(u64::from(end)));
    }
    number_up_to(order, NUMBER_MAX, &mut header[..4]);
    number_up_to(order, NUMBER_MAX, &mut header[4..]);
    At::Zero
}

/// A count that does not fit stays, and nothing behind it.
pub(super) fn count_only(order: Order, header: &mut [u8]) {
    number_up_to(order, NUMBER_MAX, &mut header[..4]);
    wrong_unless_zero(&mut header[4..]);
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

fn first8(bytes: &[u8]) -> [u8; 8] {
    bytes.first_chunk().copied().unwrap_or_default()
}

fn pair(order: Order, bytes: &[u8]) -> (u32, u32) {
    order.pair(first8(bytes))
}
