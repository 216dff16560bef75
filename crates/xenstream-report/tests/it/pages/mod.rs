//! Pages about every image of the corpus: well formed, with the library's numbers in them, and small.

mod dom;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use self::dom::Dom;
use xenstream::wire::libxc::{page, types};
use xenstream::wire::{PAGE_SIZE, RECORD_HEADER};
use xenstream::{Guest, Input, Level, Options, Policy, ReadAt, Report, Rule, verify};
use xenstream_report::{Collector, PAGE_MAX, write_page};
use xenstream_synth::{Page, Stream, libxc, valid};

/// How many findings a page shows one by one: errors first, then warnings, each in stream order.
const SHOWN: usize = 32;

/// What an image comes to, and the page about it.
fn page_of(name: &str, input: Input<'_>, policy: Policy) -> (Report, String) {
    let mut collector = Collector::new();
    let report = verify(input, &Options::new(policy.with_keep_going(true)), &mut collector).unwrap();
    let mut page = Vec::new();
    write_page(&mut page, name, &report, &collector).unwrap();
    (report, String::from_utf8(page).unwrap())
}

/// Every image in a folder of the corpus, and in those below it.
fn images(folder: &Path) -> Vec<PathBuf> {
    let mut images = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            images.extend(self::images(&path));
        } else if path.extension().is_some_and(|extension| extension == "bin" || extension == "xz") {
            images.push(path);
        }
    }
    images.sort();
    images
}

/// What holds for any page.
fn assert_sound(name: &str, report: &Report, page: &str) -> Dom {
    assert!(page.len() < PAGE_MAX, "{name}: {} bytes", page.len());
    let dom = Dom::parse(name, page);
    let summary = &report.summary;
    let word = report.verdict.name();
    assert_eq!(dom.attribute("verdict", "class"), format!("verdict {word}"), "{name}");
    assert_eq!(dom.number("fact-bytes"), summary.bytes, "{name}");
    assert_eq!(dom.number("fact-pages"), summary.pages.with_data(), "{name}");
    assert_eq!(dom.number("fact-records"), summary.records.total(), "{name}");
    let verdict = report.violation().filter(|_| report.findings.is_empty());
    let errors = report.findings.listed().iter().chain(verdict);
    let findings: Vec<_> = errors.chain(report.warnings.listed()).collect();
    for finding in findings.iter().take(SHOWN) {
        assert!(dom.text.contains(&finding.message().to_string()), "{name}: {finding}");
    }
    for number in 1..=findings.len() + 1 {
        assert_eq!(
            dom.has(&format!("finding-{number}")),
            number <= findings.len().min(SHOWN),
            "{name}: {number}"
        );
    }
    // What there is no room for is counted.
    let more = findings.len().saturating_sub(SHOWN);
    assert_eq!(dom.text.contains("not listed, for lack of room"), more > 0, "{name}: {more} more");
    let s = if more == 1 { "" } else { "s" };
    let counted = format!("{more} more finding{s} not listed, for lack of room");
    assert!(more == 0 || dom.text.contains(&counted), "{name}: {counted}");
    dom
}

fn assert_corpus(folder: &str) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus");
    let images = images(&corpus.join(folder));
    assert!(!images.is_empty());
    for path in images {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (report, page) = page_of(name, Input::Path(&path), Policy::spec());
        let dom = assert_sound(name, &report, &page);
        if report.is_valid() {
            let sizes: u64 = dom.numbers_in("sizes").iter().sum();
            assert_eq!(sizes, report.summary.bytes, "{name}");
            let pages: u64 = dom.numbers_in("rounds").iter().sum();
            assert_eq!(pages, report.summary.pages.with_data(), "{name}");
        }
    }
}

#[test]
fn images_of_a_real_xen() {
    assert_corpus("real");
}

#[test]
fn valid_images() {
    assert_corpus("valid");
}

#[test]
fn images_that_break_a_rule() {
    assert_corpus("rules");
}

#[test]
fn live_migration_has_rounds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/real/pv64-1v-migrate.xl.xz");
    let (report, page) = page_of("migrate", Input::Path(&path), Policy::spec());
    let dom = assert_sound("migrate", &report, &page);
    let rounds = dom.numbers_in("rounds");
    assert_eq!(rounds.len(), 6);
    assert!(rounds.windows(2).skip(1).all(|pair| pair[0] < rounds[0]), "{rounds:?}");
    assert!(dom.has("times"), "how many times pages were sent");
    // Saved at rest, the same guest's pages come once.
    let path = path.with_file_name("pv64-1v.xl.xz");
    let (_, page) = page_of("save", Input::Path(&path), Policy::spec());
    let dom = Dom::parse("save", &page);
    assert_eq!(dom.numbers_in("rounds").len(), 1);
    assert!(dom.has("kinds") && !dom.has("times"));
}

