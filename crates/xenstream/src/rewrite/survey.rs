//! Reads a stream once, with the verifier, and notes what it consists of and what is wrong with it.

use std::cell::Cell;

use xenstream_core::wire::libxc::types::PAGE_DATA;
use xenstream_core::{Framing, Header, Layer, Observer, Record, Violation};

use crate::rewrite::document::{Document, Part, Piece};
use crate::rewrite::patches::Patches;
use crate::session::Session;
use crate::source::file::{self, ReadAt};
use crate::{Error, Format, Options, Report};

/// Most pieces of one stream: an input does not choose how much memory they take. A stream of a year of checkpoints has
/// fewer.
const PIECES_MOST: usize = 1 << 20;

/// Most findings that are kept.
const FINDINGS_MOST: usize = Patches::MOST;

/// A finding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finding {
    pub(super) violation: Violation,
    pub(super) is_denied: bool,
    /// Absolute offset of the end of the record that it is in, padding included.
    pub(super) record_end: u64,
}

/// What was read.
pub(super) struct Surveyed<'i> {
    pub(super) report: Report,
    pub(super) document: Document<'i>,
    pub(super) findings: Vec<Finding>,
    /// The first length or count that is wrong: after it, it is not known what is what.
    pub(super) lost: Option<Violation>,
    /// It has more pieces, or findings, than are kept.
    pub(super) overflows: bool,
}

/// Reads a stream.
pub(super) fn survey<'i>(input: &'i dyn ReadAt, options: &Options) -> Result<Surveyed<'i>, Error> {
    let options = Options {
        policy: options.policy.clone().with_keep_going(true),
        decompress: false,
        ..options.clone()
    };
    let document = Document {
        input,
        pieces: Vec::new(),
        patches: Patches::default(),
        format: Format::Auto,
        libxl: Default::default(),
        libxc: Default::default(),
        guest: None,
        version: 0,
        ended: false,
        is_torn: false,
        stray: 0..0,
        index: None,
        end: 0,
    };
    let overflows = Cell::new(false);
    let mut surveyor =
        Surveyor { document, findings: Vec::new(), lost: None, record_end: 0, overflows: &overflows };
    let mut session = Session::new(&options, Some(&mut surveyor));
    let outcome = file::drive(input, &mut session);
    let end = session.position();
    let mut report = session.into_report(outcome)?;
    let Surveyor { mut document, findings, lost, .. } = surveyor;
    // The target is what comes out.
    report.target = options.policy.target();
    document.format = report.format;
    document.guest = report.summary.guest;
    document.version = report.summary.libxc_version.unwrap_or(0);
    document.end = end.min(input.size().map_err(Error::Inspect)?);
    document.stray = document.pieces.last().map_or(end, |last| last.range.end)..document.end;
    document.is_torn = document.pieces.last().is_some_and(|last| last.range.end > document.end);
    document.ended = !document.is_torn && ends(&document.pieces);
    for piece in &mut document.pieces {
        piece.range.end = piece.range.end.min(document.end);
    }
    Ok(Surveyed { report, document, findings, lost, overflows: overflows.get() })
}

/// Whether the last piece is what ends the outermost stream. A verifier that has found something wrong does not say.
fn ends(pieces: &[Piece]) -> bool {
    let end = pieces.iter().find_map(|piece| match piece.part {
        Part::Header(layer) => Part::end(layer),
        _ => None,
    });
    end.is_some() && pieces.last().map(|piece| piece.part) == end
}

struct Surveyor<'i, 'o> {
    document: Document<'i>,
    findings: Vec<Finding>,
    lost: Option<Violation>,
    record_end: u64,
    overflows: &'o Cell<bool>,
}

impl Surveyor<'_, '_> {
    fn add(&mut self, piece: Piece) {
        if self.document.pieces.len() >= PIECES_MOST {
            self.overflows.set(true);
        } else {
            self.document.pieces.push(piece);
        }
    }

    fn find(&mut self, violation: &Violation, is_denied: bool) {
        if matches!(violation.rule.entry().framing, Framing::Lost { .. }) && is_denied {
            self.lost.get_or_insert(*violation);
        }
        if self.findings.len() >= FINDINGS_MOST {
            self.overflows.set(true);
        } else {
            let record_end = self.record_end;
            self.findings.push(Finding { violation: *violation, is_denied, record_end });
        }
    }
}

impl Observer for Surveyor<'_, '_> {
    fn on_header(&mut self, header: &Header) {
        let mut end = header.end();
        let mut part = Part::Header(header.layer());
        match *header {
            Header::Xl { optional_data_len, .. } => end = end.saturating_add(optional_data_len.into()),
            Header::Libvirt { xml_len, .. } => end = end.saturating_add(xml_len.into()),
            Header::Libxl { order, .. } => self.document.libxl = order,
            Header::LibxcImage { order, .. } => self.document.libxc = order,
            Header::LibxcDomain { .. } => part = Part::Domain,
            // A signature says no more.
            _ => {}
        }
        let range = header.offset()..end;
        self.add(Piece { part, body: header.end()..end, range, records: 0, new: None, pad: 0 });
    }

    fn on_record(&mut self, record: &Record) {
        let part = match (record.layer, u32::try_from(record.kind).unwrap_or(u32::MAX)) {
            (Layer::Hvm, _) => return,
            (Layer::Libxc, PAGE_DATA) => Part::Pages,
            (layer, kind) => Part::Record(layer, kind),
        };
        self.record_end = record.end();
        if part == Part::Pages
            && let Some(last) = self.document.pieces.last_mut()
            && last.part == Part::Pages
            && last.range.end == record.offset
        {
            last.range.end = record.end();
            last.body.end = record.end();
            last.records += 1;
            return;
        }
        let body = record.body_offset..record.body_offset.saturating_add(record.body_length);
        let range = record.offset..record.end();
        self.add(Piece { part, range, body, records: 1, new: None, pad: 0 });
    }

    fn on_warning(&mut self, warning: &Violation) {
        self.find(warning, false);
    }

    fn on_finding(&mut self, finding: &Violation) {
        self.find(finding, true);
    }
}
