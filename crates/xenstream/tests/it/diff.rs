//! `diff`: what two images differ in, and nothing else.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;

use xenstream::diff::{Compare, Diff, Difference, diff};
use xenstream::wire::libxc::types::{
    HVM_CONTEXT, HVM_PARAMS, PAGE_DATA, X86_CPUID_POLICY, X86_PV_VCPU_XSAVE, X86_TSC_INFO,
};
use xenstream::wire::libxl::types::EMULATOR_CONTEXT;
use xenstream::{Input, Options};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::minimal::Kind;
use xenstream_synth::valid::{self, Machine};
use xenstream_synth::{Body, Field, Page, Part, Stream, libxc};

fn compared(a: &[u8], b: &[u8]) -> Diff {
    let what = Compare::default().with_samples(2);
    diff([Input::Slice(a), Input::Slice(b)], &Options::default(), &what).unwrap()
}

/// Place, field and values of each difference.
fn reported(diff: &Diff) -> Vec<String> {
    let line = |difference: &Difference| {
        let Difference { place, field, values, bytes, .. } = difference;
        let [a, b] = values.each_ref().map(|value| value.as_deref().unwrap_or("(none)"));
        let bytes = bytes.map(|(count, at)| format!(" ({count} from {at})")).unwrap_or_default();
        format!("{place}: {}: {a} -> {b}{bytes}", field.as_deref().unwrap_or("record"))
    };
    diff.records.iter().map(line).collect()
}

/// What the records of two guests differ in that are otherwise the same.
fn records(a: &Stream, b: &Stream) -> Vec<String> {
    let found = compared(&a.bytes(), &b.bytes());
    assert!(!found.is_empty() && found.pages.differing.is_empty());
    reported(&found)
}

fn hvm(entries: [Entry; 1]) -> Stream {
    let context = libxc::hvm_context(&Chain::around(entries));
    valid::hvm().replaced(Part::libxc(HVM_CONTEXT), context)
}

#[test]
fn an_image_is_the_same_as_itself() {
    for machine in Machine::all() {
        let bytes = machine.libxl().in_xl().bytes();
        let found = compared(&bytes, &bytes);
        assert!(found.is_empty(), "{}: {:?}", machine.name(), reported(&found));
        assert_eq!(found.pages.same, found.reports[0].summary.pages.with_data());
    }
}

#[test]
fn registers_differ_by_name() {
    let vcpu = |rip, fpu| hvm([Entry::reset(2, 0).with("rip", rip).with_byte(7, fpu)]);
    assert_eq!(
        records(&vcpu(0x1000, 0), &vcpu(0x2000, 9)),
        [
            "CPU of vcpu 0: rip: 0x1000 -> 0x2000",
            "CPU of vcpu 0: fpu_regs: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 -> \
             09 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 (1 from 7)",
        ]
    );
    let none = valid::hvm().replaced(Part::libxc(HVM_CONTEXT), libxc::hvm_context(&Chain::minimal()));
    let only = records(&none, &hvm([Entry::reset(13, 0).with("tmr_val", 5)]));
    assert_eq!(only.len(), 1, "{only:?}");
    assert!(only[0].starts_with("PMTIMER: record: (none) -> "), "{only:?}");
}

#[test]
fn leaves_and_parameters_are_found_by_their_index() {
    let policy = |leaves: &[[u32; 6]]| {
        valid::hvm().replaced(Part::libxc(X86_CPUID_POLICY), libxc::cpuid_policy(leaves))
    };
    let none = u32::MAX;
    let [one, seven] = [[1, none, 1, 2, 3, 4], [7, 0, 5, 6, 7, 8]];
    let found = records(&policy(&[one]), &policy(&[seven, [1, none, 1, 2, 9, 4]]));
    assert_eq!(
        found,
        [
            "X86_CPUID_POLICY: leaf 0x1 (features) ecx: 0x3 -> 0x9",
            "X86_CPUID_POLICY: leaf 0x7 (structured features), subleaf 0x0: (none) -> \
             eax 0x5, ebx 0x6, ecx 0x7, edx 0x8",
        ]
    );
    let params =
        |port| valid::hvm().replaced(Part::libxc(HVM_PARAMS), libxc::hvm_params(&[(2, port), (1, 16)]));
    let found = records(&params(1), &params(3));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("STORE_EVTCHN") && found[0].ends_with(" value: 0x1 -> 0x3"), "{found:?}");
}

#[test]
fn state_that_has_no_fields_differs_by_its_bytes() {
    let xsave = |byte: u8| {
        let stream = valid::pv64();
        let at = 8 + 8 + 16 + 512 + 64 + 100;
        stream.edited(Part::libxc(X86_PV_VCPU_XSAVE), at, Field::U8(byte))
    };
    let found = records(&xsave(0), &xsave(1));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("X86_PV_VCPU_XSAVE of vcpu 0: extended: "), "{found:?}");
    let device =
        |stream: Stream, byte| stream.edited(Part::libxl(EMULATOR_CONTEXT), 8 + 8 + 12, Field::U8(byte));
    let image = || valid::hvm().in_libxl().with_device_model();
    let found = records(&device(image(), 1), &device(image(), 2));
    assert!(found[0].starts_with("EMULATOR_CONTEXT of index 0: data: 01 "), "{found:?}");
}