#[test]
fn names_are_text() {
    let bytes = valid::hvm().bytes();
    let name = "</title><script>alert(1)</script>\"'&\u{0}\u{1b}[31m\u{FFFF}";
    let (report, page) = page_of(name, Input::Slice(&bytes), Policy::spec());
    let dom = assert_sound("hostile name", &report, &page);
    assert!(dom.text.contains("</title><script>alert(1)</script>\"'&"));
    assert!(!page.contains("<script"));
}

#[test]
fn non_images_have_a_page() {
    for bytes in [&b""[..], b"not an image", &[0xFF; 100]] {
        let (report, page) = page_of("nothing", Input::Slice(bytes), Policy::spec());
        let dom = assert_sound("nothing", &report, &page);
        assert!(!report.is_valid() && dom.has("finding-1") && !dom.has("memory"));
    }
}

#[test]
fn a_page_of_a_torn_image_goes_as_far_as_it_was_read() {
    let bytes = valid::hvm().in_libxl().with_device_model().in_xl().bytes();
    // Each seventh length falls on every place of an 8-byte field sooner or later.
    for length in (0..bytes.len()).step_by(7) {
        let (report, page) = page_of("torn", Input::Slice(&bytes[..length]), Policy::spec());
        let dom = assert_sound("torn", &report, &page);
        let sizes: u64 = dom.numbers_in("sizes").iter().sum();
        assert!(sizes <= report.summary.bytes, "{length}: {sizes}");
    }
}

/// Numbers that look like chance, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A policy that lets pass whatever can be framed.
fn lax() -> Policy {
    let lowered = |policy: Policy, rule: Rule| policy.clone().with_level(rule, Level::Warn).unwrap_or(policy);
    Rule::all().fold(Policy::spec(), lowered)
}

#[test]
fn damaged_images_make_sound_pages() {
    let images = [
        valid::hvm().in_libxl().with_device_model().in_xl().bytes(),
        valid::pv64().bytes(),
        valid::checkpointed(valid::Machine::Hvm, valid::Kind::Remus, 3).bytes(),
        valid::hvm().in_xenopsd().with_blobs().bytes(),
    ];
    let mut chance = Chance(7);
    for round in 0..400 {
        let mut bytes = images[round % images.len()].clone();
        // Most damage is done where records are, and those lie at the start and the end.
        for _ in 0..1 + chance.below(4) {
            let near = chance.below(bytes.len().min(600) as u64) as usize;
            let at = if chance.below(2) == 0 { near } else { bytes.len() - 1 - near };
            bytes[at] = [0, 1, 0x7F, 0xFF, bytes[at] ^ 0x10][chance.below(5) as usize];
        }
        for policy in [Policy::spec(), lax()] {
            let (report, page) = page_of("damaged", Input::Slice(&bytes), policy);
            assert_sound("damaged", &report, &page);
        }
    }
}

#[test]
fn no_stream_makes_a_large_page() {
    let mut chance = Chance(1);
    let mut bytes = libxc::stream(Guest::Hvm, [libxc::static_data_end()]).bytes();
    let kinds = [page::NOTAB, page::L1TAB, page::XALLOC, page::XTAB, page::BROKEN, page::L4TAB];
    for number in 0..60_000u64 {
        let kind = match chance.below(4) {
            0 => types::OPTIONAL | chance.below(1 << 20) as u32,
            1 => types::VERIFY,
            2 => types::CHECKPOINT_DIRTY_PFN_LIST,
            _ => types::PAGE_DATA,
        };
        let body: Vec<u64> = match kind {
            types::PAGE_DATA => {
                let entry = |n: u64, chance: &mut Chance| {
                    // No contents: a page with data in one of a hundred records only.
                    let kinds = if number % 100 == 0 { &kinds[..] } else { &kinds[2..5] };
                    let kind = kinds[chance.below(kinds.len() as u64) as usize];
                    kind << page::TYPE_SHIFT | (chance.below(1 << 16) ^ n) << chance.below(3)
                };
                let entries: Vec<u64> = (0..4).map(|n| entry(n, &mut chance)).collect();
                let pages = entries.iter().filter(|entry| page::has_data(page::kind(**entry))).count();
                let contents = vec![0; pages * PAGE_SIZE as usize / 8];
                [vec![4], entries, contents].concat()
            }
            types::VERIFY => Vec::new(),
            _ => vec![0; chance.below(40) as usize],
        };
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&(8 * body.len() as u32).to_le_bytes());
        bytes.extend(body.iter().flat_map(|word| word.to_le_bytes()));
    }
    let (report, page) = page_of("hostile", Input::Slice(&bytes), lax());
    assert!(report.summary.records.total() > 30_000, "{:?}", report.violation());
    assert_sound("hostile", &report, &page);
}

