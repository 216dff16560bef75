//! Selects the records to show, and folds runs of PAGE_DATA into one row.

use std::io;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap_complete::engine::ArgValueCandidates;
use xenstream::Layer;
use xenstream::inspect::{Fold, Head, Kind, Row, Sink};

use crate::args::parse_number;
use crate::completions;
use crate::suggest::did_you_mean;

#[derive(Debug, Args)]
#[command(next_help_heading = "Filter options")]
pub(crate) struct Choice {
    /// Show only the record with this index, in the libxc layer or in --layer
    #[arg(long, value_name = "INDEX", value_parser = number)]
    record: Option<u64>,

    /// Show only records of this type, such as PAGE_DATA or 0x80000001; can be repeated
    #[arg(long = "type", value_name = "NAME", value_parser = type_name, add = ArgValueCandidates::new(completions::types))]
    types: Vec<String>,

    /// Show only records of this layer
    #[arg(long, value_parser = layer_parser())]
    layer: Option<Layer>,

    /// Show only records that end after this offset
    #[arg(long, value_name = "OFFSET", value_parser = number)]
    from: Option<u64>,

    /// Show only records that begin at or before this offset
    #[arg(long, value_name = "OFFSET", value_parser = number)]
    to: Option<u64>,
}

impl Choice {
    /// Returns whether every record is selected.
    pub(crate) fn is_everything(&self) -> bool {
        self.record.is_none()
            && self.types.is_empty()
            && self.layer.is_none()
            && self.from.is_none()
            && self.to.is_none()
    }

    fn is_in_place(&self, head: &Head) -> bool {
        self.from.is_none_or(|from| head.end() > from) && self.to.is_none_or(|to| head.offset <= to)
    }

    fn is_of_kind(&self, head: &Head) -> bool {
        let layer = self.layer.or(self.record.map(|_| Layer::Libxc));
        layer.is_none_or(|layer| layer == head.layer)
            && self.record.is_none_or(|index| head.index == Some(index))
            && (self.types.is_empty() || self.has_type(&head.kind))
    }

    fn has_type(&self, kind: &Kind) -> bool {
        let name = plain(&kind.to_string());
        self.types.contains(&name)
    }

    /// Returns whether the entries of a selected record are selected with it.
    fn takes_entries(&self) -> bool {
        self.layer.is_none() && (self.record.is_some() || !self.types.is_empty())
    }
}

/// The destination of selected rows.
pub(crate) trait Rows {
    /// Begins a row. Returns whether its bytes are wanted.
    fn begin(&mut self, head: &Head) -> io::Result<bool> {
        let _ = head;
        Ok(false)
    }

    /// Takes bytes of the row.
    fn bytes(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let _ = (offset, bytes);
        Ok(())
    }

    /// Takes the complete row.
    fn row(&mut self, row: &Row) -> io::Result<()>;
}

/// Selects rows and folds them.
pub(crate) struct Chosen<'c, R> {
    choice: &'c Choice,
    fold: Option<Fold>,
    rows: R,
    /// Whether the current row is shown.
    shows: bool,
    /// Whether the record that the current entries belong to is shown.
    shows_record: bool,
    shown: u64,
    written: io::Result<()>,
}

impl<'c, R: Rows> Chosen<'c, R> {
    pub(crate) fn new(choice: &'c Choice, folds: bool, rows: R) -> Chosen<'c, R> {
        Chosen {
            choice,
            fold: folds.then(Fold::default),
            rows,
            shows: false,
            shows_record: false,
            shown: 0,
            written: Ok(()),
        }
    }

    /// The number of rows shown so far. Each record of a run counts.
    pub(crate) fn shown(&self) -> u64 {
        self.shown
    }

    /// Writes the last run.
    ///
    /// # Errors
    /// A row could not be written.
    pub(crate) fn finish(mut self) -> io::Result<R> {
        self.written?;
        if let Some(row) = self.fold.as_mut().and_then(Fold::finish) {
            self.rows.row(&row)?;
        }
        Ok(self.rows)
    }
}

impl<R: Rows> Sink for Chosen<'_, R> {
    fn begin(&mut self, head: &Head) -> bool {
        let mut of_kind = self.choice.is_of_kind(head);
        if head.layer == Layer::Hvm {
            of_kind |= self.shows_record && self.choice.takes_entries();
        } else {
            self.shows_record = of_kind;
        }
        self.shows = of_kind && self.choice.is_in_place(head);
        self.shown += u64::from(self.shows);
        if !self.shows || self.written.is_err() {
            return false;
        }
        match self.rows.begin(head) {
            Ok(wanted) => wanted,
            Err(error) => {
                self.written = Err(error);
                false
            }
        }
    }

    fn bytes(&mut self, offset: u64, bytes: &[u8]) {
        if self.written.is_ok() {
            self.written = self.rows.bytes(offset, bytes);
        }
    }

    fn row(&mut self, row: Row) {
        if !self.shows || self.written.is_err() {
            return;
        }
        self.written = match &mut self.fold {
            Some(fold) => fold.take(row).try_for_each(|row| self.rows.row(&row)),
            None => self.rows.row(&row),
        };
    }

    fn wants_more(&self) -> bool {
        self.written.is_ok()
    }
}

fn layer_parser() -> impl TypedValueParser<Value = Layer> {
    PossibleValuesParser::new(Layer::formats().map(Layer::name)).map(|given| {
        // The inner parser lets no other name pass.
        Layer::formats().find(|layer| layer.name() == given).unwrap_or(Layer::Libxc)
    })
}

fn number(text: &str) -> Result<u64, String> {
    parse_number(text)
        .ok_or_else(|| format!("'{text}' is not a number: use 4096, 0x1000 or 4K (also M, G, T)"))
}

/// Parses the name of a record type, normalised for comparison.
fn type_name(text: &str) -> Result<String, String> {
    let wanted = plain(text);
    let is_number = wanted.strip_prefix("0x").is_some_and(|digits| u64::from_str_radix(digits, 16).is_ok());
    if is_number || Kind::names().any(|name| plain(name) == wanted) {
        return Ok(wanted);
    }
    let near = Kind::names().map(|name| (strsim::jaro_winkler(&wanted, &plain(name)), name)).collect();
    Err(match did_you_mean(near) {
        Some(names) => format!("unknown record type '{text}'; did you mean {names}?"),
        None => format!("unknown record type '{text}'"),
    })
}

/// Normalises a name: hyphens, underscores, spaces and case do not matter.
fn plain(name: &str) -> String {
    name.replace(['-', '_', ' '], "").to_lowercase()
}
