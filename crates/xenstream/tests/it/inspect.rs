//! Inspection of every stream of the corpus: each record has one row, in stream order, and the verdict is that of
//! verification.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xenstream::inspect::{Content, Datum, Fold, Head, Inspection, Kind, LISTED, Row, Sink, inspect};
use xenstream::wire::Order;
use xenstream::wire::libxc::types;
use xenstream::wire::libxl::types::EMULATOR_XENSTORE_DATA;
use xenstream::{
    Checkpointing, Compression, Error, Header, Input, Layer, Level, Observer, Options, Policy, Profile,
    Record, Report, Rule, Violation, verify,
};
use xenstream_synth::hvm::{Chain, Entry};
use xenstream_synth::{Basic, Body, Field, Page, Part, Stream, libxc as records, libxl, valid};

/// Files of a folder of the corpus, and of the folders in it.
fn files(folder: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus").join(folder);
    let files = walkdir::WalkDir::new(directory).sort_by_file_name().into_iter().map(Result::unwrap);
    let files: Vec<_> = files
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin" || extension == "xz"))
        .collect();
    assert!(!files.is_empty(), "{folder}");
    files
}

fn bytes(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    if Compression::recognise(&bytes).is_some() {
        bytes.clear();
        liblzma::read::XzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    }
    bytes
}

/// What a row is about: layer, index, absolute offset.
type Place = (Layer, Option<u64>, u64);

/// Headers and records as they are met, without any of the code under test.
#[derive(Default)]
struct Places(Vec<Place>);

impl Observer for Places {
    fn on_header(&mut self, header: &Header) {
        self.0.push(match *header {
            Header::Xl { offset, .. } => (Layer::Xl, None, offset),
            Header::Libvirt { offset, .. } => (Layer::Libvirt, None, offset),
            Header::Xenopsd { offset } => (Layer::Xenopsd, None, offset),
            Header::Libxl { offset, .. } => (Layer::Libxl, None, offset),
            Header::LibxcImage { offset, .. } | Header::LibxcDomain { offset, .. } => {
                (Layer::Libxc, None, offset)
            }
            _ => panic!("a header of a new kind: {header:?}"),
        });
    }

    fn wants_body(&mut self, record: &Record) -> bool {
        match record.layer {
            Layer::Xl => self.0.push((Layer::Xl, None, 48)),
            Layer::Libvirt => self.0.push((Layer::Libvirt, None, 64)),
            _ => {}
        }
        false
    }

    fn on_record(&mut self, record: &Record) {
        self.0.push((record.layer, Some(record.index), record.offset));
    }
}

fn place(head: &Head) -> Place {
    (head.layer, head.index, head.offset)
}

fn rows(input: Input<'_>, options: &Options) -> (Result<Inspection, Error>, Vec<Row>) {
    let mut rows = Vec::new();
    let result = inspect(input, options, &mut |row: Row| rows.push(row));
    (result, rows)
}

/// Inspects it and checks that against a verification.
fn check(bytes: &[u8], options: &Options, name: &str) -> Vec<Row> {
    let mut places = Places::default();
    let verified = verify(Input::Slice(bytes), options, &mut places).unwrap();
    let (inspected, rows) = rows(Input::Slice(bytes), options);
    let Inspection { report, view, .. } = inspected.unwrap();
    assert_eq!(report.verdict, verified.verdict, "{name}");
    assert_eq!((&report.warnings, &report.findings), (&verified.warnings, &verified.findings), "{name}");
    assert_eq!(report.summary, verified.summary, "{name}");
    assert_eq!(rows.iter().map(|row| place(&row.head)).collect::<Vec<_>>(), places.0, "{name}");
    assert!(places.0.is_sorted_by(|(.., a), (.., b)| a < b), "{name}: {places:?}", places = places.0);
    for row in &rows {
        let line = row.content.to_string();
        assert!(
            line.bytes().all(|byte| matches!(byte, b' '..=b'~')) && line.len() < 8192,
            "{name}: {line:?}"
        );
        assert!(serde_json::to_string(row).is_ok());
    }
    for pair in rows.windows(2) {
        // HVM_CONTEXT's row stands in front of its entries.
        assert!(!pair[0].torn, "{name}: {} is followed by {}", pair[0], pair[1]);
    }
    match (report.violation(), view) {
        (None, view) => assert_eq!(view, None),
        (Some(violation), Some(view)) => {
            let at = view.offset as usize;
            assert_eq!(bytes[at..at + view.bytes.len()], view.bytes, "{name}");
            assert!(view.offset <= violation.offset, "{name}");
        }
        // There is nothing around the only byte that is not there.
        (Some(violation), None) => assert!(violation.offset >= bytes.len() as u64, "{name}: {violation}"),
    }
    rows
}

