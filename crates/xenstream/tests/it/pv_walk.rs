//! The second walk through a PV guest's image.

use std::io::Cursor;

use xenstream::wire::libxc::types::{END, X86_PV_P2M_FRAMES, X86_PV_VCPU_BASIC};
use xenstream::{Input, Options, Policy, Report, Rule, verify, verify_reader};
use xenstream_synth::minimal::{Kind, checkpointed_guest};
use xenstream_synth::{Basic, Page, Part, Stream, libxc, valid};

const BASIC: Part = Part::libxc(X86_PV_VCPU_BASIC);
/// The top-level page table of [`valid::pv64`].
const ROOT: u64 = 1;

fn report(stream: &Stream, policy: Policy) -> Report {
    let options = Options::new(policy).with_format(stream.format());
    verify(Input::Positioned(&stream.bytes()), &options, &mut ()).unwrap()
}

fn refused(stream: &Stream) -> Option<Rule> {
    report(stream, Policy::restore()).violation().map(|violation| violation.rule)
}

fn retyped(page: Page) -> Stream {
    valid::pv64().before(BASIC, libxc::page_data(&[page]))
}

#[test]
fn valid_guests_break_no_rule() {
    for stream in [valid::pv64(), valid::pv32(), valid::pv64().in_libxl().in_xl()] {
        for policy in [Policy::spec(), Policy::restore(), Policy::hardened()] {
            let report = report(&stream, policy);
            assert!(
                report.is_valid() && report.warnings.is_empty() && report.unchecked.is_empty(),
                "{report:?}"
            );
        }
    }
}

#[test]
fn the_last_entry_of_a_page_counts() {
    assert_eq!(refused(&retyped(Page::normal(ROOT))), Some(Rule::PvCr3Type));
    let again = retyped(Page::normal(ROOT)).before(BASIC, libxc::page_data(&[Page::table(4, ROOT, &[])]));
    assert_eq!(refused(&again), None);
}

#[test]
fn the_last_basic_of_a_vcpu_counts() {
    let bad = libxc::vcpu_basic(0, &Basic::pv64().start_info(ROOT));
    assert_eq!(refused(&valid::pv64().before(BASIC, bad.clone())), None);
    assert_eq!(refused(&valid::pv64().after(BASIC, bad)), Some(Rule::PvStartInfoType));
}

#[test]
fn what_a_checkpoint_leaves_standing_counts() {
    let remus = |guest: &Stream| checkpointed_guest(guest, Kind::Remus, 2);
    assert_eq!(refused(&remus(&valid::pv64())), None);
    assert_eq!(refused(&remus(&retyped(Page::normal(ROOT)))), Some(Rule::PvCr3Type));
    // What comes after the last checkpoint is never applied.
    let good = remus(&valid::pv64());
    let end = good.find(Part::libxc(END));
    let late = good.inserted(end, libxc::page_data(&[Page::normal(ROOT)]));
    assert_eq!(refused(&late), None);
}

#[test]
fn frames_that_are_named_again_count_once() {
    let frames = Part::libxc(X86_PV_P2M_FRAMES);
    let stream = valid::pv64().before(frames, libxc::p2m_frames(0, 5, &[ROOT]));
    assert_eq!(refused(&stream), None);
    let stream = valid::pv64().after(frames, libxc::p2m_frames(0, 5, &[ROOT]));
    let found = report(&stream, Policy::restore());
    let at = stream.offset(stream.nth(frames, 1)) + 16;
    assert_eq!(found.violation().map(|found| (found.rule, found.offset)), Some((Rule::PvP2mType, at)));
}

/// Of a pipe, types are known of the page tables alone.
fn of_pipe(stream: &Stream, policy: Policy) -> Report {
    let options = Options::new(policy).with_format(stream.format());
    verify_reader(Cursor::new(stream.bytes()), &options).unwrap()
}

#[test]
fn a_pipe_leaves_other_rules_unchecked() {
    let unchecked =
        [Rule::PvStartInfoType, Rule::PvStoreRange, Rule::PvConsoleRange, Rule::PvGdtType, Rule::PvP2mType];
    for policy in [Policy::spec(), Policy::restore(), Policy::hardened()] {
        for guest in [valid::pv64(), valid::pv32(), valid::pv64().in_libxl().in_xl()] {
            let report = of_pipe(&guest, policy.clone());
            assert!(report.is_valid() && report.warnings.is_empty(), "{report:?}");
            assert_eq!(report.unchecked, unchecked);
            let note = report.unchecked_note().unwrap();
            assert!(note.starts_with("5 rules take a file") && note.contains("pv::gdt-type"), "{note}");
        }
        let report = of_pipe(&valid::hvm(), policy);
        assert_eq!((report.unchecked.as_slice(), report.unchecked_note()), (&[][..], None));
    }
}

#[test]
fn the_types_of_page_tables_are_judged_on_a_pipe() {
    let stream = retyped(Page::normal(ROOT));
    let again = retyped(Page::normal(ROOT)).before(BASIC, libxc::page_data(&[Page::pinned(4, ROOT, &[])]));
    for policy in [Policy::restore(), Policy::hardened()] {
        let (file, pipe) = (report(&stream, policy.clone()), of_pipe(&stream, policy.clone()));
        let place =
            |report: &Report| report.violation().map(|found| (found.rule, found.offset, found.record));
        assert_eq!(place(&pipe), place(&file));
        assert_eq!(place(&pipe).map(|(rule, ..)| rule), Some(Rule::PvCr3Type));
        assert!(pipe.violation().unwrap().message().to_string().contains("of another type"));
        assert!(of_pipe(&again, policy).is_valid());
    }
    assert_eq!(of_pipe(&stream, Policy::spec()).warnings.count(Rule::PvCr3Type), 1);
}

/// Under restore the last record of a vcpu counts; any other profile judges each as it comes.
#[test]
fn registers_on_a_pipe_may_be_replaced_under_restore() {
    let bad = libxc::vcpu_basic(0, &Basic::pv64().cr3(0));
    let stream = valid::pv64().before(BASIC, bad.clone());
    assert!(of_pipe(&stream, Policy::restore()).is_valid());
    assert_eq!(of_pipe(&stream, Policy::spec()).warnings.count(Rule::PvCr3Type), 1);
    let last = of_pipe(&valid::pv64().after(BASIC, bad), Policy::restore());
    assert_eq!(last.violation().map(|found| found.rule), Some(Rule::PvCr3Type));
}

#[test]
fn keep_going_reports_all_findings() {
    let stream = valid::pv64()
        .before(BASIC, libxc::page_data(&[Page::normal(ROOT)]))
        .before(BASIC, libxc::page_data(&[Page::allocated(2)]));
    let report = report(&stream, Policy::restore().with_keep_going(true));
    let rules: Vec<Rule> = report.findings.listed().iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::PvStartInfoType, Rule::PvCr3Type, Rule::PvCr1Type]);
    assert!(!report.is_valid());
}
