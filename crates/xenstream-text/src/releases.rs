//! Prints which releases of Xen accept an image.

use std::io::{self, Write};

use xenstream::{HostDependency, Refusal, Report};

use crate::style::{ASIDE, NAME};
use crate::verdict::place;

/// Prints which releases accept a valid image.
///
/// # Errors
/// If the output cannot be written.
pub fn accepting(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "  restores on: {}", restores_on(report))
}

/// Returns the releases that accept a valid image.
#[must_use]
pub fn restores_on(report: &Report) -> String {
    match report.target {
        Some(target) => {
            let label = target.vendor_label().map_or_else(|| format!("Xen {target}"), str::to_owned);
            format!("{label}, the target")
        }
        None => report.summary.releases.accepted_by().to_string(),
    }
}

/// Prints why the other releases refuse the image, and what depends on the host.
///
/// # Errors
/// If the output cannot be written.
pub fn reasons(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for refusal in report.summary.releases.refusals() {
        let Refusal { fact, releases, rule, offset, record, .. } = refusal;
        writeln!(out, "  refused by {releases}: {NAME}{fact}{NAME:#} ({rule}): {}", fact.entry().title)?;
        writeln!(out, "    {ASIDE}{}{ASIDE:#}", place(offset, record.as_ref()))?;
    }
    let hosts: Vec<String> = report.summary.releases.depends_on_host().map(host).collect();
    if !hosts.is_empty() {
        writeln!(out, "  depends on the host: {}", hosts.join("; "))?;
    }
    Ok(())
}

/// Returns what of the host decides whether the guest comes back, and on which releases, unless on all.
#[must_use]
pub fn host(host: HostDependency) -> String {
    match host.fact() {
        None => host.title().to_owned(),
        Some(_) => format!("{} ({})", host.title(), host.releases()),
    }
}
