//! What is in a stream: a row for each header, each record, and each entry of HVM_CONTEXT, with its content decoded, in
//! constant memory and in stream order.
//!
//! [`inspect()`] goes through an input and passes a [`Sink`] its [rows](Row), and bytes where it asks for them. The
//! rows of a stream that breaks a rule stop there; then the [`Report`] says what broke, and a [`View`] shows the place.
//! [`Fold`] makes one row of runs of PAGE_DATA. Rows serialize to JSON; `docs/inspect.md` describes it.
//!
//! ```
//! use xenstream::inspect::{Row, inspect};
//! use xenstream::{Input, Options};
//!
//! # let bytes = xenstream_synth::minimal::hvm().bytes();
//! let mut names = Vec::new();
//! let mut sink = |row: Row| names.push(row.head.kind.to_string());
//! let inspection = inspect(Input::Slice(&bytes), &Options::default(), &mut sink).unwrap();
//! assert!(inspection.report.is_valid());
//! assert_eq!(names[..3], ["image header", "domain header", "STATIC_DATA_END"]);
//! ```

mod batch;
mod content;
mod decode;
mod fold;
mod inspector;
mod row;
pub(crate) mod tap;
mod text;
mod view;

use std::cell::RefCell;
#[cfg(feature = "fs")]
use std::fs::File;
#[cfg(feature = "fs")]
use std::os::fd::{AsFd, BorrowedFd};

use crate::session::Session;
#[cfg(feature = "fs")]
use crate::source::file::Descriptor;
use crate::{Error, Input, Options, Report, verify};
pub use batch::Batch;
pub use content::{Content, Datum, LISTED, Value, Values};
pub use fold::Fold;
pub use inspector::Inspector;
pub use row::{Head, Kind, Row};
pub use text::Text;
pub use view::{FieldName, View};

/// Receives what is in a stream. A closure that takes rows is one.
pub trait Sink {
    /// Something begins; its row follows once it is over. Are its bytes wanted too, header, body and padding? They
    /// come between this call and the row. Entries of HVM_CONTEXT begin inside their record's bytes.
    fn begin(&mut self, head: &Head) -> bool {
        let _ = head;
        false
    }

    /// Bytes that were asked for, in order. `offset` is the absolute offset of the first.
    fn bytes(&mut self, offset: u64, bytes: &[u8]) {
        let _ = (offset, bytes);
    }

    /// Something is over, or the stream has ended inside it.
    fn row(&mut self, row: Row);

    /// Asked after each row: is anything still wanted? If not, the input is read no further.
    fn wants_more(&self) -> bool {
        true
    }
}

impl<F: FnMut(Row)> Sink for F {
    fn row(&mut self, row: Row) {
        self(row);
    }
}

impl Sink for &mut dyn Sink {
    fn begin(&mut self, head: &Head) -> bool {
        (**self).begin(head)
    }

    fn bytes(&mut self, offset: u64, bytes: &[u8]) {
        (**self).bytes(offset, bytes);
    }

    fn row(&mut self, row: Row) {
        (**self).row(row);
    }

    fn wants_more(&self) -> bool {
        (**self).wants_more()
    }
}

/// What came of an inspection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The verdict, as [`verify`](crate::verify()) comes to it.
    pub report: Report,
    /// The bytes around what is wrong, if something is and they could be had.
    pub view: Option<View>,
}

/// Goes through an input and passes what is in it to a sink.
///
/// # Errors
/// The input could not be opened, read or decompressed; or the sink does not [want more](Sink::wants_more)
/// ([`Error::ConsumerGone`]). Rows up to there have been passed on.
pub fn inspect(input: Input<'_>, options: &Options, sink: &mut dyn Sink) -> Result<Inspection, Error> {
    match input {
        #[cfg(feature = "fs")]
        Input::Path(path) => {
            let file = File::open(path).map_err(|source| Error::Open { path: path.into(), source })?;
            inspect_descriptor(file.as_fd(), true, options, sink)
        }
        #[cfg(feature = "fs")]
        Input::Descriptor(fd) => inspect_descriptor(fd, false, options, sink),
        input => inspect_input(input, options, sink),
    }
}

/// What can be read at any place is read again for the view.
#[cfg(feature = "fs")]
fn inspect_descriptor(
    fd: BorrowedFd<'_>,
    is_ours: bool,
    options: &Options,
    sink: &mut dyn Sink,
) -> Result<Inspection, Error> {
    let Some(file) = Descriptor::new(fd)? else {
        return inspect_input(Input::Descriptor(fd), options, sink);
    };
    if is_ours {
        file.advise();
    }
    inspect_input(Input::Positioned(&file), options, sink)
}

fn inspect_input(mut input: Input<'_>, options: &Options, sink: &mut dyn Sink) -> Result<Inspection, Error> {
    let tap = RefCell::default();
    let mut inspector = Inspector::tapped(sink, &tap);
    let mut session = Session::new(options, Some(&mut inspector)).with_tap(&tap);
    let outcome = verify::drive(&mut input, &mut session);
    let position = session.position();
    let result = session.into_report(outcome);
    inspector.finish(position);
    let report = result?;
    let view = View::of(&report, &input, &tap.borrow());
    Ok(Inspection { report, view })
}
