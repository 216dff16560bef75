//! JSON: whatever is in an image and its name, what programs read back is what was inspected.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::Value;
use xenstream::inspect::{Head, Row, Sink, inspect};
use xenstream::json::{Line, write_line};
use xenstream::{Error, Input, Options, Report};

use crate::setup::Setup;

/// Bytes of the stream that its name is made of.
const NAME: usize = 24;

/// Inspects the bytes, and parses every line of JSON about them.
///
/// # Panics
/// If a line is none, controls a terminal, or says something else than the inspection.
pub fn json(data: &[u8]) {
    let (setup, stream) = Setup::split(data);
    let options = Options::new(setup.policy().clone()).with_format(setup.format);
    let result = inspect(Input::Slice(stream), &options, &mut Rows).map(|inspection| inspection.report);
    let name = Path::new(OsStr::from_bytes(&stream[..stream.len().min(NAME)]));
    told(name, &result, &parsed(&Line::new(name, &result, setup.profile)));
}

/// What programs read of a line.
fn parsed(object: &impl serde::Serialize) -> Value {
    let mut line = Vec::new();
    write_line(&mut line, object).expect("there is room in memory");
    assert_eq!(line.pop(), Some(b'\n'));
    assert!(line.iter().all(|byte| matches!(byte, b' '..=b'~')), "{}", String::from_utf8_lossy(&line));
    let value: Value = serde_json::from_slice(&line).expect("a line is JSON");
    assert!(value.is_object(), "{value}");
    // What another program writes of it is the same again.
    let again = serde_json::to_vec(&value).expect("there is room in memory");
    assert_eq!(serde_json::from_slice::<Value>(&again).expect("JSON"), value);
    value
}

/// Asserts that the line says what the report does.
fn told(name: &Path, result: &Result<Report, Error>, value: &Value) {
    assert_eq!(value["path"], *name.to_string_lossy());
    if name.to_str().is_none() {
        let bytes: Vec<u8> = serde_json::from_value(value["path_bytes"].clone()).expect("bytes");
        assert_eq!(bytes, name.as_os_str().as_bytes());
    }
    match result {
        Ok(report) => {
            assert_eq!(value["verdict"], report.verdict.name());
            let violation = report.violation();
            assert_eq!(value["violation"]["offset"].as_u64(), violation.map(|violation| violation.offset));
            assert_eq!(value["violation"]["rule"].as_str(), violation.map(|violation| violation.rule.name()));
            let warnings = value["warnings"].as_array().expect("a list");
            assert_eq!(warnings.len(), report.warnings.listed().len());
        }
        Err(_) => assert_eq!(value["verdict"], "error"),
    }
}

struct Rows;

impl Sink for Rows {
    fn begin(&mut self, _: &Head) -> bool {
        false
    }

    fn bytes(&mut self, _: u64, _: &[u8]) {}

    fn row(&mut self, row: Row) {
        let value = parsed(&row);
        assert_eq!(value["offset"], row.head.offset, "{value}");
        assert_eq!(value["layer"], row.head.layer.to_string(), "{value}");
        assert_eq!(value["bytes"], row.head.bytes, "{value}");
        assert_eq!(value["torn"].as_bool(), row.torn.then_some(true), "{value}");
    }
}