fn every_options() -> impl Iterator<Item = Options> {
    let kinds = [Checkpointing::Auto, Checkpointing::Plain, Checkpointing::Remus, Checkpointing::Colo];
    Profile::all().flat_map(move |profile| {
        kinds.into_iter().flat_map(move |kind| {
            let policy =
                move |keep_going| Policy::new(profile).with_checkpointing(kind).with_keep_going(keep_going);
            [Options::new(policy(false)), Options::new(policy(true))]
        })
    })
}

#[test]
fn every_record_of_made_streams_has_a_row() {
    for path in files("rules").into_iter().chain(files("valid")).chain(files("crashes")) {
        let bytes = bytes(&path);
        for options in every_options() {
            check(&bytes, &options, &format!("{} {:?}", path.display(), options.policy.profile()));
        }
    }
}

#[test]
fn every_record_of_real_images_is_decoded() {
    for path in files("real") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let rows = check(&bytes(&path), &Options::new(Policy::spec()), name);
        let guest = name.split(['-', '.', '6', '3', '_']).next().unwrap();
        let is_xl =
            |row: &&Row| row.head.layer == Layer::Xl && row.head.kind == Kind::Header("configuration");
        let configuration = &rows.iter().find(is_xl).unwrap().content;
        let text = |name| match configuration.value(name) {
            Some(Datum::Text(text)) => String::from_utf8(text.bytes().to_vec()).unwrap(),
            other => panic!("{path:?}: {name}: {other:?}"),
        };
        let number = |name| match configuration.value(name) {
            Some(Datum::Number(number, _)) => *number,
            other => panic!("{path:?}: {name}: {other:?}"),
        };
        assert!(name.starts_with(&text("name")), "{name}");
        assert_eq!(text("uuid").len(), 36);
        assert_eq!(text("kind"), guest, "{name}");
        assert!(number("memory_kib") >= 8192 && (1..=2).contains(&number("vcpus")));
        // What Xen writes leaves nothing open but empty records and blobs.
        for row in rows.iter().filter(|row| row.content.is_nothing()) {
            let kind = row.head.kind.to_string();
            let blobs = ["LIBXC_CONTEXT", "STATIC_DATA_END", "VERIFY", "END", "SHARED_INFO", "HVM_CONTEXT"];
            assert!(blobs.contains(&&*kind), "{name}: {row}");
        }
    }
}

/// A smallest stream that breaks a rule and its neighbour that does not differ in the field that is wrong.
#[test]
fn the_field_that_is_wrong_is_shown_whole() {
    let mut fields = 0;
    for path in files("rules").into_iter().filter(|path| !path.to_string_lossy().contains(".ok.")) {
        let (bad, good) = (bytes(&path), bytes(&path.with_extension("ok.bin")));
        let (result, _) = rows(Input::Slice(&bad), &Options::new(Policy::spec()));
        let Inspection { report, view: Some(view), .. } = result.unwrap() else { continue };
        let Violation { rule, offset, .. } = report.violation().unwrap();
        let at = *offset as usize;
        if bad.len() != good.len() {
            continue;
        }
        let differs = |at: &usize| bad[*at] != good[*at];
        let Some(last) = (at..bad.len().min(at + 8)).rfind(differs) else { continue };
        fields += 1;
        // A length does not go with a count, and it is the count that differs.
        let counts = rule.name().ends_with("-length") || rule.name().ends_with("-empty");
        assert!(last < at + view.width as usize || counts, "{}: {last} is wrong too", path.display());
    }
    assert!(fields > 50, "{fields}");
}

