//! Made-up streams to ask Xen's tools about: guests of all kinds, most of them with something changed.

use fastrand::Rng;
use xenstream_core::wire::libxc::{DOMAIN_HEADER, IMAGE_HEADER, page, types as libxc_types};
use xenstream_core::wire::libxl::types as libxl_types;
use xenstream_core::wire::{Order, RECORD_HEADER, padding};
use xenstream_core::{Checkpointing, Format, Guest, Layer};
use xenstream_synth::hvm::Chain;
use xenstream_synth::{Basic, Body, Field, Item, Page, Part, Stream, extended_state, libxc, libxl, pte};

/// One stream.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Tells it from the others of its seed.
    pub(super) name: String,
    /// Xl, libxl or bare libxc.
    pub(super) format: Format,
    /// What a caller would say of it.
    pub(super) checkpointing: Checkpointing,
    /// The stream.
    pub(super) bytes: Vec<u8>,
    /// Whether the stream has a CHECKPOINT.
    pub(super) is_checkpointed: bool,
}

/// The stream with this number. The same seed and number give the same stream.
pub(super) fn case(seed: u64, number: u64) -> Case {
    let rng = &mut Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number));
    let (guest, checkpointing) = guest(rng);
    let stream = match (checkpointing, rng.u8(..4)) {
        (Checkpointing::Remus, _) | (_, 0 | 1) => guest,
        (_, 2) => in_libxl(rng, guest),
        (_, _) => in_libxl(rng, guest).in_xl(),
    };
    let format = stream.format();
    let changes = *pick(rng, &[0, 1, 1, 1, 1, 1, 2, 2, 3]);
    let mut items = stream.items().to_vec();
    for _ in 0..changes {
        change(rng, &mut items);
    }
    let is_checkpointed = items.iter().any(|item| item.part() == Part::libxc(libxc_types::CHECKPOINT));
    let mut bytes = Stream::new(format, items).bytes();
    match rng.u8(..32) {
        0 => bytes.truncate(rng.usize(..=bytes.len())),
        1 => bytes.extend([rng.u8(..); 9]),
        _ => {}
    }
    Case { name: format!("{seed}-{number:05}"), format, checkpointing, bytes, is_checkpointed }
}

/// Where the CHECKPOINT records of a bare libxc stream lie, as a reader meets them who believes every length.
pub(super) fn checkpoints(bytes: &[u8]) -> Vec<u64> {
    let word = |at: u64| Some(u32::from_le_bytes(*bytes.get(usize::try_from(at).ok()?..)?.first_chunk()?));
    let mut at = IMAGE_HEADER + DOMAIN_HEADER;
    let mut found = Vec::new();
    while let (Some(kind), Some(length)) = (word(at), word(at + 4)) {
        match kind {
            libxc_types::END => break,
            libxc_types::CHECKPOINT => found.push(at),
            _ => {}
        }
        let length = u64::from(length);
        at += RECORD_HEADER + length + padding(length);
    }
    found
}

// ---- guests as savers write them ----

fn guest(rng: &mut Rng) -> (Stream, Checkpointing) {
    let guest = if rng.bool() { Guest::Hvm } else { Guest::Pv };
    let (start, round) = match guest {
        Guest::Hvm => hvm(rng),
        Guest::Pv => pv(rng),
    };
    let mut records = start;
    let mut checkpointing = Checkpointing::Auto;
    if rng.u8(..10) == 0 {
        checkpointing = Checkpointing::Remus;
        for _ in 0..rng.u8(1..3) {
            records.extend_from_slice(&round);
            records.push(libxc::checkpoint());
        }
    }
    records.extend(round);
    records.push(libxc::end());
    let stream = libxc::stream(guest, records);
    (if rng.u8(..4) == 0 { stream.as_version_2() } else { stream }, checkpointing)
}

