//! The configuration that an xl or libvirt header carries: judged at its last byte, however the bytes come.

use xenstream::wire::libxc::types;
use xenstream::wire::{libvirt, xl};
use xenstream::{
    Input, Level, Limit, Observer, Options, Policy, Record, Report, Rule, verify, verify_reader, verify_slice,
};
use xenstream_synth::hvm::Chain;
use xenstream_synth::{Page, Part, Stream, libxc, minimal, valid};

fn xl_image(config: &[u8]) -> Vec<u8> {
    guest(Page::absent(0)).in_xl_with(xl::FLAG_JSON | xl::FLAG_STREAM_V2, config).bytes()
}

fn libvirt_image(xml: &[u8]) -> Vec<u8> {
    guest(Page::absent(0)).in_libvirt_with(xml).bytes()
}

fn guest(page: Page) -> Stream {
    let memory = libxc::page_data(&[page]);
    valid::hvm().before(Part::libxc(types::X86_TSC_INFO), memory).in_libxl().with_device_model()
}

/// Reports of the image in memory, read byte by byte, and read as a pipe would be.
fn reports(image: &[u8], options: &Options) -> [Report; 3] {
    struct Drops<'o>(&'o [u8]);
    impl std::io::Read for Drops<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
            let one = bytes.len().min(1);
            self.0.read(&mut bytes[..one])
        }
    }
    [verify_slice(image, options), verify_reader(Drops(image), options), verify_reader(image, options)]
        .map(Result::unwrap)
}

fn verdict(report: &Report) -> Option<(Rule, u64)> {
    report.violation().map(|violation| (violation.rule, violation.offset))
}

#[test]
fn malformed_configuration_is_found_at_its_offset() {
    let images = [
        (xl_image(b"{\"a\": }\0"), Rule::XlConfigJson, xl::at::CONFIG + 6),
        (libvirt_image(b"<a></b>\0"), Rule::LibvirtXmlSyntax, libvirt::HEADER + 3),
    ];
    for (mut image, rule, offset) in images {
        for policy in [Policy::spec(), Policy::restore(), Policy::hardened()] {
            let level = policy.level(rule);
            for report in reports(&image, &Options::new(policy)) {
                let (listed, other) = match level {
                    Level::Deny => (report.violation(), report.warnings.listed().first()),
                    _ => (report.warnings.listed().first(), report.violation()),
                };
                let found = listed.map(|listed| (listed.rule, listed.offset, listed.record));
                assert_eq!((found, other), (Some((rule, offset, None)), None));
            }
        }
        // At deny it comes in front of the damage after it, though one read brings both.
        let ident = image.windows(8).position(|bytes| bytes == b"LibxlFmt").unwrap();
        image[ident] = b'X';
        let policy = Policy::spec().with_level(rule, Level::Deny).unwrap();
        for report in reports(&image, &Options::new(policy.clone())) {
            assert_eq!(verdict(&report), Some((rule, offset)));
            assert!(report.findings.is_empty());
        }
        for report in reports(&image, &Options::new(policy.with_keep_going(true))) {
            let found: Vec<_> = report.findings.listed().iter().map(|finding| finding.rule).collect();
            assert_eq!(found, [rule, Rule::LibxlIdent]);
            assert_eq!(verdict(&report), Some((rule, offset)));
        }
    }
}

#[test]
fn configuration_in_cfg_syntax_is_not_parsed_as_json() {
    let image = guest(Page::absent(0)).in_xl_with(xl::FLAG_STREAM_V2, b"name = 'guest'\0").bytes();
    for report in reports(&image, &Options::new(Policy::spec())) {
        let [warning] = report.warnings.listed() else { panic!("{:?}", report.warnings) };
        assert_eq!(warning.rule, Rule::XlConfigFormat);
    }
}

#[test]
fn memory_bounds_the_pfns_of_a_hardened_guest() {
    let config = br#"{"b_info": {"max_memkb": 8192}}"#;
    let config = [&config[..], &[0]].concat();
    let limit = (1 << 20) + 2048;
    // One page stands for a guest of that size.
    let policy = |policy: Policy| policy.with_level(Rule::LibxcMemoryGap, Level::Allow).unwrap();
    for (pfn, refused) in [(limit - 1, false), (limit, true)] {
        let stream = guest(Page::normal(pfn)).in_xl_with(xl::FLAG_JSON | xl::FLAG_STREAM_V2, &config);
        let image = stream.bytes();
        let options = Options::new(policy(Policy::hardened()));
        for report in reports(&image, &options) {
            let [derived] = &report.derived_limits[..] else { panic!("{:?}", report.derived_limits) };
            assert_eq!(
                (derived.limit, derived.value, derived.memory_kib),
                (Limit::HvmPfn, limit, Some(8192))
            );
            let rule = report.violation().map(|violation| violation.rule);
            assert_eq!(rule, refused.then_some(Rule::LibxcPageDataPfnLimit));
        }
        // What the user says goes, and other profiles do not look.
        let explicit = Options::new(policy(Policy::hardened()).with_limit(Limit::HvmPfn, limit + 1));
        let not_derived = options.with_derived_limits(false);
        for options in [explicit, not_derived, Options::new(policy(Policy::restore()))] {
            for report in reports(&image, &options) {
                assert!(report.is_valid() && report.derived_limits.is_empty(), "{:?}", report.violation());
            }
        }
    }
}

