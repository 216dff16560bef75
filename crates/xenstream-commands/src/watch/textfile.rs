//! `--textfile`: the outcome for Prometheus, as the textfile collector of its node exporter reads it.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use xenstream::{NewFile, Target};

use super::{Image, Store};

/// What a metric says of an image.
type Measure = fn(&Image) -> i128;

const VERDICTS: [&str; 4] = ["valid", "invalid", "unjudged", "error"];

/// Replaces the file. A reader sees the old one or the new one, and nothing between.
pub(super) fn write(path: &Path, store: &Store) -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let new = NewFile::create(path, true).map_err(|error| error.to_string())?;
    new.file().write_all(text(store, now).as_bytes()).map_err(|error| error.to_string())?;
    new.publish().map_err(|error| error.to_string())
}

fn text(store: &Store, now: u64) -> String {
    let mut text = Text(String::new());
    let images = || store.images.iter().filter(|image| !image.passed_over);
    text.metric("xenstream_images", "Images by verdict.");
    for verdict in VERDICTS {
        let count = images().filter(|image| image.is(verdict)).count();
        text.sample("xenstream_images", &[("verdict", verdict)], count);
    }
    text.metric("xenstream_images_unchanged", "Images that were not read because they have not changed.");
    text.sample("xenstream_images_unchanged", &[], store.unchanged);
    text.metric(
        "xenstream_images_accepted",
        "Valid images that a release of Xen accepts, as far as they tell.",
    );
    for target in Target::all() {
        let count = images().filter(|image| image.is_accepted_by(target)).count();
        text.sample("xenstream_images_accepted", &[("release", &target.to_string())], count);
    }
    text.metric("xenstream_run_timestamp_seconds", "When the images were last verified.");
    text.sample("xenstream_run_timestamp_seconds", &[], now);
    text.metric("xenstream_run_seconds", "How long that took.");
    text.sample("xenstream_run_seconds", &[], store.seconds);
    text.metric("xenstream_image_info", "An image: its verdict, and the rule that decides it.");
    for image in images() {
        let rule = image.finding.as_ref().map_or("", |finding| finding.rule.as_str());
        let labels = [("path", image.path.as_str()), ("verdict", image.verdict.as_str()), ("rule", rule)];
        text.sample("xenstream_image_info", &labels, 1);
    }
    let each: [(&str, &str, Measure); 4] = [
        ("xenstream_image_bytes", "Length of an image.", |image| image.bytes.into()),
        ("xenstream_image_modified_timestamp_seconds", "When an image was last modified.", |image| {
            image.modified.into()
        }),
        ("xenstream_image_warnings", "Rules that warn about an image.", |image| image.warnings.len() as i128),
        ("xenstream_image_releases", "Known releases of Xen that accept an image.", |image| {
            Target::all().filter(|target| image.is_accepted_by(*target)).count() as i128
        }),
    ];
    for (metric, help, value) in each {
        text.metric(metric, help);
        for image in images() {
            text.sample(metric, &[("path", &image.path)], value(image));
        }
    }
    text.0
}

struct Text(String);

impl Text {
    fn metric(&mut self, name: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (n, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if n == 0 { "{" } else { "," });
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::tests::{image, store};
    use super::*;

    #[test]
    fn verdicts_are_counted() {
        let text = text(&store(vec![image(b"a", "valid"), image(b"b", "invalid"), image(b"c", "valid")]), 7);
        for line in [
            "xenstream_images{verdict=\"valid\"} 2",
            "xenstream_images{verdict=\"invalid\"} 1",
            "xenstream_images{verdict=\"unjudged\"} 0",
            "xenstream_images_accepted{release=\"4.13.0\"} 0",
            "xenstream_images_accepted{release=\"4.20.0\"} 2",
            "xenstream_run_timestamp_seconds 7",
            "xenstream_image_info{path=\"b\",verdict=\"invalid\",rule=\"stream::truncated\"} 1",
            "xenstream_image_bytes{path=\"a\"} 4096",
            "xenstream_image_modified_timestamp_seconds{path=\"a\"} 1000000",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    /// Splits a line of the format into its name with the labels, and its value, as a reader of the format does.
    fn parsed(line: &str) -> (String, f64) {
        let mut is_quoted = false;
        let mut is_escaped = false;
        let end = line.char_indices().find(|(_, character)| {
            let ends = *character == ' ' && !is_quoted;
            match character {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => is_quoted = !is_quoted,
                _ => {}
            }
            ends
        });
        let (series, value) = line.split_at(end.unwrap().0);
        (series.to_owned(), value.trim().parse().unwrap())
    }

    #[test]
    fn hostile_names_do_not_break_the_format() {
        let names: [&[u8]; 7] = [
            b"a\"} 1\nxenstream_images{verdict=\"invalid\"} 9",
            b"\\",
            b"\\\\",
            b"a\xFF\xFE",
            b"a b",
            b"\r",
            b"{}",
        ];
        let images = names.map(|name| image(name, "valid")).to_vec();
        let text = text(&store(images), 0);
        let mut series = BTreeSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, _) = parsed(line);
            assert!(series.insert(name), "twice: {line}");
        }
        let of_images = series.iter().filter(|name| name.starts_with("xenstream_image_bytes")).count();
        assert_eq!(of_images, names.len());
        assert!(text.lines().any(|line| line == "xenstream_images{verdict=\"invalid\"} 0"));
    }

    #[test]
    fn the_file_is_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xenstream.prom");
        write(&path, &store(vec![image(b"a", "valid")])).unwrap();
        write(&path, &store(Vec::new())).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("xenstream_images{verdict=\"valid\"} 0\n"), "{text}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(write(Path::new("/no/such/directory/a.prom"), &store(Vec::new())).is_err());
    }
}