fn static_data(rng: &mut Rng) -> Vec<Item> {
    let mut records = Vec::new();
    if rng.bool() {
        let mut leaves: Vec<_> =
            (0..rng.u32(1..5)).map(|leaf| [leaf, u32::MAX, rng.u32(..), 0, 0, 0]).collect();
        // Leaf 0 names the largest leaf, which is that of XSAVE; leaf 1 says that the guest has XSAVE and AVX.
        leaves[0][2] = 0xD;
        if let Some(features) = leaves.get_mut(1) {
            features[4] = 1 << 26 | 1 << 28;
        }
        records.push(libxc::cpuid_policy(&leaves));
        records.push(libxc::msr_policy(&[(0xCE, 0x8000_0000), (0x10A, 0)]));
    }
    records.push(libxc::static_data_end());
    records
}

/// What comes first, and what a checkpointed stream repeats.
fn hvm(rng: &mut Rng) -> (Vec<Item>, Vec<Item>) {
    let vcpus = rng.u16(1..4);
    let chain = match rng.u8(..3) {
        0 => Chain::minimal(),
        1 => Chain::with_devices(vcpus),
        _ => Chain::without_devices(vcpus),
    };
    let kinds = [page::NOTAB, page::NOTAB, page::XTAB, page::BROKEN, page::XALLOC];
    let mut pfns = 0..;
    let mut round: Vec<_> = (0..rng.u64(1..4))
        .map(|_| {
            let count = rng.usize(1..7);
            let pages: Vec<_> =
                pfns.by_ref().take(count).map(|pfn| Page::of(*pick(rng, &kinds), pfn)).collect();
            libxc::page_data(&pages)
        })
        .collect();
    // The parameters name the last pages of the guest.
    let special = pfns.start;
    let pages: Vec<_> = (special..special + 5).map(Page::normal).collect();
    round.push(libxc::page_data(&pages));
    round.push(libxc::clock_of(rng.u32(..3), 2_400_000, rng.u64(..), 1));
    let context = libxc::hvm_context(&chain);
    let params = libxc::hvm_params(&[
        (1, special + 1),
        (2, 1),
        (5, special + 3),
        (6, special + 4),
        (12, special),
        (17, special + 2),
    ]);
    round.extend(if rng.bool() { [context, params] } else { [params, context] });
    (static_data(rng), round)
}

/// A PV guest that the restorer takes: start info in pfn 3, the GDT in 4, the p2m in 5 and 6, page tables from 8 on,
/// each page of the type that its use demands.
fn pv(rng: &mut Rng) -> (Vec<Item>, Vec<Item>) {
    let wide = rng.u8(..3) != 0;
    let (info, pfns_per_frame, top) =
        if wide { (libxc::pv64_info(), 512, 4) } else { (libxc::pv32_info(), 1024, 3) };
    let mut start = vec![info];
    start.extend(static_data(rng));
    let frames = rng.u32(1..3);
    let max_pfn = frames * pfns_per_frame - 1;
    start.push(libxc::p2m_frames(0, max_pfn, &[5, 6][..frames as usize]));

    let mut pages: Vec<_> = (0..8).map(Page::normal).collect();
    let entry = |rng: &mut Rng, pfn| (rng.usize(..512), pte(pfn));
    pages.push(Page::pinned(top, 8, &[(0, pte(9))]));
    pages.push(Page::table(top - 1, 9, &[entry(rng, 10)]));
    pages.push(Page::table(1, 10, &[entry(rng, 0), entry(rng, u64::from(max_pfn))]));
    let split = rng.usize(1..pages.len());
    pages.extend((11..u64::from(max_pfn)).map(Page::absent));
    pages.push(Page::normal(u64::from(max_pfn)));
    let (first, rest) = pages.split_at(split);
    let mut round = vec![libxc::page_data(first)];
    round.extend(rest.chunks(page::BATCH as usize).map(libxc::page_data));
    round.push(libxc::clock_of(rng.u32(..3), 2_400_000, rng.u64(..), 1));
    round.push(libxc::shared_info());
    for vcpu in 0..rng.u32(1..3) {
        let registers = if wide { Basic::pv64() } else { Basic::pv32() };
        let registers = registers.start_info(3).gdt_entries(512).gdt_frame(0, 4).cr3(8);
        round.push(libxc::vcpu_basic(vcpu, &registers));
        round.push(libxc::vcpu_extended(vcpu, extended_state(vcpu, 64)));
        round.push(libxc::vcpu_xsave(vcpu, *pick(rng, &[16, 592, 848])));
        if rng.bool() {
            round.push(libxc::vcpu_msrs(vcpu, &[(0xC000_0103, 0)]));
        }
    }
    (start, round)
}

