//! What is in the images that a real Xen wrote, counted when they were made, and what each profile says of them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use xenstream::wire::libxc::{page, types};
use xenstream::{Format, Guest, Layer, Options, Policy, Profile, Report, Rule};

/// What is known of an image.
#[derive(Clone, Copy)]
struct Image {
    name: &'static str,
    bytes: u64,
    guest: Guest,
    /// The minor version of the Xen that wrote it.
    minor: u32,
    /// The releases that take it.
    releases: &'static str,
    batches: u64,
    /// Entries by page type; those of other types are 0.
    entries: &'static [(u64, u64)],
    /// Complete checkpoints of a Remus capture, which stops after the last one.
    checkpoints: Option<u64>,
}

const L1TAB: u64 = page::L1TAB;
const L2TAB: u64 = 2;
const L3TAB: u64 = 3;
const L1TAB_PINNED: u64 = page::L1TAB_PINNED;
const L3TAB_PINNED: u64 = 0xB;
const L4TAB_PINNED: u64 = page::L4TAB_PINNED;

/// Those of an image that any release with version 3 of the stream takes, but for 4.14.0: it has room for one MSR.
const V3: &str = "Xen 4.14.1+, 4.15+, XCP-ng 8.3 of 2024, XCP-ng 8.3";
/// Those of an image whose processor has the CPUID leaves 0x8000001d to 0x80000021.
const LEAVES: &str = "Xen 4.14.5+, 4.15.3+, 4.16+, XCP-ng 8.3 of 2024, XCP-ng 8.3";
/// Those of an image with a LAPIC of 32 bytes.
const LAPIC: &str = "Xen 4.18.5+, 4.19.2+, 4.20.1+, 4.21+, XCP-ng 8.3";

const IMAGES: &[Image] = &[
    hvm("hvm-bios", 25_146_341, 1020, &[(page::NOTAB, 4092), (page::XTAB, 1_040_388)]),
    hvm("hvm-bios-physmap", 25_146_557, 1020, &[(page::NOTAB, 4092), (page::XTAB, 1_040_388)]),
    remus(hvm("hvm-bios-remus", 25_451_181, 1032, &[(page::NOTAB, 4140), (page::XTAB, 1_040_388)]), 11),
    hvm("hvm-bios8", 16_757_732, 1020, &[(page::NOTAB, 2044), (page::XTAB, 1_042_436)]),
    of(14, V3, hvm("hvm-bios8-4.14", 16_757_129, 1020, &[(page::NOTAB, 2044), (page::XTAB, 1_042_436)])),
    of(20, LAPIC, hvm("hvm-bios8-4.20", 16_757_242, 1020, &[(page::NOTAB, 2044), (page::XTAB, 1_042_436)])),
    of(
        20,
        LAPIC,
        remus(
            hvm("hvm-hlt8-remus-4.20", 16_884_066, 1026, &[(page::NOTAB, 2062), (page::XTAB, 1_042_436)]),
            6,
        ),
    ),
    // The guest was offered Viridian features that 4.14 does not know.
    of(
        17,
        "Xen 4.15.3+, 4.16+, XCP-ng 8.3 of 2024, XCP-ng 8.3",
        hvm("hvm-vga-viridian", 41_994_418, 1020, &[(page::NOTAB, 8204), (page::XTAB, 1_036_276)]),
    ),
    hvm("hvm64-2v-physmap", 142_592_583, 1020, &[(page::NOTAB, 32_763), (page::XTAB, 1_011_717)]),
    pv(
        "pv64-1v",
        92_468_226,
        22,
        &[
            (page::NOTAB, 22_365),
            (L1TAB, 40),
            (L2TAB, 14),
            (L3TAB, 74),
            (L1TAB_PINNED, 27),
            (L3TAB_PINNED, 1),
            (L4TAB_PINNED, 7),
        ],
    ),
    of(
        20,
        V3,
        pv(
            "pv64-1v-4.20",
            92_467_698,
            22,
            &[
                (page::NOTAB, 22_365),
                (L1TAB, 40),
                (L2TAB, 14),
                (L3TAB, 74),
                (L1TAB_PINNED, 27),
                (L3TAB_PINNED, 1),
                (L4TAB_PINNED, 7),
            ],
        ),
    ),
    pv(
        "pv64-1v-migrate",
        97_934_850,
        27,
        &[
            (page::NOTAB, 23_633),
            (L1TAB, 40),
            (L2TAB, 22),
            (L3TAB, 83),
            (L1TAB_PINNED, 65),
            (L3TAB_PINNED, 1),
            (L4TAB_PINNED, 16),
            (page::XTAB, 2),
        ],
    ),
    pv(
        "pv64-2v",
        100_879_425,
        24,
        &[
            (page::NOTAB, 24_409),
            (L1TAB, 40),
            (L2TAB, 14),
            (L3TAB, 74),
            (L1TAB_PINNED, 31),
            (L3TAB_PINNED, 1),
            (L4TAB_PINNED, 7),
        ],
    ),
    hvm("pvh64-1v", 109_108_923, 1020, &[(page::NOTAB, 24_592), (page::XTAB, 1_019_888)]),
    hvm("pvh64-1v-migrate-debug", 222_547_899, 2043, &[(page::NOTAB, 50_241), (page::XTAB, 2_039_776)]),
    of(20, LAPIC, hvm("pvh64-1v-4.20", 109_100_211, 1020, &[(page::NOTAB, 24_590), (page::XTAB, 1_019_890)])),
    remus(hvm("pvh64-1v-remus", 184_855_835, 1049, &[(page::NOTAB, 43_013), (page::XTAB, 1_019_888)]), 28),
];