#[test]
fn rows_are_the_same_from_every_source() {
    /// One byte at a time.
    struct Drops<'o>(&'o [u8]);
    impl Read for Drops<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
            let one = bytes.len().min(1);
            self.0.read(&mut bytes[..one])
        }
    }
    for path in files("rules").into_iter().step_by(3).chain(files("valid")) {
        let bytes = bytes(&path);
        let options = Options::new(Policy::spec());
        let (expected, from_slice) = rows(Input::Slice(&bytes), &options);
        let expected = expected.unwrap();
        let packed = zstd::encode_all(&bytes[..], 1).unwrap();
        let file = rows(Input::Path(&path), &options);
        let reader = rows(Input::Reader(&mut &bytes[..]), &options);
        let drops = rows(Input::Reader(&mut Drops(&bytes)), &options);
        let compressed = rows(Input::Slice(&packed), &options);
        for (how, (result, rows)) in
            [("file", file), ("reader", reader), ("drops", drops), ("zstd", compressed)]
        {
            let name = format!("{}, {how}", path.display());
            let Inspection { report, view, .. } = result.unwrap();
            if how != "reader" && how != "drops" {
                assert_eq!(report.verdict, expected.report.verdict, "{name}");
            }
            assert_eq!(rows, from_slice, "{name}");
            // In order nothing is read after the fault; what is shown is shown truly.
            let (Some(view), Some(whole)) = (view, &expected.view) else { continue };
            let at = (view.offset - whole.offset) as usize;
            assert_eq!(view.bytes, whole.bytes[at..at + view.bytes.len()], "{name}");
            assert!(how != "file" || view == *whole, "{name}");
        }
    }
}

/// Asks for the bytes of every record of a layer.
struct Bytes {
    layer: Layer,
    heads: Vec<Head>,
    bytes: Vec<(u64, Vec<u8>)>,
}

impl Bytes {
    fn of(layer: Layer, input: Input<'_>) -> (Bytes, Report) {
        let mut sink = Bytes { layer, heads: Vec::new(), bytes: Vec::new() };
        let report = inspect(input, &Options::new(Policy::spec()), &mut sink).unwrap().report;
        (sink, report)
    }
}

impl Sink for Bytes {
    fn begin(&mut self, head: &Head) -> bool {
        let wanted = head.layer == self.layer;
        if wanted {
            self.heads.push(*head);
        }
        wanted
    }

    fn bytes(&mut self, offset: u64, bytes: &[u8]) {
        match self.bytes.last_mut() {
            Some((start, all)) if *start + all.len() as u64 == offset => all.extend_from_slice(bytes),
            _ => self.bytes.push((offset, bytes.to_vec())),
        }
    }

    fn row(&mut self, _: Row) {}
}

#[test]
fn requested_bytes_are_complete() {
    for path in files("valid") {
        let image = bytes(&path);
        let name = path.display();
        for layer in Layer::all() {
            let (from_file, report) = Bytes::of(layer, Input::Path(&path));
            assert!(report.is_valid());
            let (from_reader, _) = Bytes::of(layer, Input::Reader(&mut &image[..]));
            assert_eq!(from_file.bytes, from_reader.bytes, "{name}");
            for (offset, bytes) in &from_file.bytes {
                let at = *offset as usize;
                assert!(image[at..at + bytes.len()] == bytes[..], "{name}: bytes at {offset}");
            }
            // Layers that nest are in one another's bytes.
            let asked: u64 = from_file.heads.iter().map(|head| head.bytes).sum();
            let given: u64 = from_file.bytes.iter().map(|(_, bytes)| bytes.len() as u64).sum();
            assert_eq!(asked, given, "{name}, {layer}");
        }
    }
}

