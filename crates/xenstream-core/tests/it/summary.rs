//! What a summary counts, by names and numbers.

use xenstream_core::wire::libxc::{self, page, types};
use xenstream_core::wire::{Order, libxl, padding};
use xenstream_core::{Format, Guest, Layer, PageType, PfnEntry, Policy, Rule, Summary, Verifier};

fn summary(format: Format, stream: &[u8]) -> Summary {
    let mut verifier = Verifier::new(format, &Policy::spec());
    verifier.push(stream, &mut ()).unwrap();
    *verifier.summary()
}

/// A bare libxc stream's headers and these records, of this type and with bodies of this many zero bytes.
fn libxc(records: &[(u32, u32)]) -> Vec<u8> {
    let mut stream = vec![0xFF; 8];
    stream.extend(b"XENF\0\0\0\x03\0\0\0\0\0\0\0\0");
    stream.extend([2, 0, 0, 0, 12, 0, 0, 0, 4, 0, 0, 0, 17, 0, 0, 0]);
    append(&mut stream, records);
    stream
}

fn append(stream: &mut Vec<u8>, records: &[(u32, u32)]) {
    for (kind, length) in records {
        stream.extend(kind.to_le_bytes());
        stream.extend(length.to_le_bytes());
        stream.resize(stream.len() + length.next_multiple_of(8) as usize, 0);
    }
}

#[test]
fn formats_and_guests_have_names() {
    let names = ["auto", "xl", "libvirt", "xenopsd", "libxl", "libxc"];
    assert!(Format::all().map(Format::name).eq(names));
    for (format, name) in Format::all().zip(names) {
        assert_eq!((format.to_string().as_str(), name.parse()), (name, Ok(format)));
    }
    assert_eq!("XL".parse::<Format>().unwrap_err().to_string(), "no format has this name");
    let guests = [Guest::Pv, Guest::Hvm];
    assert_eq!(guests.map(Guest::name), ["pv", "hvm"]);
    assert_eq!(guests.map(|guest| guest.to_string()), ["pv", "hvm"]);
}

#[test]
fn records_are_counted_by_layer_and_type() {
    let mut stream = b"LibxlFmt\0\0\0\x02\0\0\0\0".to_vec();
    append(&mut stream, &[(libxl::types::LIBXC_CONTEXT, 0)]);
    let records = [
        (types::STATIC_DATA_END, 0),
        (types::X86_TSC_INFO, 24),
        (types::X86_TSC_INFO, 24),
        (types::OPTIONAL, 0),
        (types::OPTIONAL | 5, 9),
        (types::OPTIONAL | 6, 1),
    ];
    stream.extend(libxc(&records));
    let records = summary(Format::Auto, &stream).records;
    for kind in 0..40 {
        let libxc = match kind {
            types::STATIC_DATA_END => 1,
            types::X86_TSC_INFO => 2,
            _ => 0,
        };
        assert_eq!(records.get(Layer::Libxc, kind), libxc, "{kind}");
        let libxl = u64::from(kind == libxl::types::LIBXC_CONTEXT);
        assert_eq!(records.get(Layer::Libxl, kind), libxl, "{kind}");
        assert_eq!(records.get(Layer::Hvm, kind), 0);
    }
    assert_eq!((records.optional(), records.container(), records.total()), (3, 0, 7));
    assert_eq!(
        records.iter().collect::<Vec<_>>(),
        [
            (Layer::Libxl, "LIBXC_CONTEXT", 1),
            (Layer::Libxc, "X86_TSC_INFO", 2),
            (Layer::Libxc, "STATIC_DATA_END", 1)
        ]
    );
}

