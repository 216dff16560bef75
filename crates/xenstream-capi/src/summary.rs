//! What a stream held.

use xenstream_core::{Format, Guest, Summary};

use crate::choice::{self, XS_GUEST_HVM, XS_GUEST_PV, XS_GUEST_UNKNOWN, xs_format, xs_guest};

/// A summary of a stream's contents, as far as it was read. Fields that are not known yet are 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct xs_summary {
    /// The format, or XS_FORMAT_AUTO if it is not known yet.
    pub format: xs_format,
    /// The kind of guest.
    pub guest: xs_guest,
    /// Major version of the Xen that wrote the libxc stream.
    pub xen_major: u32,
    /// Minor version of the Xen that wrote the libxc stream.
    pub xen_minor: u32,
    /// Version of the libxc stream.
    pub libxc_version: u32,
    /// Width of a PV guest in bytes, 4 or 8; 0 for others.
    pub guest_width: u32,
    /// Number of bytes of the stream that were pushed or skipped.
    pub bytes: u64,
    /// Number of records of libxl and libxc.
    pub records: u64,
    /// Number of pages with contents. A page that was sent twice counts twice.
    pub pages: u64,
    /// Number of complete checkpoints.
    pub checkpoints: u64,
}

impl xs_summary {
    /// The summary of no stream.
    #[cfg(feature = "std")]
    pub(crate) const EMPTY: xs_summary = xs_summary {
        format: choice::XS_FORMAT_AUTO,
        guest: XS_GUEST_UNKNOWN,
        xen_major: 0,
        xen_minor: 0,
        libxc_version: 0,
        guest_width: 0,
        bytes: 0,
        records: 0,
        pages: 0,
        checkpoints: 0,
    };

    pub(crate) fn new(summary: &Summary, bytes: u64) -> xs_summary {
        let (xen_major, xen_minor) = summary.xen.unwrap_or((0, 0));
        xs_summary {
            format: choice::number(Format::all(), &summary.format),
            guest: match summary.guest {
                None => XS_GUEST_UNKNOWN,
                Some(Guest::Pv) => XS_GUEST_PV,
                Some(Guest::Hvm) => XS_GUEST_HVM,
            },
            xen_major,
            xen_minor,
            libxc_version: summary.libxc_version.unwrap_or(0),
            guest_width: summary.guest_width.map_or(0, u32::from),
            bytes,
            records: summary.records.total(),
            pages: summary.pages.with_data(),
            checkpoints: summary.checkpoints,
        }
    }
}