#[test]
fn runs_of_page_data_fold() {
    let page = |pfn| records::page_data(&[Page::normal(pfn), Page::absent(pfn + 1)]);
    let part = Part::libxc(types::X86_TSC_INFO);
    // In front of what is there, the last one first.
    let stream = valid::hvm().before(part, page(0x8)).before(part, records::verify()).before(part, page(0x4));
    let bytes = stream.bytes();
    let (_, rows) = rows(Input::Slice(&bytes), &Options::new(Policy::spec()));
    let mut fold = Fold::default();
    let mut folded: Vec<_> = rows.into_iter().flat_map(|row| fold.take(row)).collect();
    folded.extend(fold.finish());
    let runs: Vec<_> = folded.iter().filter(|row| matches!(row.content, Content::PageData(_))).collect();
    let [first, second] = runs[..] else { panic!("{runs:?}") };
    assert_eq!((first.records(), first.head.index, first.last_index), (4, Some(3), Some(6)));
    assert_eq!(
        first.content.to_string(),
        "4 records, 23 entries, pfn 0x0-0x14: 2 NOTAB, 1 BROKEN, 6 XALLOC, 14 XTAB"
    );
    assert_eq!(second.content.to_string(), "2 entries, pfn 0x4-0x5: 1 NOTAB, 1 XTAB");
    let end = folded.iter().find(|row| row.head.kind.to_string() == "VERIFY").unwrap();
    assert_eq!((first.head.end(), second.last_index), (end.head.offset, None));
}

#[test]
fn who_wants_no_more_is_not_read_on_for() {
    struct Few(usize);
    impl Sink for Few {
        fn row(&mut self, _: Row) {
            self.0 += 1;
        }
        fn wants_more(&self) -> bool {
            self.0 < 4
        }
    }
    // Without an end: read on it would be for ever.
    let stream = valid::hvm();
    let bytes = stream.bytes();
    let page = stream.offset(stream.find(Part::libxc(types::PAGE_DATA))) as usize;
    let (start, rest) = bytes.split_at(page);
    let record = &rest[..8 + 16 + 4096];
    let endless = start.chain(Endless { record, at: 0 });
    let mut few = Few(0);
    let result = inspect(Input::Reader(&mut { endless }), &Options::new(Policy::spec()), &mut few);
    assert!(matches!(result, Err(Error::ConsumerGone { .. })), "{result:?}");
    assert_eq!(few.0, 4 + 1, "and the one that had begun");
}

/// The same bytes again and again.
struct Endless<'o> {
    record: &'o [u8],
    at: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        for byte in &mut *bytes {
            *byte = self.record[self.at];
            self.at = (self.at + 1) % self.record.len();
        }
        Ok(bytes.len())
    }
}

/// The only row of this type, as a line and as JSON.
fn decoded(stream: &Stream, kind: &str) -> (String, Value) {
    let (result, rows) = rows(Input::Slice(&stream.bytes()), &Options::new(Policy::spec()));
    assert!(result.unwrap().report.is_valid(), "{rows:?}");
    let mut rows = rows.iter().filter(|row| row.head.kind.to_string() == kind);
    let (Some(row), None) = (rows.next(), rows.next()) else { panic!("not one {kind}") };
    (row.content.to_string(), serde_json::to_value(&row.content).unwrap())
}

