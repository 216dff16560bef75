//! Prints rows as JSON, as documented in `docs/inspect.md`.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use xenstream::inspect::{Inspection, Row, View};
use xenstream::{Error, Profile, json};

use crate::inspect::choice::Rows;
use crate::output::Out;

/// Prints one object per row, each on its own line.
pub(crate) struct Objects {
    out: Out,
    /// Whether each object is flushed at once.
    prompt: bool,
}

impl Objects {
    pub(crate) fn new(out: Out, prompt: bool) -> Objects {
        Objects { out, prompt }
    }

    /// Prints the last object: that of `xenstream verify --json`, plus the bytes around the violation.
    pub(crate) fn verdict(
        mut self,
        path: &Path,
        result: &Result<Inspection, Error>,
        profile: Profile,
    ) -> io::Result<()> {
        let (view, report) = match result {
            Ok(Inspection { report, view, .. }) => (view.as_ref().map(Bytes::new), Ok(report)),
            Err(error) => (None, Err(error)),
        };
        self.print(&Verdict { line: json::Line::of(path, report, profile), view })?;
        self.out.flush()
    }

    fn print(&mut self, object: &impl Serialize) -> io::Result<()> {
        json::write_line(&mut self.out, object)
    }
}

impl Rows for Objects {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.print(row)?;
        if self.prompt { self.out.flush() } else { Ok(()) }
    }
}

/// The last object.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Verdict<'a> {
    #[serde(flatten)]
    line: json::Line<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<Bytes>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Bytes {
    offset: u64,
    bytes: String,
    width: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structure: Option<&'static str>,
}

impl Bytes {
    fn new(view: &View) -> Bytes {
        let bytes = view.bytes.iter().fold(String::new(), |mut bytes, byte| {
            let _ = write!(bytes, "{byte:02x}");
            bytes
        });
        Bytes {
            offset: view.offset,
            bytes,
            width: view.width,
            field: view.field.map(|name| name.field),
            element: view.field.and_then(|name| name.element),
            structure: view.field.map(|name| name.structure),
        }
    }
}