fn in_libxl(rng: &mut Rng, guest: Stream) -> Stream {
    let stream = guest.in_libxl();
    let end = Part::libxl(libxl_types::END);
    match rng.u8(..4) {
        0 => stream.with_device_model(),
        1 => stream.before(end, libxl::xenstore(&[])).before(end, libxl::emulator_context(rng.u64(24..64))),
        2 => stream.before(end, libxl::emulator_context(rng.u64(24..64))),
        _ => stream,
    }
}

// ---- changes ----

/// Numbers around which decisions turn.
const NUMBERS: [u64; 26] = [
    0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 39, 63, 64, 127, 128, 129, 511, 512, 1023, 1024, 4096,
    0xFFFF,
];

/// Upper halves of a 64-bit field: types of a page, reserved bits, pfns that no guest has. None makes the restorer
/// touch gigabytes before it gives up: either it succeeds at once or it fails at once.
const HIGH: [u64; 9] = [0, 0x1 << 60, 0x5 << 60, 0x8 << 60, 0xD << 60, 0xF << 60, 1 << 52, 1 << 51, 1 << 40];

fn change(rng: &mut Rng, items: &mut Vec<Item>) {
    if items.is_empty() {
        return;
    }
    let at = rng.usize(..items.len());
    match rng.u8(..20) {
        14.. => {
            if let Some((at, changed)) = value(rng, items) {
                items[at] = changed;
            }
        }
        0 => drop(items.remove(at)),
        1 => {
            let copy = items[at].clone();
            items.insert(rng.usize(..=items.len()), copy);
        }
        2 => {
            let other = rng.usize(..items.len());
            items.swap(at, other);
        }
        3 | 4 => items.insert(at, stray(rng)),
        5 => items[at] = claim(rng, &items[at]),
        6 => items[at] = resize(rng, &items[at]),
        7 => items[at] = pad(rng, &items[at]),
        _ => items[at] = edit(rng, &items[at]),
    }
}

/// A value that only a hypervisor looks at, in the last record that has one of a kind: a register, a state of a device,
/// a leaf of CPUID, a parameter. In an earlier checkpoint it would count only for a restorer that goes back to that one.
fn value(rng: &mut Rng, items: &[Item]) -> Option<(usize, Item)> {
    let kind =
        *pick(rng, &[HVM_CONTEXT, HVM_CONTEXT, HVM_PARAMS, CPUID, MSRS, BASIC, BASIC, EXTENDED, XSAVE, TSC]);
    let at = items.iter().rposition(|item| item.part() == Part::libxc(kind))?;
    let item = &items[at];
    let bytes = item.bytes(Order::Little);
    let body = RECORD_HEADER as usize;
    let offset = match kind {
        HVM_CONTEXT => body + context_offset(rng, bytes.get(body..)?)?,
        HVM_PARAMS | CPUID | MSRS | TSC => body + rng.usize(..bytes.len().checked_sub(body)?.max(1)) / 4 * 4,
        BASIC => {
            let (wide, narrow) = (REGISTERS_64, REGISTERS_32);
            // Vcpu id and a reserved word come first.
            body + 8 + if bytes.len() > 5000 { *pick(rng, &wide) } else { *pick(rng, &narrow) }
        }
        _ => body + 8 + rng.usize(..16) * 4,
    };
    let old = u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?);
    let new = match rng.u8(..4) {
        0 => *pick(rng, &NUMBERS) as u32,
        1 => u32::MAX,
        _ => old ^ 1 << rng.u8(..32),
    };
    Some((at, item.clone().edited(offset as u64, Field::U32(new))))
}

