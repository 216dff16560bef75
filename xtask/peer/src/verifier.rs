//! Xen's own verifier, live.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use xenstream_core::Format;

use crate::{Answer, Error, Packages, Verdict};

const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/driver.py");
const TOOL: &str = "Xen's verifier";

/// Xen's `verify-stream-v2`, started once and asked about any number of streams.
#[derive(Debug)]
pub struct Verifier {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Line {
    code: i32,
    message: String,
}

impl Verifier {
    /// Starts it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where there is no Python 3.
    pub fn start(packages: &Packages) -> Result<Verifier, Error> {
        let mut child = Command::new("python3")
            .arg(DRIVER)
            .arg(packages.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::Unavailable { what: "python3".to_owned(), why: error.to_string() })?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::tool(TOOL, "it has no pipes"));
        };
        Ok(Verifier { child, questions, answers: BufReader::new(answers) })
    }

    /// Asks about a stream in one of the formats that it knows: xl, libxl, libxc.
    ///
    /// # Errors
    /// It did not answer.
    pub fn ask(&mut self, format: Format, stream: &Path) -> Result<Answer, Error> {
        let mut answer = String::new();
        writeln!(self.questions, "{} {}", format.name(), stream.display())
            .and_then(|()| self.answers.read_line(&mut answer))
            .map_err(|error| Error::tool(TOOL, error))?;
        let line: Line = serde_json::from_str(&answer).map_err(|error| Error::tool(TOOL, error))?;
        let verdict = if line.code == 0 { Verdict::Accept } else { Verdict::Reject };
        Ok(Answer { verdict, message: line.message, largest_allocation: 0 })
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        // It holds nothing that would be lost, and may be in the middle of something after an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