#[test]
fn records_are_decoded_in_either_byte_order() {
    let pv64 = || valid::pv64();
    let registers = Basic::pv64().with_bytes(648, &0xFFFF_FFFF_8100_0000u64.to_le_bytes()).cr3(1);
    let xsave = Body::new().with(Field::le64(7)).with(Field::le64(0x207)).zeros(832);
    let hvm_cpu = [0u8; 640].into_iter().chain((1..=7u64).flat_map(u64::to_le_bytes)).chain([0; 336]);
    let chain = Chain::around([
        Entry::new(2, 0, hvm_cpu.collect::<Vec<_>>()),
        Entry::msrs(0, &[(0xC000_0103, 9), (0x1234, 10)]),
    ]);
    for (stream, kind, line, json) in [
        (
            pv64().replaced(Part::libxc(types::X86_TSC_INFO), records::clock_of(1, 2_400_000, 1 << 33, 4)),
            "X86_TSC_INFO",
            "mode 0x1 (always emulated), khz 2400000, nsec 8589934592, incarnation 4",
            json!({"fields": {
                "mode": 1, "mode_name": "always emulated", "khz": 2_400_000, "nsec": 1u64 << 33, "incarnation": 4,
                "reserved": 0,
            }}),
        ),
        (
            pv64(),
            "X86_PV_P2M_FRAMES",
            "frames 1, start_pfn 0x0, end_pfn 0x5",
            json!({"frames": 1, "fields": {"start_pfn": 0, "end_pfn": 5, "frame": [4]}}),
        ),
        (
            valid::pv32(),
            "X86_PV_INFO",
            "guest_width 4, pt_levels 3",
            json!({"fields": {"guest_width": 4, "pt_levels": 3, "reserved": 0}}),
        ),
        (
            pv64().replaced(Part::libxc(types::X86_PV_VCPU_BASIC), records::vcpu_basic(0, &registers)),
            "X86_PV_VCPU_BASIC",
            "cr3_pfn 0x1, vcpu_id 0, rip 0xffffffff81000000, cr3 0x1000",
            Value::Null,
        ),
        (
            pv64().replaced(
                Part::libxc(types::X86_PV_VCPU_XSAVE),
                records::vcpu(types::X86_PV_VCPU_XSAVE, 0, xsave),
            ),
            "X86_PV_VCPU_XSAVE",
            "vcpu_id 0, xcr0 0x7 (x87 SSE AVX), xcr0_accum 0x207 (x87 SSE AVX PKRU)",
            Value::Null,
        ),
        (
            pv64().replaced(
                Part::libxc(types::X86_PV_VCPU_MSRS),
                records::vcpu_msrs(0, &[(0x48, 1), (0xD_1234, 2)]),
            ),
            "X86_PV_VCPU_MSRS",
            "vcpu_id 0, 2 entries: SPEC_CTRL 0x1, [0xd1234] 0x2",
            json!({"fields": {"vcpu_id": 0, "reserved": 0, "entries": [
                {"index": 0x48, "index_name": "SPEC_CTRL", "reserved": 0, "value": 1},
                {"index": 0xD_1234, "index_name": null, "reserved": 0, "value": 2},
            ]}}),
        ),
        (
            valid::hvm()
                .replaced(Part::libxc(types::HVM_PARAMS), records::hvm_params(&[(1, 0xFEFFC), (3, 4)])),
            "HVM_PARAMS",
            "2 entries: STORE_PFN 0xfeffc, [0x3] 0x4",
            json!({"fields": {"count": 2, "reserved": 0, "entries": [
                {"index": 1, "index_name": "STORE_PFN", "value": 0xFEFFC},
                {"index": 3, "index_name": null, "value": 4},
            ]}}),
        ),
        (
            valid::hvm().replaced(
                Part::libxc(types::X86_CPUID_POLICY),
                records::cpuid_policy(&[
                    [0, u32::MAX, 2, 0x756E_6547, 0x6C65_746E, 0x4965_6E69],
                    [1, u32::MAX, 0x000A_0655, 0, 0, 0],
                    [2, u32::MAX, 0, 0, 0, 0],
                    [4, 0, 1, 0, 0, 0],
                    [4, 1, 2, 0, 0, 0],
                    [0x21, u32::MAX, 0, 0, 0, 1],
                ]),
            ),
            "X86_CPUID_POLICY",
            "vendor \"GenuineIntel\", family 6, model 165, stepping 5, 6 entries: vendor, features, cache descriptors, \
             caches x2, [0x21]",
            Value::Null,
        ),
        (
            valid::hvm().replaced(Part::libxc(types::HVM_CONTEXT), records::hvm_context(&chain)),
            "CPU",
            "vcpu_id 0, rip 0x1, cr0 0x3 (PE MP), cr3 0x5, cr4 0x6 (PVI TSD)",
            Value::Null,
        ),
        (
            valid::hvm().replaced(Part::libxc(types::HVM_CONTEXT), records::hvm_context(&chain)),
            "CPU_MSR",
            "vcpu_id 0, 2 entries: TSC_AUX 0x9, [0x1234] 0xa",
            json!({"vcpu_id": 0, "fields": {"count": 2, "entries": [
                {"index": 0xC000_0103u32, "index_name": "TSC_AUX", "_rsvd": 0, "value": 9},
                {"index": 0x1234, "index_name": null, "_rsvd": 0, "value": 10},
            ]}}),
        ),
    ] {
        for order in [Order::Little, Order::Big] {
            let (found, object) = decoded(&stream.clone().with_order(order), kind);
            assert_eq!(found, line, "{kind} {order:?}");
            assert!(json.is_null() || object == json, "{kind} {order:?}: {object}");
        }
    }
}

