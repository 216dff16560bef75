//! Counts the pages of each type, and the records, while an image is verified.
//!
//! ```text
//! cargo run -p xenstream --example observe -- IMAGE
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use xenstream::{Input, Observer, Options, PageType, Pfns, Record, verify};

#[derive(Default)]
struct Counts {
    records: BTreeMap<String, u64>,
    pages: BTreeMap<PageType, u64>,
}

impl Observer for Counts {
    fn on_record(&mut self, record: &Record) {
        if let Some(label) = record.reference().type_label() {
            *self.records.entry(format!("{} {label}", record.layer)).or_default() += 1;
        }
    }

    fn on_pfns(&mut self, entries: Pfns<'_>) {
        for entry in entries.iter() {
            *self.pages.entry(entry.page_type()).or_default() += 1;
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let image = std::env::args_os().nth(1).ok_or("usage: observe IMAGE")?;
    let mut counts = Counts::default();
    let report = verify(Input::Path(Path::new(&image)), &Options::default(), &mut counts)?;
    println!("{}", report.verdict.name());
    counts.records.iter().for_each(|(name, n)| println!("{n} {name}"));
    counts.pages.iter().for_each(|(page_type, n)| println!("{n} pages of type {page_type}"));
    Ok(())
}