#[test]
fn pfns_of_any_size_make_a_page() {
    let highest = page::PFN;
    for pfns in [&[highest][..], &[0, highest], &[0, 1, 1 << 51, highest - 1, highest, 3]] {
        let pages: Vec<Page> = pfns.iter().map(|pfn| Page::absent(*pfn)).chain([Page::normal(7)]).collect();
        let stream = libxc::stream(Guest::Hvm, [libxc::static_data_end(), libxc::page_data(&pages)]);
        let (report, page) = page_of("far", Input::Slice(&stream.bytes()), lax());
        assert_sound("far", &report, &page);
        assert_eq!(report.summary.pages.absent(), pfns.len() as u64);
    }
}

/// A guest of a terabyte, of which every 64th page is in the image: records of 1024 pages between the start and the end
/// of a small guest's stream. It is made as it is read, and of the contents nothing is.
struct Terabyte {
    start: Vec<u8>,
    end: Vec<u8>,
}

const RECORDS: u64 = 1 << (40 - 12 - 6 - 10);
const HEADERS: u64 = RECORD_HEADER + page::HEADER + page::BATCH * page::ENTRY;
const RECORD: u64 = HEADERS + page::BATCH * PAGE_SIZE;

impl Terabyte {
    fn new(stream: &Stream) -> Terabyte {
        let memory = stream.find(xenstream_synth::Part::libxc(types::PAGE_DATA));
        let bytes = stream.bytes();
        let (start, end) = bytes.split_at(stream.offset(memory) as usize);
        Terabyte { start: start.to_vec(), end: end.to_vec() }
    }

    /// The headers of a record.
    fn headers(index: u64) -> Vec<u8> {
        let mut headers = Vec::new();
        headers.extend_from_slice(&types::PAGE_DATA.to_le_bytes());
        headers.extend_from_slice(&((RECORD - RECORD_HEADER) as u32).to_le_bytes());
        headers.extend_from_slice(&page::BATCH.to_le_bytes());
        let pfns = index * page::BATCH..(index + 1) * page::BATCH;
        headers.extend(pfns.flat_map(|pfn| (pfn * 64).to_le_bytes()));
        headers
    }
}

impl ReadAt for Terabyte {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = self.start.len() as u64;
        let copied = |from: &[u8], bytes: &mut [u8]| {
            let length = bytes.len().min(from.len());
            bytes[..length].copy_from_slice(&from[..length]);
            Ok(length)
        };
        match offset.checked_sub(start) {
            None => copied(&self.start[offset as usize..], bytes),
            Some(behind) if behind < RECORDS * RECORD => {
                let within = behind % RECORD;
                if within < HEADERS {
                    return copied(&Terabyte::headers(behind / RECORD)[within as usize..], bytes);
                }
                let length = bytes.len().min((RECORD - within) as usize);
                bytes[..length].fill(0);
                Ok(length)
            }
            Some(behind) => {
                copied(self.end.get((behind - RECORDS * RECORD) as usize..).unwrap_or(&[]), bytes)
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.start.len() as u64 + RECORDS * RECORD + self.end.len() as u64)
    }
}

#[test]
fn a_terabyte_makes_a_small_page() {
    let image = Terabyte::new(&valid::hvm().in_libxl().with_device_model().in_xl());
    let (report, page) = page_of("terabyte", Input::Positioned(&image), Policy::spec());
    assert!(report.is_valid(), "{:?}", report.violation());
    assert!(report.bytes_read < 40 << 20, "{}", report.bytes_read);
    assert_sound("terabyte", &report, &page);
    assert!(page.len() < PAGE_MAX / 4, "{} bytes", page.len());
}
