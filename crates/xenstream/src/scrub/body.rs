//! What is blanked inside a record's body, step by step: each body is walked by what its type says is in it, and what
//! the walk does not know to be structure becomes zero. Lengths and counts that contradict one another end the walk.

mod chain;
mod entries;
pub(super) mod flat;
mod text;

use xenstream_core::wire::layout::Layout;
use xenstream_core::wire::libxc::{self, Place, page};
use xenstream_core::wire::types::{self, Data};
use xenstream_core::wire::{Order, structures};
use xenstream_core::{Guest, Layer, Record};

use self::chain::Chain;
use self::entries::Entries;
use self::flat::{Flat, blank};
use self::text::{Pairs, Text};
use crate::scrub::Scrub;
use crate::scrub::header::{number_up_to, wrong_unless_zero};

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
    /// Largest pfn of a PV guest's p2m.
    pub(super) max_pfn: u64,
    /// Memory may come: policies should not.
    pub(super) static_data_ended: bool,
}

impl Context {
    /// The byte order of a layer's records.
    pub(super) fn order(&self, layer: Layer) -> Order {
        match layer {
            Layer::Libxl => self.libxl,
            Layer::Libxc => self.libxc,
            _ => Order::Little,
        }
    }
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
    Flat(Flat),
    Zero,
    /// Count and reserved word of the entries.
    Pages(Order),
    Entries(Entries),
    P2m(Order),
    Frames(Order, u64),
    Chain(Chain),
    /// A declared header, and what comes after it.
    Header(Order, &'static [&'static Layout], Data),
    EmulatorState,
    Pairs(Pairs),
    ConfigLength(Order, Text),
    Text(Text, u64),
    LongText(Text, u64),
}

impl Walk {
    /// A walk through the body of a record, by what its type says is in it.
    pub(super) fn record(mut what: Scrub, record: &Record, context: &Context) -> Walk {
        let (layer, length) = (record.layer, record.body_length);
        let order = context.order(layer);
        let libxc = u32::try_from(record.kind).ok().filter(|_| layer == Layer::Libxc).and_then(libxc::record);
        // Where no policy should come its values go.
        what.damaged |= context.static_data_ended && libxc.is_some_and(|known| known.place == Place::Static);
        let is_other_guests = libxc.and_then(|known| known.guest).is_some_and(|of| Some(of) != context.guest);
        let known = types::get(layer, record.kind).filter(|_| !is_other_guests);
        let at = known.map_or(At::Zero, |known| match known.data {
            Data::Fields => {
                let layouts = structures::of_body(layer, record.kind, length);
                At::Flat(Flat::new(layouts, order, length, what))
            }
            Data::Pages => At::Pages(order),
            Data::Frames => At::P2m(order),
            Data::Chain => At::Chain(Chain::default()),
            Data::DeviceModel | Data::Xenstore if !known.body.is_empty() => {
                At::Header(order, known.body, known.data)
            }
            data => after_header(data, length, what),
        });
        Walk { what, left: length, at }
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
            At::Zero => Step::Zero(self.left),
            At::Pages(_) => unit(page::HEADER),
            At::Entries(entries) => Step::Hold(entries.left),
            At::Flat(flat) => flat.step(),
            At::P2m(_) => unit(libxc::p2m::HEADER),
            At::Frames(..) => unit(page::ENTRY),
            At::ConfigLength(..) => unit(4),
            At::Chain(chain) => chain.step(self.left),
            At::Header(_, layouts, _) => unit(layouts.iter().map(|layout| layout.size()).sum()),
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
    pub(super) fn unit(&mut self, bytes: &mut [u8], context: &mut Context) -> bool {
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
            At::P2m(order) => p2m(order, context, bytes, self.left),
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
            At::Header(order, layouts, data) => {
                blank(layouts, order, bytes, self.what);
                after_header(data, self.left, self.what)
            }
            At::EmulatorState if bytes.starts_with(&QEMU_MAGIC) => {
                bytes.copy_from_slice(&BLANK_STATE);
                At::Zero
            }
            At::EmulatorState if bytes.starts_with(&QEMU_MAGIC[..4]) => {
                // Another version, one that no state has.
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

/// A body of this length that has no structures, or what comes after them.
fn after_header(data: Data, length: u64, what: Scrub) -> At {
    match data {
        Data::Xenstore => At::Pairs(Pairs::default()),
        Data::DeviceModel if what.registers => At::EmulatorState,
        Data::DeviceModel => At::Keep,
        Data::Text => text_of(Text::Expression, length),
        // Others hold nothing, or keys, or what is not known.
        _ => At::Zero,
    }
}

/// Frames stay if there are as many as the range of pfns asks for.
fn p2m(order: Order, context: &mut Context, header: &mut [u8], left: u64) -> At {
    let (start, end) = order.pair(first8(header));
    let frames = |width| {
        let shift = libxc::p2m::frame_shift(width);
        (u64::from(end) >> shift).checked_sub(u64::from(start) >> shift).map(|n| n + 1)
    };
    if start <= end && [4, 8].into_iter().filter_map(frames).any(|n| 8 * n == left) {
        context.max_pfn = context.max_pfn.max(u64::from(end));
        return At::Frames(order, context.max_pfn);
    }
    number_up_to(order, page::COUNT_END - 1, &mut header[..4]);
    number_up_to(order, page::COUNT_END - 1, &mut header[4..]);
    At::Zero
}

/// A count that does not fit stays, and nothing after it.
pub(super) fn count_only(order: Order, header: &mut [u8]) {
    number_up_to(order, page::COUNT_END - 1, &mut header[..4]);
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
