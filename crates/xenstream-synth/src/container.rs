//! What goes around a libxc stream: a libxl stream, and the headers of xl, libvirt and xenopsd.

use arbitrary::Arbitrary;
use xenstream_core::Format;
use xenstream_core::wire::{headers, libvirt, xenopsd, xl};

use crate::body::Body;
use crate::flat::Flat;
use crate::item::{Item, Part};
use crate::libxl::qemu_state;
use crate::stream::Stream;

/// What is around a libxc stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Arbitrary)]
#[non_exhaustive]
pub enum Container {
    /// Nothing.
    #[default]
    Libxc,
    /// A libxl stream, and nothing around that.
    Libxl,
    /// A libxl stream in a file of `xl save`.
    Xl,
    /// A libxl stream in a file of libvirt.
    Libvirt,
    /// A suspend image of xenopsd.
    Xenopsd,
}

impl Container {
    /// Returns every container.
    pub fn all() -> impl DoubleEndedIterator<Item = Container> + ExactSizeIterator + Clone {
        [Container::Xl, Container::Libvirt, Container::Xenopsd, Container::Libxl, Container::Libxc]
            .into_iter()
    }

    /// The name on a command line, that of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Container::Xl => "xl",
            Container::Libvirt => "libvirt",
            Container::Xenopsd => "xenopsd",
            Container::Libxl => "libxl",
            Container::Libxc => "libxc",
        }
    }

    /// Returns whether there is a libxl stream, whose records alone tell of checkpoints.
    #[must_use]
    pub const fn has_libxl(self) -> bool {
        matches!(self, Container::Xl | Container::Libvirt | Container::Libxl)
    }
}

/// The configuration that [`Stream::in_xl`] puts into the header, without its final NUL.
pub const XL_CONFIG: &str = r#"{"c_info": {"name": "guest"}}"#;

/// The mandatory flags of a header whose configuration is JSON.
pub(crate) const XL_FLAGS: u32 = xl::FLAG_JSON | xl::FLAG_STREAM_V2;

/// The XML that [`Stream::in_libvirt`] puts after the header, without its final NUL.
pub const LIBVIRT_XML: &str = "<domain type='xen'><name>guest</name></domain>";

/// The metadata that [`Stream::in_xenopsd`] starts with.
pub const XENOPS: &str = "((time 20240101T00:00:00Z)(word_size 64))";

/// The xl header, with room for optional data of this length after it.
#[must_use]
pub fn xl_header(mandatory_flags: u32, optional_data_len: u32) -> Item {
    let header = Flat::new(&headers::XL)
        .holding("magic", xl::MAGIC)
        .with("byteorder", xl::BYTEORDER.into())
        .with("mandatory_flags", mandatory_flags.into())
        .with("optional_data_len", optional_data_len.into());
    Item::new(Part::Xl, header.body())
}

/// The optional data after an xl header: a configuration and its length, nothing after it.
#[must_use]
pub fn xl_data(config: &[u8]) -> Item {
    let header = Flat::new(&headers::XL_CONFIG).with("config_len", length(config).into());
    Item::new(Part::XlData, header.body().and(Body::new().raw(config)))
}

/// The libvirt header, for XML of this length.
#[must_use]
pub fn libvirt_header(version: u32, xml_len: u32) -> Item {
    let header = Flat::new(&headers::LIBVIRT)
        .holding("magic", libvirt::MAGIC)
        .with("version", version.into())
        .with("xml_len", xml_len.into());
    Item::new(Part::Libvirt, header.body())
}

/// The XML after a libvirt header.
#[must_use]
pub fn libvirt_xml(xml: &[u8]) -> Item {
    Item::new(Part::LibvirtXml, Body::new().raw(xml))
}

/// The signature of a xenopsd image.
#[must_use]
pub fn xenopsd_signature() -> Item {
    Item::new(Part::Xenopsd, Body::new().raw(xenopsd::SIGNATURE))
}

/// A typed header of a xenopsd image, and what it announces.
#[must_use]
pub fn xenopsd_record(kind: u64, blob: Body) -> Item {
    Item::new(Part::xenopsd(kind), blob)
}

impl Stream {
    /// A libxl stream in an xl file with [`XL_CONFIG`].
    #[must_use]
    pub fn in_xl(self) -> Stream {
        let config = [XL_CONFIG.as_bytes(), b"\0"].concat();
        self.in_xl_with(XL_FLAGS, &config)
    }

    /// A libxl stream in an xl file with these mandatory flags and this configuration.
    #[must_use]
    pub fn in_xl_with(self, mandatory_flags: u32, config: &[u8]) -> Stream {
        let data = xl_data(config);
        let header = xl_header(mandatory_flags, u32::try_from(data.size()).expect("a length of 32 bits"));
        self.wrapped(Format::Xl, [header, data], [])
    }

    /// A libxl stream in an xl file without optional data.
    #[must_use]
    pub fn in_xl_without_config(self) -> Stream {
        self.wrapped(Format::Xl, [xl_header(XL_FLAGS, 0)], [])
    }

    /// A libxl stream in a libvirt file with [`LIBVIRT_XML`].
    #[must_use]
    pub fn in_libvirt(self) -> Stream {
        self.in_libvirt_with(&[LIBVIRT_XML.as_bytes(), b"\0"].concat())
    }

    /// A libxl stream in a libvirt file with this XML.
    #[must_use]
    pub fn in_libvirt_with(self, xml: &[u8]) -> Stream {
        let header = libvirt_header(libvirt::VERSION, length(xml));
        self.wrapped(Format::Libvirt, [header, libvirt_xml(xml)], [])
    }

    /// A bare libxc stream in a xenopsd image, between metadata and end.
    #[must_use]
    pub fn in_xenopsd(self) -> Stream {
        use xenopsd::types::{END_OF_IMAGE, LIBXC, XENOPS as METADATA};
        let before = [
            xenopsd_signature(),
            xenopsd_record(METADATA, Body::new().raw(XENOPS)),
            xenopsd_record(LIBXC, Body::new()),
        ];
        self.wrapped(Format::Xenopsd, before, [xenopsd_record(END_OF_IMAGE, Body::new())])
    }

    /// With the blobs that a UEFI guest with a TPM and a device model has after its memory.
    ///
    /// # Panics
    /// It is not in a xenopsd image.
    #[must_use]
    pub fn with_blobs(self) -> Stream {
        use xenopsd::types::{END_OF_IMAGE, QEMU_TRAD, SWTPM, VARSTORED};
        let blobs = [
            (VARSTORED, Body::new().raw("variables")),
            (SWTPM, Body::new().raw("tpm")),
            (QEMU_TRAD, qemu_state(32)),
        ];
        blobs.into_iter().fold(self, |stream, (kind, blob)| {
            stream.before(Part::xenopsd(END_OF_IMAGE), xenopsd_record(kind, blob))
        })
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a length of 32 bits")
}