#[test]
fn headers_of_xenopsd_are_counted_apart() {
    let mut stream = b"XenSavedDomv2-\n".to_vec();
    for (kind, body) in [(0x0Fu64, &b"()"[..]), (0xF0, b"")] {
        stream.extend(kind.to_le_bytes());
        stream.extend((body.len() as u64).to_le_bytes());
        stream.extend(body);
    }
    let records = summary(Format::Auto, &stream).records;
    assert_eq!((records.container(), records.optional(), records.total()), (2, 0, 0));
}

#[test]
fn an_entry_is_a_type_and_a_pfn() {
    for kind in 0..16 {
        let entry = PfnEntry::new(kind << 60 | 0xFF << 52 | 0x000F_FFFF_FFFF_FFFF);
        assert_eq!((entry.page_type().bits(), entry.pfn()), (kind, (1 << 52) - 1));
        let has_data = matches!(kind, page::NOTAB..=page::L4TAB | 9..=12);
        assert_eq!(entry.has_data(), has_data, "{kind}");
    }
    assert_eq!((PfnEntry::new(5).page_type(), PfnEntry::new(5).pfn()), (PageType::NOTAB, 5));
}

#[test]
fn a_record_is_padded_to_8_bytes() {
    for (length, bytes) in [(0, 0), (1, 7), (7, 1), (8, 0), (9, 7), (0xFFFF_FFFF, 1), (u64::MAX, 1)] {
        assert_eq!(padding(length), bytes, "{length}");
    }
}

#[test]
fn words_are_read_in_their_order() {
    assert_eq!((Order::Little.swapped(), Order::Big.swapped()), (Order::Big, Order::Little));
    let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
    let [a, b, c, d, ..] = bytes;
    assert_eq!((Order::Little.u16([a, b]), Order::Big.u16([a, b])), (0x0201, 0x0102));
    let four = [a, b, c, d];
    assert_eq!((Order::Little.u32(four), Order::Big.u32(four)), (0x0403_0201, 0x0102_0304));
    let [little, big] = [Order::Little, Order::Big].map(|order| order.u64(bytes));
    assert_eq!((little, big), (0x0807_0605_0403_0201, 0x0102_0304_0506_0708));
}

/// Of a guest with a batch of four pages, cut at each place of it.
#[test]
fn pages_of_a_torn_record_are_those_that_arrived() {
    let mut head = vec![0xFF; 8];
    head.extend(libxc::ID.to_be_bytes());
    head.extend([0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.extend([libxc::DOMAIN_X86_HVM, u32::from(libxc::PAGE_SHIFT), 4, 17].map(u32::to_le_bytes).concat());
    head.extend([types::STATIC_DATA_END, 0].map(u32::to_le_bytes).concat());
    let length = 8 + 5 * 8 + 4 * 4096;
    let mut record = [types::PAGE_DATA, length, 5, 0].map(u32::to_le_bytes).concat();
    record.extend([0u64, 1, 2, 0xF << 60 | 3, 4].map(u64::to_le_bytes).concat());
    record.resize(8 + length as usize, 0);
    for (taken, arrived, entries) in [
        (4, 0, 0),
        (8, 0, 0),
        (16, 0, 0),
        (32, 0, 2),
        (56, 0, 5),
        (56 + 4095, 0, 5),
        (56 + 4096, 1, 5),
        (56 + 3 * 4096 + 1, 3, 5),
        (56 + 4 * 4096, 4, 5),
    ] {
        let mut verifier = Verifier::new(Format::Libxc, &Policy::spec());
        verifier.push(&head, &mut ()).unwrap();
        verifier.push(&record[..taken], &mut ()).unwrap();
        let violation = verifier.finish(&mut ()).unwrap_err();
        let pages = &verifier.summary().pages;
        assert_eq!((pages.with_data(), pages.entries()), (arrived, entries), "{taken}");
        let missing = if taken < 8 { 0 } else { (record.len() - taken) as u64 };
        assert_eq!(
            (violation.rule, violation.expected.number().unwrap_or(0)),
            (Rule::StreamTruncated, missing),
            "{taken}"
        );
    }
}
