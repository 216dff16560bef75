//! Lines in the logs of Xen's programs, and the rules that match.
//!
//! The rule says what is wrong with the image, and finds the same fault in an image before it is restored.

mod libxenguest;
mod others;

use std::fmt;

use xenstream_core::Rule;

/// The program that writes a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Writer {
    /// libxenguest, in the save helper: lines begin with `xc: error:`.
    Libxenguest,
    /// libxl: lines begin with `libxl: error:`.
    Libxl,
    /// The program `xl`, on standard error.
    Xl,
    /// The hypervisor, in `xl dmesg`: lines begin with `(XEN)`.
    Hypervisor,
    /// QEMU, in the device model's log.
    Qemu,
    /// xenopsd, in `/var/log/xensource.log`.
    Xenopsd,
}

impl Writer {
    /// Returns every writer.
    pub fn all() -> impl DoubleEndedIterator<Item = Writer> + ExactSizeIterator + Clone {
        [Writer::Libxenguest, Writer::Libxl, Writer::Xl, Writer::Hypervisor, Writer::Qemu, Writer::Xenopsd]
            .into_iter()
    }

    /// The program's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Writer::Libxenguest => "libxenguest",
            Writer::Libxl => "libxl",
            Writer::Xl => "xl",
            Writer::Hypervisor => "hypervisor",
            Writer::Qemu => "QEMU",
            Writer::Xenopsd => "xenopsd",
        }
    }
}

impl Writer {
    /// Where the program's lines are found, in Markdown.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Writer::Libxenguest => {
                "Lines that begin with `xc: error:`, on standard error of `xl`, or in libvirt's or xenopsd's log."
            }
            Writer::Libxl => {
                "Lines that begin with `libxl: error:`, on standard error of `xl`, or in libvirt's log of libxl."
            }
            Writer::Xl => "On standard error of `xl restore` and `xl migrate-receive`.",
            Writer::Hypervisor => "In `xl dmesg` or on the serial console, with `(XEN)` before them.",
            Writer::Qemu => "In the device model's log, `/var/log/xen/qemu-dm-NAME.log`.",
            Writer::Xenopsd => "In `/var/log/xensource.log`.",
        }
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A line that Xen's programs write about an image that they refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// The text in the line; `*` stands for any text, such as a number.
    pub pattern: &'static str,
    /// The program that writes it.
    pub writer: Writer,
    /// What the line means.
    pub meaning: &'static str,
    /// The rules that such an image may break; it breaks at least one of them.
    pub rules: &'static [Rule],
}

impl LogLine {
    /// Returns whether a line matches, or contains a match.
    #[must_use]
    pub fn matches(&self, line: &str) -> bool {
        let mut rest = line;
        self.pattern.split('*').all(|part| match rest.split_once(part) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    }

    fn literal_bytes(&self) -> usize {
        self.pattern.bytes().filter(|byte| *byte != b'*').count()
    }
}

const fn line(
    writer: Writer,
    pattern: &'static str,
    meaning: &'static str,
    rules: &'static [Rule],
) -> LogLine {
    LogLine { pattern, writer, meaning, rules }
}

/// Returns every known line, grouped by writer and in stream order.
pub fn lines() -> impl Iterator<Item = &'static LogLine> {
    libxenguest::LINES.iter().chain(others::LINES)
}

/// Finds the entries that match a text of one or more lines, in the order of the text. If several entries match the
/// same line, the most specific is returned.
///
/// ```
/// let found = xenstream::logs::find("xc: error: Invalid marker: Got 0x0: Internal error");
/// assert_eq!(found[0].rules[0].name(), "libxc::marker");
/// ```
#[must_use]
pub fn find(text: &str) -> Vec<&'static LogLine> {
    let mut found: Vec<&'static LogLine> = Vec::new();
    for line in text.lines() {
        let matching: Vec<_> = lines().filter(|entry| entry.matches(line)).collect();
        for entry in &matching {
            // A pattern whose words another one has too says less.
            let start = |entry: &LogLine| entry.pattern.split('*').next().and_then(|part| line.find(part));
            let is_outdone = matching
                .iter()
                .any(|other| start(other) == start(entry) && other.literal_bytes() > entry.literal_bytes());
            if !is_outdone && !found.contains(entry) {
                found.push(entry);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<&'static str> {
        find(text).iter().flat_map(|entry| entry.rules).map(|rule| rule.name()).collect()
    }

    #[test]
    fn lines_find_their_rules() {
        for (text, rule) in [
            (
                "xc: error: Failed to set CPUID policy: leaf 0000001f, subleaf ffffffff, msr ffffffff (22 = Invalid argument): Internal error",
                "libxc::cpuid-policy-leaf",
            ),
            ("Failed to read Record Header from stream (0 = Success)", "stream::truncated"),
            ("(XEN) HVM47 restore: unknown entry typecode 21", "hvm::typecode"),
            (
                "libxl: error: libxl_stream_read.c:646:process_record: Unrecognised record 0x00000007",
                "libxl::record-type",
            ),
            ("File has wrong magic number - corrupt or for a different tool?", "stream::unrecognised"),
        ] {
            assert!(rules(text).contains(&rule), "{text}: {:?}", rules(text));
        }
        assert_eq!(rules("nothing that any of them writes"), [""; 0]);
    }

    #[test]
    fn several_messages_in_a_text_are_all_found() {
        let text = "xc: error: Unable to restore HVM context (22 = Invalid argument)\n\
                    (XEN) HVM restore mismatch: expected strict type 1 length 24, saw type 2 length 1032";
        assert!(find(text).len() >= 2, "{:?}", find(text));
    }

    #[test]
    fn patterns_find_themselves() {
        for entry in lines() {
            assert!(find(&entry.pattern.replace('*', "7")).contains(&entry), "{}", entry.pattern);
            assert!(!entry.rules.is_empty() && entry.literal_bytes() > 8, "{}", entry.pattern);
        }
    }
}