/// Of a PV guest, its p2m.
#[test]
fn memory_bounds_the_p2m_of_a_hardened_guest() {
    let config = b"{\"b_info\": {\"max_memkb\": 8192}}\0";
    let limit = (1 << 20) + 2048;
    // Its registers name no page table.
    let policy = |policy: Policy| {
        let policy = policy.with_level(Rule::LibxcMemoryShort, Level::Allow).unwrap();
        policy.with_level(Rule::PvCr3Type, Level::Allow).unwrap()
    };
    for (end_pfn, refused) in [(limit - 1, false), (limit, true)] {
        let frames = vec![1; (end_pfn / 512 + 1) as usize];
        let guest = minimal::pv64()
            .replaced(Part::libxc(types::X86_PV_P2M_FRAMES), libxc::p2m_frames(0, end_pfn, &frames));
        let image = guest.in_libxl().in_xl_with(xl::FLAG_JSON | xl::FLAG_STREAM_V2, config).bytes();
        for report in reports(&image, &Options::new(policy(Policy::hardened()))) {
            let [derived] = &report.derived_limits[..] else { panic!("{:?}", report.derived_limits) };
            let expected = (Limit::P2mPfn, u64::from(limit), Some(8192));
            assert_eq!((derived.limit, derived.value, derived.memory_kib), expected);
            let rule = report.violation().map(|violation| violation.rule);
            assert_eq!(rule, refused.then_some(Rule::LibxcP2mFramesRange));
        }
        // Set by hand, be it to what it would have been.
        let explicit = policy(Policy::hardened()).with_limit(Limit::P2mPfn, 1 << 28);
        for report in reports(&image, &Options::new(explicit)) {
            assert!(report.is_valid() && report.derived_limits.is_empty(), "{:?}", report.violation());
        }
    }
}

#[test]
fn a_configuration_does_not_raise_a_limit() {
    let config = b"{\"b_info\": {\"max_memkb\": 1152921504606846976}}\0";
    for report in reports(&xl_image(config), &Options::new(Policy::hardened())) {
        assert!(report.is_valid() && report.derived_limits.is_empty());
    }
}

#[test]
fn a_caller_hears_the_configuration_only_if_it_asks() {
    #[derive(Default)]
    struct Bodies {
        asks: bool,
        heard: Vec<u8>,
        from: Option<u64>,
    }
    impl Observer for Bodies {
        fn wants_body(&mut self, record: &Record) -> bool {
            self.asks && record.layer == xenstream::Layer::Xl
        }
        fn on_body(&mut self, offset: u64, bytes: &[u8]) {
            self.from.get_or_insert(offset);
            self.heard.extend_from_slice(bytes);
        }
    }
    let config = b"{}\0";
    for asks in [false, true] {
        let mut bodies = Bodies { asks, ..Bodies::default() };
        verify(Input::Slice(&xl_image(config)), &Options::new(Policy::spec()), &mut bodies).unwrap();
        assert_eq!(bodies.heard, if asks { &config[..] } else { b"" });
        assert_eq!(bodies.from, asks.then_some(xl::at::CONFIG));
    }
}

/// The images of a domain with this many vcpus by its configuration: of xl, and of libvirt.
fn images_with_vcpus(stream: &Stream, vcpus: u64) -> [Vec<u8>; 2] {
    let json = format!("{{\"b_info\": {{\"max_vcpus\": {vcpus}}}}}\0");
    let xml = format!("<domain type='xen'><vcpu placement='static' current='1'>{vcpus}</vcpu></domain>\0");
    let flags = xl::FLAG_JSON | xl::FLAG_STREAM_V2;
    [
        stream.clone().in_xl_with(flags, json.as_bytes()).bytes(),
        stream.clone().in_libvirt_with(xml.as_bytes()).bytes(),
    ]
}

/// A domain has as many vcpus as its configuration says, and Xen refuses the state of any other.
#[test]
fn the_configuration_bounds_the_vcpus() {
    let context = libxc::hvm_context(&Chain::with_devices(2));
    let hvm = valid::hvm().replaced(Part::libxc(types::HVM_CONTEXT), context);
    let hvm = hvm.in_libxl().with_device_model();
    let pv = valid::pv64().before(Part::libxc(types::END), libxc::vcpu_xsave(1, 16)).in_libxl();
    for (stream, rule) in [(hvm, Rule::HvmInstance), (pv, Rule::LibxcVcpuId)] {
        // No domain has none: the toolstacks give it one.
        for (vcpus, limit) in [(0, 1), (1, 1), (2, 2)] {
            for (image, policy) in images_with_vcpus(&stream, vcpus).into_iter().flat_map(|image| {
                [Policy::restore(), Policy::hardened()].map(|policy| (image.clone(), policy))
            }) {
                let options = Options::new(policy.clone());
                for report in reports(&image, &options) {
                    let found = report
                        .violation()
                        .map(|found| (found.rule, found.found.number(), found.expected.number()));
                    assert_eq!(found, (limit < 2).then_some((rule, Some(1), Some(1))), "{vcpus}");
                    let derived: Vec<_> = report.derived_limits.iter().map(|d| (d.limit, d.value)).collect();
                    assert_eq!(derived, [(Limit::Vcpus, limit)]);
                    let notable = report.notable_limits().count();
                    assert_eq!(notable, usize::from(limit < 2));
                }
                let by_hand = Options::new(policy.with_limit(Limit::Vcpus, 2));
                for options in [by_hand, options.with_derived_limits(false), Options::new(Policy::spec())] {
                    for report in reports(&image, &options) {
                        assert!(
                            report.is_valid() && report.derived_limits.is_empty(),
                            "{:?}",
                            report.verdict
                        );
                    }
                }
            }
        }
    }
}
