//! The tables of the structures are what scrubbing, decoding and the documentation rely on.

use xenstream_core::wire::layout::{Check, Repeat};
use xenstream_core::wire::{RECORD_HEADER, headers, hvm, libvirt, libxc, libxl, structures, xenopsd, xl};

#[test]
fn fields_ascend_and_do_not_overlap() {
    let mut structures = 0;
    for layout in structures::all() {
        structures += 1;
        let mut end = 0;
        for group in layout.groups {
            let first = group.fields.first().expect("a group has fields");
            assert!(group.offset(0) + u64::from(first.at) >= end, "{}: {}", layout.name, first.name);
            let mut within = 0;
            for field in group.fields {
                assert!(field.at >= within, "{}: {}", layout.name, field.name);
                within = field.at + field.width;
                assert!(field.checks.is_empty() || field.width <= 8, "{}: {}", layout.name, field.name);
                assert!(!field.meaning.is_empty() && field.meaning.is_ascii(), "{}", field.name);
            }
            assert!(within <= group.size(), "{}: {}", layout.name, first.name);
            end = match group.repeat {
                Repeat::Times(times) => group.offset(u64::from(times - 1)) + u64::from(within),
                Repeat::ToEnd | Repeat::Rest => u64::MAX,
            };
        }
        assert!(layout.groups.is_empty() || layout.size() <= 8192, "{}", layout.name);
    }
    assert!(structures > 30, "{structures}");
}

/// What a scrubber puts in place of a value.
#[test]
fn blanks_pass_and_refused_values_do_not() {
    let fields = structures::all().flat_map(|layout| layout.groups).flat_map(|group| group.fields);
    let mut checks = 0;
    for field in fields {
        for check in field.checks {
            let passes = |value| field.checks.iter().all(|check| check.passes(value));
            let blanks = [0].into_iter().chain(field.checks.iter().map(Check::blank));
            assert!(blanks.into_iter().any(passes), "{}", field.name);
            let Some(refused) = check.refused(field.width) else {
                assert!(check.rule().is_none(), "{} always passes", field.name);
                continue;
            };
            checks += 1;
            assert!(!check.passes(refused), "{}: {refused:#x}", field.name);
            assert!(field.width == 8 || refused >> (8 * field.width) == 0, "{}: {refused:#x}", field.name);
        }
    }
    assert!(checks > 20, "{checks}");
}

#[test]
fn headers_have_the_lengths_of_the_specifications() {
    let lengths = [
        (&headers::XL, xl::HEADER),
        (&headers::LIBVIRT, libvirt::HEADER),
        (&headers::XENOPSD_RECORD, xenopsd::HEADER),
        (&headers::LIBXL, libxl::HEADER),
        (&headers::LIBXC_IMAGE, libxc::IMAGE_HEADER),
        (&headers::LIBXC_DOMAIN, libxc::DOMAIN_HEADER),
        (&headers::RECORD, RECORD_HEADER),
        (&headers::HVM_ENTRY, hvm::ENTRY_HEADER),
    ];
    for (layout, length) in lengths {
        assert_eq!(layout.size(), length, "{}", layout.name);
    }
}

#[test]
fn fields_are_found_by_name_and_by_offset() {
    for layout in structures::all() {
        for group in layout.groups.iter().filter(|group| group.repeat != Repeat::Rest) {
            for field in group.fields {
                let placed = layout.find(field.name).expect("a field has its name");
                let found = layout.field_at(placed.offset).expect("a field begins there");
                assert_eq!((found.field.name, found.element), (field.name, 0), "{}", layout.name);
            }
        }
    }
}