#[test]
fn findings_name_their_declared_field() {
    let basic = Part::libxc(types::X86_PV_VCPU_BASIC);
    let cr3 = valid::pv64().edited(basic, 16 + 5008, Field::U64(0xFFFF << 12));
    let frame =
        valid::pv32().edited(basic, 16 + 2640, Field::U32(0xFFFF)).edited(basic, 16 + 2704, Field::U32(8));
    let mode = valid::hvm().edited(Part::libxc(types::X86_TSC_INFO), 8, Field::U32(3));
    let kind = valid::hvm().edited(Part::libxc(types::X86_TSC_INFO), 0, Field::U32(0x77));
    for (stream, expected) in [
        (cr3, Some(("cr3 of X86_PV_VCPU_BASIC, 64-bit", 8))),
        (frame, Some(("gdt_frame 0 of X86_PV_VCPU_BASIC, 32-bit", 4))),
        (mode, Some(("mode of X86_TSC_INFO", 4))),
        (kind, None),
    ] {
        let options = Options::new(Policy::new(Profile::Restore));
        let (result, _) = rows(Input::Slice(&stream.bytes()), &options);
        let view = result.unwrap().view.unwrap();
        let named = view.field.map(|field| (field.to_string(), view.width));
        assert_eq!(named, expected.map(|(name, width)| (name.to_owned(), width)));
    }
}

#[test]
fn device_model_state_is_decoded() {
    let data = libxl::xenstore(&[("physmap/f0000000/size", "0x1000000"), ("physmap/f0000000/name", "vga")]);
    let stream =
        valid::hvm().in_libxl().with_device_model().replaced(Part::libxl(EMULATOR_XENSTORE_DATA), data);
    let (line, json) = decoded(&stream, "EMULATOR_XENSTORE_DATA");
    let expected = "2 entries: \"physmap/f0000000/size\" \"0x1000000\", \"physmap/f0000000/name\" \"vga\", emulator_id 0x2 (qemu upstream)";
    assert_eq!(line, expected);
    assert_eq!(
        json,
        json!({
            "pairs": [
                {"key": "physmap/f0000000/size", "value": "0x1000000"},
                {"key": "physmap/f0000000/name", "value": "vga"},
            ],
            "fields": {"emulator_id": 2, "emulator_id_name": "qemu upstream", "index": 0},
        })
    );
    let (line, json) = decoded(&stream, "EMULATOR_CONTEXT");
    assert_eq!(line, "qemu_version 3, emulator_id 0x2 (qemu upstream)");
    assert_eq!(json["qemu_version"], 3);
}