const HVM_CONTEXT: u32 = libxc_types::HVM_CONTEXT;
const HVM_PARAMS: u32 = libxc_types::HVM_PARAMS;
const CPUID: u32 = libxc_types::X86_CPUID_POLICY;
const MSRS: u32 = libxc_types::X86_MSR_POLICY;
const BASIC: u32 = libxc_types::X86_PV_VCPU_BASIC;
const EXTENDED: u32 = libxc_types::X86_PV_VCPU_EXTENDED;
const XSAVE: u32 = libxc_types::X86_PV_VCPU_XSAVE;
const TSC: u32 = libxc_types::X86_TSC_INFO;

/// Registers in the blob of a 64-bit PV vcpu, both halves: flags, rip, rsp, two traps, LDT, GDT, stack, cr1, debug
/// registers, callbacks, vm_assist, bases.
const REGISTERS_64: [usize; 34] = [
    512, 648, 652, 672, 676, 728, 732, 4808, 4812, 4816, 4820, 4824, 4960, 4964, 4976, 4980, 4992, 4996,
    5048, 5052, 5072, 5076, 5096, 5100, 5104, 5108, 5112, 5116, 5124, 5132, 5136, 5140, 5148, 5164,
];
/// The same of a 32-bit one.
const REGISTERS_32: [usize; 10] = [512, 548, 556, 2632, 2636, 2704, 2748, 2772, 2776, 2796];

/// Where something of the chain lies that Xen may refuse: in CPU entries its control registers, in others anything.
fn context_offset(rng: &mut Rng, chain: &[u8]) -> Option<usize> {
    const CPU: u16 = 2;
    const CONTROLS: [usize; 18] =
        [656, 660, 672, 676, 680, 684, 720, 724, 728, 732, 992, 996, 1000, 1004, 1016, 1020, 1024, 1028];
    let mut entries = Vec::new();
    let mut at = 0;
    while let (Some(kind), Some(length)) = (chain.get(at..at + 2), chain.get(at + 4..at + 8)) {
        let kind = u16::from_le_bytes(*kind.first_chunk()?);
        let length = u32::from_le_bytes(*length.first_chunk()?) as usize;
        entries.push((kind, at, length));
        at = at.checked_add(8)?.checked_add(length)?;
        if kind == 0 {
            break;
        }
    }
    let (kind, at, length) = *pick(rng, &entries);
    let inside = match kind {
        CPU if rng.u8(..8) != 0 => *pick(rng, &CONTROLS),
        // Areas of XSAVE and register pages are long, and what Xen looks at stands first or in the header.
        _ if rng.bool() => rng.usize(..length.clamp(4, 64)) / 4 * 4,
        _ => rng.usize(..length.max(4)) / 4 * 4,
    };
    Some(at + if rng.u8(..16) == 0 { 4 } else { 8 + inside })
}

/// A record that may have no business where it comes.
fn stray(rng: &mut Rng) -> Item {
    let small = Body::new().raw(vec![0; usize::from(rng.u8(..3)) * 8]);
    match rng.u8(..12) {
        0 => libxc::verify(),
        1 => libxc::checkpoint(),
        2 => libxc::static_data_end(),
        3 => libxc::toolstack(),
        4 => libxc::dirty_pfn_list(&[1]),
        5 => libxc::record(*pick(rng, &[0x13, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]), small),
        6 => libxl::record(*pick(rng, &[6, 0x7FFF_FFFF, 0x8000_0000]), small),
        7 => libxl::record(rng.u32(..libxl_types::KNOWN), small),
        8 => libxc::page_data(&[Page::of(u64::from(rng.u8(..16)), rng.u64(..0x2000))]),
        9 => libxc::hvm_params(&[(rng.u64(..42), *pick(rng, &NUMBERS))]),
        10 => libxc::p2m_frames(
            *pick(rng, &[0, 511, 512, 1024]),
            *pick(rng, &[0, 511, 1023, 2047]),
            &[5, 6][..rng.usize(..=2)],
        ),
        _ => libxc::record(rng.u32(..libxc_types::KNOWN), small),
    }
}

