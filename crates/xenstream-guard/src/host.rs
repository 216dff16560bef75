//! Which release of Xen this host runs.

use std::fs;
use std::path::Path;

use xenstream::Target;

/// Where the kernel of a Xen domain describes the hypervisor.
const DIRECTORY: &str = "/sys/hypervisor";

/// The release that this host runs, or the newest known of its branch; `None` where that cannot be read or is unknown.
pub(crate) fn release() -> Option<Target> {
    described_in(Path::new(DIRECTORY))
}

fn described_in(directory: &Path) -> Option<Target> {
    let read = |name: &str| fs::read_to_string(directory.join(name)).ok().map(|text| text.trim().to_owned());
    if read("version/major")?.parse() != Ok(4u8) {
        return None;
    }
    let minor: u8 = read("version/minor")?.parse().ok()?;
    // Such as `.4`, `.5-pre`, or `.5-13` of a vendor's thirteenth build; empty where the kernel hides it.
    let extra = read("version/extra").unwrap_or_default();
    let mut numbers = extra.trim_start_matches('.').split('-').map(|number| number.parse::<u8>().ok());
    let (point, build) = (numbers.next().flatten(), numbers.next().flatten());
    // XCP-ng and XenServer name their queue of patches beside the commit.
    if read("properties/changeset").is_some_and(|changeset| changeset.contains(", pq ")) {
        let name = match minor {
            13 => "xcp-ng-8.2",
            // The LAPIC entry grew in this build.
            17 if (point, build) >= (Some(5), Some(13)) => "xcp-ng-8.3",
            17 => "xcp-ng-8.3-2024",
            _ => return None,
        };
        return name.parse().ok();
    }
    Target::of_host(minor, point.unwrap_or(u8::MAX)).map(|resolved| resolved.target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_known_by_what_its_kernel_says() {
        let none = "unknown";
        for (major, minor, extra, changeset, release) in [
            ("4\n", "17\n", ".7\n", none, Some("4.17.7")),
            ("4", "20", ".5-pre", none, Some("4.20.4")),
            ("4", "21", "", none, Some("4.21.2")),
            ("4", "13", ".5-9.38", "708e83f0e7d1, pq 70d4b5941e4f", Some("xcp-ng-8.2")),
            ("4", "17", ".4-6", "430ce6cd9365, pq 326ba7419f25", Some("xcp-ng-8.3-2024")),
            ("4", "17", ".5-12", "430ce6cd9365, pq 326ba7419f25", Some("xcp-ng-8.3-2024")),
            ("4", "17", ".5-13", "430ce6cd9365, pq 326ba7419f25", Some("xcp-ng-8.3")),
            ("4", "17", ".6-2", "430ce6cd9365, pq 326ba7419f25", Some("xcp-ng-8.3")),
            ("4", "12", ".0", none, None),
            ("4", "99", ".0", none, None),
            ("5", "0", ".0", none, None),
        ] {
            let directory = tempfile::tempdir().unwrap();
            for (name, text) in [
                ("version/major", major),
                ("version/minor", minor),
                ("version/extra", extra),
                ("properties/changeset", changeset),
            ] {
                let path = directory.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            let found = described_in(directory.path()).map(|target| target.to_string());
            assert_eq!(found.as_deref(), release, "{minor}{extra}");
        }
        assert_eq!(described_in(Path::new("/nowhere")), None);
    }
}
