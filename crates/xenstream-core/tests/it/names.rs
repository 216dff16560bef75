//! Numbers of the wire formats and their names, against the specifications' tables.

use xenstream_core::Layer;
use xenstream_core::wire::libxc::page;
use xenstream_core::wire::{hvm, libxc, libxl, types, xenopsd};

/// libxc's types by number (`docs/specs/libxc-migration-stream.pandoc`).
const LIBXC: [&str; 19] = [
    "END",
    "PAGE_DATA",
    "X86_PV_INFO",
    "X86_PV_P2M_FRAMES",
    "X86_PV_VCPU_BASIC",
    "X86_PV_VCPU_EXTENDED",
    "X86_PV_VCPU_XSAVE",
    "SHARED_INFO",
    "X86_TSC_INFO",
    "HVM_CONTEXT",
    "HVM_PARAMS",
    "TOOLSTACK",
    "X86_PV_VCPU_MSRS",
    "VERIFY",
    "CHECKPOINT",
    "CHECKPOINT_DIRTY_PFN_LIST",
    "STATIC_DATA_END",
    "X86_CPUID_POLICY",
    "X86_MSR_POLICY",
];

/// libxl's (`docs/specs/libxl-migration-stream.pandoc`).
const LIBXL: [&str; 6] = [
    "END",
    "LIBXC_CONTEXT",
    "EMULATOR_XENSTORE_DATA",
    "EMULATOR_CONTEXT",
    "CHECKPOINT_END",
    "CHECKPOINT_STATE",
];

/// xenopsd's, with their place in its order (`xc/xenops_server`'s suspend image).
const XENOPSD: [(u64, &str, u8); 11] = [
    (0x000F, "Xenops", 1),
    (0x00F0, "Libxc", 2),
    (0x00F1, "Libxl", 2),
    (0x00F2, "Libxc_legacy", 2),
    (0x0F00, "Qemu_trad", 6),
    (0x0F01, "Qemu_xen", 6),
    (0x0F10, "Demu", 3),
    (0x0F11, "Varstored", 4),
    (0x0F12, "Swtpm0", 5),
    (0x0F13, "Swtpm", 5),
    (0xFFFF, "End_of_image", 7),
];

/// Types of pages.
const PAGES: [&str; 16] = [
    "NOTAB",
    "L1TAB",
    "L2TAB",
    "L3TAB",
    "L4TAB",
    "reserved",
    "reserved",
    "reserved",
    "reserved",
    "L1TAB pinned",
    "L2TAB pinned",
    "L3TAB pinned",
    "L4TAB pinned",
    "BROKEN",
    "XALLOC",
    "XTAB",
];

#[test]
fn types_have_the_names_of_the_specifications() {
    for (number, expected) in (0..).zip(LIBXC.map(Some).into_iter().chain([None; 3])) {
        assert_eq!(types::name(Layer::Libxc, number), expected, "{number}");
    }
    for (number, expected) in (0..).zip(LIBXL.map(Some).into_iter().chain([None; 3])) {
        assert_eq!(types::name(Layer::Libxl, number), expected, "{number}");
    }
    for (number, expected) in (0..).zip(PAGES) {
        assert_eq!(page::name(number), expected, "{number}");
    }
    for number in 0..=0x1_0000 {
        let expected = XENOPSD.iter().find(|(known, ..)| *known == number);
        let known = xenopsd::header(number).map(|known| (known.record_type.name, known.rank));
        assert_eq!(known, expected.map(|(_, name, rank)| (*name, *rank)), "{number:#x}");
    }
}

/// Tables are searched by the number of a row, or have it as the index.
#[test]
fn types_stand_at_their_numbers() {
    let dense = [
        (Layer::Libxl, u64::from(libxl::types::KNOWN)),
        (Layer::Libxc, u64::from(libxc::types::KNOWN)),
        (Layer::Hvm, u64::from(hvm::types::KNOWN)),
    ];
    for (layer, known) in dense {
        assert!(types::all(layer).map(|known| known.number).eq(0..known), "{layer}");
    }
    for known in Layer::all().flat_map(types::all) {
        assert!(!known.meaning.is_empty(), "{}", known.name);
    }
}

#[test]
fn options_are_the_bits_of_the_specifications() {
    assert_eq!(libxc::OPTION_BIG_ENDIAN, 0x1);
    assert_eq!((libxl::OPTION_BIG_ENDIAN, libxl::OPTION_LEGACY), (0x1, 0x2));
    assert_eq!(libxl::OPTIONS_RESERVED, 0xFFFF_FFFC);
}