/// A length that is not the body's.
fn claim(rng: &mut Rng, item: &Item) -> Item {
    let length = item.length();
    let lie = match rng.u8(..5) {
        0 => length + 1,
        1 => length.saturating_sub(1),
        2 => length + 8,
        3 => length.saturating_sub(8),
        _ => *pick(rng, &[0, 0x0800_0000, 0x0800_0001, 0xFFFF_FFFF]),
    };
    item.clone().claiming(lie)
}

/// A body that is cut or goes on, with a length that says so.
fn resize(rng: &mut Rng, item: &Item) -> Item {
    let bytes = item.bytes(Order::Little);
    let (head, length) = (item.body_at() as usize, item.length() as usize);
    let mut body = bytes[head..].to_vec();
    body.truncate(length);
    match rng.u8(..4) {
        0 => body.truncate(body.len().saturating_sub(usize::from(rng.u8(1..17)))),
        1 => body.extend([0; 8]),
        2 => body.push(0),
        _ => body.truncate(rng.usize(..=body.len().min(32))),
    }
    Item::new(item.part(), Body::new().raw(body))
}

/// Padding that is not zero.
fn pad(rng: &mut Rng, item: &Item) -> Item {
    let padding = item.size() - item.body_at() - item.length().min(item.size() - item.body_at());
    item.clone().padded_with(vec![rng.u8(..); padding as usize])
}

/// A field with another value.
fn edit(rng: &mut Rng, item: &Item) -> Item {
    let low = *pick(rng, &NUMBERS);
    let (at, field) = match item.part() {
        Part::Xl => *pick(rng, &[(36, 1), (36, 2), (36, 3), (36, 7), (40, 1), (44, 0), (44, 3)]),
        Part::Libxl => *pick(rng, &[(0, 0), (8, 1), (8, 3), (12, 2), (12, 4), (12, 0x8000), (12, 0x1_0000)]),
        Part::Image => {
            *pick(rng, &[(4, 0), (8, 1), (12, 1), (12, 2), (12, 4), (16, 2 << 16), (16, 7), (20, 1)])
        }
        Part::Domain => {
            *pick(rng, &[(0, 0), (0, 1), (0, 2), (0, 3), (4, 11), (4, 44), (4, 1 << 16 | 12), (8, 0)])
        }
        Part::Record(Layer::Libxl | Layer::Libxc, _) => {
            let words = (item.size() - RECORD_HEADER) / 4;
            if words == 0 {
                return item.clone();
            }
            // The first words of a body are where its structure is.
            let word = if rng.bool() { rng.u64(..words.min(8)) } else { rng.u64(..words) };
            // Entries of PAGE_DATA whole only: a small number in an upper half would be a pfn of gigabytes.
            let entry = item.part() == Part::libxc(libxc_types::PAGE_DATA) && word >= 2;
            if (entry || rng.bool()) && word / 2 * 2 + 1 < words {
                let at = RECORD_HEADER + 8 * (word / 2);
                return item.clone().edited(at, Field::U64(low | *pick(rng, &HIGH)));
            }
            (RECORD_HEADER + 4 * word, low as u32)
        }
        _ => return item.clone(),
    };
    // A header that was cut may not reach that far.
    if at + 4 > item.size() { item.clone() } else { item.clone().edited(at, Field::U32(field)) }
}

fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    &choices[rng.usize(..choices.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_streams_again() {
        for number in 0..50 {
            let (first, second) = (case(7, number), case(7, number));
            assert_eq!((first.name, first.bytes), (second.name, second.bytes));
        }
    }

    #[test]
    fn unchanged_guests_are_valid() {
        for number in 0..500 {
            let rng = &mut Rng::with_seed(number);
            let (stream, checkpointing) = guest(rng);
            for profile in [xenstream_core::Profile::Spec, xenstream_core::Profile::Restore] {
                let policy = xenstream_core::Policy::new(profile).with_checkpointing(checkpointing);
                let verdict = xenstream_peer::judge(&stream.bytes(), Format::Libxc, &policy);
                assert_eq!(verdict, None, "guest {number} under {profile}");
            }
        }
    }
}