#[test]
fn configurations_are_decoded() {
    let xl = |config: &str| valid::hvm().in_libxl().in_xl_with(3, format!("{config}\0").as_bytes());
    let libvirt = |xml: &str| valid::hvm().in_libxl().in_libvirt_with(format!("{xml}\0").as_bytes());
    let long = format!("{{\"c_info\": {{\"name\": \"{}\"}}}}", "n".repeat(70));
    for (stream, line) in [
        (xl(r#"{"c_info": {"name": "a"}, "b_info": {"target_memkb": 1025}}"#), "name \"a\", memory_kib 1025"),
        (xl(r#"{"b_info": {"max_memkb": 18446744073709551615, "max_vcpus": 2}}"#), "vcpus 2"),
        (xl(&long), &format!("name \"{}... (6 more)\"", "n".repeat(64))),
        (xl(r#"{"c_info": {"name": 5}}"#), ""),
        (xl(r#"{"c_info": {}, "c_info": {}}"#), ""),
        (xl("[]"), ""),
        (
            libvirt(
                "<domain type='xen'><name>a&amp;b&#33;</name><uuid>u</uuid><memory unit='GiB'>2</memory>\
                 <vcpu placement='static'> 3 </vcpu><devices><name>no</name></devices></domain>",
            ),
            "name \"a&b!\", uuid \"u\", memory_kib 2097152, vcpus 3",
        ),
        (libvirt("<domain><memory>4096</memory><vcpu>many</vcpu></domain>"), "memory_kib 4096"),
        (libvirt("<domain><memory unit='MB'>1</memory></domain>"), "memory_kib 976"),
        (libvirt("<domain><memory unit='EiB'>1</memory></domain>"), ""),
        (libvirt("<domain><name>a<b>c</b>d</name></domain>"), "name \"ad\""),
        (libvirt("<domain/>"), ""),
    ] {
        let (_, rows) = rows(Input::Slice(&stream.bytes()), &Options::new(Policy::spec()));
        let row = rows.iter().find(|row| row.head.kind == Kind::Header("configuration")).unwrap();
        assert_eq!(row.content.to_string(), line);
    }
}

#[test]
fn content_is_bounded_whatever_is_in_it() {
    let leaves: Vec<_> = (0..60_000).map(|leaf| [leaf, u32::MAX, 1, 2, 3, 4]).collect();
    let stream = valid::hvm().replaced(Part::libxc(types::X86_CPUID_POLICY), records::cpuid_policy(&leaves));
    let rows = check(&stream.bytes(), &Options::new(Policy::spec()), "leaves");
    let row = rows.iter().find(|row| row.head.kind.to_string() == "X86_CPUID_POLICY").unwrap();
    let line = row.content.to_string();
    assert!(line.contains("60000 entries: ") && line.ends_with(" more"), "{line}");
    let Some(Datum::List { count: 60_000, elements }) = row.content.value("entries") else { panic!("{row}") };
    assert_eq!(elements.len(), LISTED);
}

#[test]
fn strings_of_a_guest_are_bounded_and_harmless() {
    let value = "\x1b[2J\u{9b}31m".repeat(1000);
    let pairs: Vec<_> = (0..1000).map(|n| (format!("key/{n}"), value.clone())).collect();
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let stream = valid::hvm()
        .in_libxl()
        .with_device_model()
        .replaced(Part::libxl(EMULATOR_XENSTORE_DATA), libxl::xenstore(&pairs));
    let options =
        Options::new(Policy::spec().with_level(Rule::LibxlXenstoreValueCharset, Level::Allow).unwrap());
    let rows = check(&stream.bytes(), &options, "pairs");
    let row = rows.iter().find(|row| row.head.kind.to_string() == "EMULATOR_XENSTORE_DATA").unwrap();
    let line = row.content.to_string();
    let start = "1000 entries: \"key/0\" \"\\x1b[2J";
    assert!(line.starts_with(start) && line.contains("more)\", and 999 more"), "{line}");
}
