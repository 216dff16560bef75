//! The second walk through a PV guest's image.

use std::io::Cursor;

use xenstream::wire::libxc::types::{END, PAGE_DATA, X86_PV_P2M_FRAMES, X86_PV_VCPU_BASIC};
use xenstream::{Input, Options, Policy, Report, Rule, verify, verify_reader};
use xenstream_synth::minimal::{Kind, checkpointed_guest};
use xenstream_synth::{Basic, Page, Part, Stream, libxc, valid};

const PAGES: Part = Part::libxc(PAGE_DATA);
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

#[test]
fn a_pipe_leaves_the_rules_unchecked() {
    let stream = retyped(Page::normal(ROOT));
    let options = Options::new(Policy::restore()).with_format(stream.format());
    let report = verify_reader(Cursor::new(stream.bytes()), &options).unwrap();
    assert!(report.is_valid() && report.unchecked.contains(&Rule::PvCr3Type));
    let guest = valid::hvm();
    let options = options.with_format(guest.format());
    assert_eq!(verify_reader(Cursor::new(guest.bytes()), &options).unwrap().unchecked, []);
    assert!(stream.has(PAGES));
}

#[test]
fn findings_are_all_reported_by_who_keeps_going() {
    let stream = valid::pv64()
        .before(BASIC, libxc::page_data(&[Page::normal(ROOT)]))
        .before(BASIC, libxc::page_data(&[Page::allocated(2)]));
    let report = report(&stream, Policy::restore().with_keep_going(true));
    let rules: Vec<Rule> = report.findings.listed().iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::PvStartInfoType, Rule::PvCr3Type, Rule::PvCr1Type]);
    assert!(!report.is_valid());
}
