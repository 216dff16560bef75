//! Prints which releases of Xen accept an image.

use std::io::{self, Write};

use xenstream::{Refusal, Report};

use crate::output::{ASIDE, NAME};

/// Prints which releases accept a valid image.
pub(crate) fn accepting(out: &mut impl Write, report: &Report) -> io::Result<()> {
    match report.target {
        Some(target) => {
            let label = target.vendor_label().map_or_else(|| format!("Xen {target}"), str::to_owned);
            writeln!(out, "  restores on: {label}, the target")
        }
        None => writeln!(out, "  restores on: {}", report.summary.releases.accepted_by()),
    }
}

/// Prints why the other releases refuse the image, and what depends on the host.
pub(crate) fn reasons(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let releases = &report.summary.releases;
    for Refusal { fact, releases, rule, offset, record, .. } in releases.refusals() {
        writeln!(out, "  refused by {releases}: {NAME}{fact}{NAME:#} ({rule}): {}", fact.entry().title)?;
        write!(out, "    {ASIDE}at offset {offset} ({offset:#x})")?;
        if let Some(record) = record {
            write!(out, ", in {record}")?;
        }
        writeln!(out, "{ASIDE:#}")?;
    }
    let hosts: Vec<String> = releases
        .depends_on_host()
        .map(|host| match host.fact() {
            None => host.title().to_owned(),
            Some(_) => format!("{} ({})", host.title(), host.releases()),
        })
        .collect();
    if !hosts.is_empty() {
        writeln!(out, "  depends on the host: {}", hosts.join("; "))?;
    }
    Ok(())
}