#[test]
fn configurations_differ_by_key() {
    let config = |name: &str| format!("{{\"c_info\":{{\"type\":\"hvm\",\"name\":\"{name}\"}}}}\0");
    let image = |name| valid::hvm().in_libxl().with_device_model().in_xl_with(3, config(name).as_bytes());
    let found = records(&image("a"), &image("b with more"));
    assert_eq!(found, ["configuration: c_info.name: a -> b with more"]);
    let image = |name: &str| {
        valid::pvh().in_libxl().in_libvirt_with(format!("<domain><name>{name}</name></domain>\0").as_bytes())
    };
    assert_eq!(records(&image("a"), &image("c")), ["configuration: /domain/name: a -> c"]);
}

fn guest(pages: &[Page]) -> Stream {
    valid::hvm().before(Part::libxc(X86_TSC_INFO), libxc::page_data(pages))
}

#[test]
fn pages_differ_by_pfn() {
    let page = |pfn, text: &str| Page::normal(pfn).holding(text);
    let a = guest(&[page(21, "same"), page(22, "one"), page(23, "two"), page(24, "x"), Page::normal(25)]);
    let b = guest(&[
        page(21, "same"),
        page(22, "zwo"),
        page(23, "tvo"),
        Page::absent(24),
        Page::normal(25),
        page(26, "y"),
    ]);
    let found = compared(&a.bytes(), &b.bytes());
    assert!(reported(&found).is_empty());
    let pages = &found.pages;
    // Pfn 0 too.
    assert_eq!((pages.same, &pages.differing[..]), (3, &[22..=23][..]));
    assert_eq!(pages.only, [vec![24..=24], vec![26..=26]]);
    let [first, second] = &pages.samples[..] else { panic!("{:?}", pages.samples) };
    assert_eq!(
        (first.pfn, first.offset, &first.bytes[0][..4], &first.bytes[1][..4]),
        (22, 0, &b"one\0"[..], &b"zwo\0"[..])
    );
    assert_eq!((second.pfn, second.offset, second.length), (23, 1, 16));
}

#[test]
fn order_of_pages_and_batches_makes_no_difference() {
    let pages: Vec<_> = (21..200).map(|pfn| Page::normal(pfn).holding(pfn.to_string())).collect();
    let reversed: Vec<_> = pages.iter().rev().cloned().collect();
    let last = Page::normal(199).holding("earlier copy");
    let a = guest(&pages);
    let b = guest(&[]).before(Part::libxc(X86_TSC_INFO), libxc::page_data(&[last]));
    let b = b.before(Part::libxc(X86_TSC_INFO), libxc::page_data(&reversed));
    // Such an order is not what savers write, and no pages are no batch: both are invalid in their way.
    let found = compared(&a.bytes(), &b.bytes());
    assert_eq!((found.pages.same, &found.pages.differing[..]), (180, &[][..]));
}

#[test]
fn sources_and_holes_make_no_difference() {
    let pages: Vec<_> = (21..4000).map(Page::normal).collect();
    let stream = guest(&pages).in_libxl().with_device_model().in_xl();
    let bytes = stream.bytes();
    let directory = tempfile::tempdir().unwrap();
    let sparse = directory.path().join("sparse");
    stream.write_sparse(fs::File::create(&sparse).unwrap()).unwrap();
    let compressed = zstd::encode_all(&bytes[..], 1).unwrap();
    let (reader, mut writer) = io::pipe().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&bytes).unwrap());
        for other in [Input::Slice(&bytes), Input::Slice(&compressed), Input::Descriptor(reader.as_fd())] {
            let found =
                diff([Input::Path(&sparse), other], &Options::default(), &Compare::default()).unwrap();
            assert!(found.is_empty(), "{:?}", reported(&found));
            assert_eq!(found.pages.same, 3980);
        }
    });
}

#[test]
fn torn_image_differs_in_missing_pages() {
    let stream = guest(&[Page::normal(21), Page::normal(22)]).in_libxl().with_device_model().in_xl();
    let bytes = stream.bytes();
    let cut = stream.offset(stream.nth(Part::libxc(PAGE_DATA), 3)) as usize + 16 + 16 + 4096 + 10;
    let found = compared(&bytes, &bytes[..cut]);
    assert!(!found.is_empty());
    assert_eq!(found.pages.only, [vec![22..=22], vec![]]);
    assert!(reported(&found).iter().any(|line| line.starts_with("CPU of vcpu 0: record: ")));
    // In its last bytes, where nothing is any more.
    let found = compared(&bytes, &bytes[..bytes.len() - 4]);
    assert!(!found.is_empty() && reported(&found).is_empty());
}

#[test]
fn checkpointed_stream_is_its_last_checkpoint() {
    let remus = |rip: [u64; 3]| {
        let mut stream = valid::checkpointed(Machine::Hvm, Kind::Remus, 2);
        for (n, rip) in rip.into_iter().enumerate() {
            let vcpu = libxc::hvm_context(&Chain::around([Entry::reset(2, 0).with("rip", rip)]));
            let at = stream.nth(Part::libxc(HVM_CONTEXT), n);
            stream = stream.with_item(at, vcpu);
        }
        stream.bytes()
    };
    let one = remus([1, 2, 3]);
    assert!(compared(&one, &remus([9, 2, 9])).is_empty());
    assert_eq!(reported(&compared(&one, &remus([1, 7, 3]))), ["CPU of vcpu 0: rip: 0x2 -> 0x7"]);
}

#[test]
fn records_without_end_are_cut() {
    // More optional types than are compared.
    let head = libxc::stream(xenstream::Guest::Hvm, [libxc::static_data_end()]);
    let more = (0..70_000u32).map(|kind| libxc::record(0x8000_0000 | kind, Body::new()));
    let stream = more.fold(head, Stream::with);
    let found = compared(&stream.bytes(), &valid::hvm().bytes());
    assert!(found.is_cut && found.records.len() < 70_000);
}