const fn hvm(name: &'static str, bytes: u64, batches: u64, entries: &'static [(u64, u64)]) -> Image {
    Image { name, bytes, guest: Guest::Hvm, minor: 17, releases: LEAVES, batches, entries, checkpoints: None }
}

/// With another writer or other releases than most.
const fn of(minor: u32, releases: &'static str, image: Image) -> Image {
    Image { minor, releases, ..image }
}

const fn pv(name: &'static str, bytes: u64, batches: u64, entries: &'static [(u64, u64)]) -> Image {
    Image { guest: Guest::Pv, ..hvm(name, bytes, batches, entries) }
}

const fn remus(image: Image, checkpoints: u64) -> Image {
    Image { checkpoints: Some(checkpoints), ..image }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/real")
}

/// The image's bytes: to decompress them takes longer than to verify them.
fn read(image: &Image) -> Vec<u8> {
    let file = File::open(directory().join(format!("{}.xl.xz", image.name))).unwrap();
    let mut bytes = Vec::with_capacity(usize::try_from(image.bytes).unwrap());
    liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

fn verify(bytes: &[u8], profile: Profile) -> Report {
    xenstream::verify_slice(bytes, &Options::new(Policy::new(profile))).unwrap()
}

#[test]
fn every_image_is_known() {
    let mut files: Vec<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".xl.xz").map(str::to_owned))
        .collect();
    files.sort();
    let mut known: Vec<_> = IMAGES.iter().map(|image| image.name).collect();
    known.sort_unstable();
    assert_eq!(files, known);
}

#[test]
fn every_image_holds_what_was_counted() {
    for image in IMAGES {
        let bytes = read(image);
        let report = verify(&bytes, Profile::Spec);
        let (name, summary) = (image.name, report.summary);
        assert!(report.is_valid(), "{name}: {:?}", report.violation());
        assert_eq!((summary.format, summary.guest), (Format::Xl, Some(image.guest)), "{name}");
        assert_eq!((summary.xen, summary.libxc_version), (Some((4, image.minor)), Some(3)), "{name}");
        assert_eq!(summary.bytes, image.bytes, "{name}");
        assert_eq!(summary.records.get(Layer::Libxc, types::PAGE_DATA), image.batches, "{name}");
        let mut entries = [0; 16];
        for (kind, count) in image.entries {
            entries[*kind as usize] = *count;
        }
        assert!(summary.pages.iter().map(|(_, n)| n).eq(entries), "{name}");
        assert_eq!(summary.checkpoints, image.checkpoints.unwrap_or(0), "{name}");
        assert_eq!(summary.restorable_to_checkpoint, image.checkpoints, "{name}");
        assert_eq!(summary.releases.accepted_by().to_string(), image.releases, "{name}");
        // `xl migrate --debug` sends VERIFY and all of memory once more.
        let verify = u64::from(name.ends_with("-debug"));
        assert_eq!(summary.records.get(Layer::Libxc, types::VERIFY), verify, "{name}");

        assert_failover(image, &bytes);
    }
}

/// A stream that fails over is told as one, and a gate refuses it.
fn assert_failover(image: &Image, bytes: &[u8]) {
    let name = image.name;
    for profile in [Profile::Spec, Profile::Restore] {
        let report = verify(bytes, profile);
        assert!(report.is_valid(), "{name} under {profile}: {:?}", report.violation());
        let warnings: Vec<_> = report.warnings.listed().iter().map(|warning| warning.rule).collect();
        let expected: &[Rule] = if image.checkpoints.is_some() { &[Rule::StreamFailover] } else { &[] };
        assert_eq!(warnings, expected, "{name} under {profile}");
    }
    let refused = verify(bytes, Profile::Hardened).violation().map(|violation| violation.rule);
    assert_eq!(refused, image.checkpoints.map(|_| Rule::StreamFailover), "{name}");
}

/// What real hypervisors answered: with the same processor, images of 4.14 and PV images of 4.20 restore on all three
/// releases, HVM and PVH images of 4.20 only there.
#[test]
fn a_target_refuses_what_its_hypervisor_refused() {
    for (name, target, refused) in [
        ("hvm-bios8-4.14", "4.14.6", None),
        ("hvm-bios8-4.14", "4.17.7", None),
        ("hvm-bios8-4.14", "4.20.4", None),
        ("hvm-bios8", "4.14.6", None),
        ("hvm-bios8", "4.20.4", None),
        ("pv64-1v-4.20", "4.14.6", None),
        ("pv64-1v-4.20", "4.17.7", None),
        ("hvm-bios8-4.20", "4.14.6", Some(Rule::HvmLapicLength)),
        ("hvm-bios8-4.20", "4.17.7", Some(Rule::HvmLapicLength)),
        ("hvm-bios8-4.20", "4.20.4", None),
        ("pvh64-1v-4.20", "4.17.7", Some(Rule::HvmLapicLength)),
    ] {
        let policy = Policy::restore().with_target(Some(target.parse().unwrap()));
        let path = directory().join(format!("{name}.xl.xz"));
        let report = xenstream::verify_path(path, &Options::new(policy)).unwrap();
        assert_eq!(report.violation().map(|violation| violation.rule), refused, "{name} on {target}");
    }
}
