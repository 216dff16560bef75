//! Headers of streams and containers, and of their records.

use crate::rule::Rule;
use crate::violation::Layer;
use crate::wire::layout::Check::{By, Is, Within, Zero};
use crate::wire::layout::{
    ByteOrder, Check, Field, Group, HeaderHook, Hook, Keep, Layout, LibvirtHook, LibxcHook, LibxlHook,
    Likely, XlHook,
};
use crate::wire::{libvirt, libxc, libxl, xenopsd, xl};

/// Versions, and other numbers that are small by nature.
const SMALL: Likely = Likely::below(1 << 16, u32::MAX as u64);

/// Types of records: no record has the one that others become. The numbers that are defined will be small for a long time.
const TYPE: Likely = Likely::below(0x1000, 0x7FFF_FFFF).unless(Keep::UnlessDamaged);

const fn header(hook: HeaderHook) -> Check {
    By(Hook::Header(hook))
}

/// Flags of xl that every reader knows.
const XL_FLAGS: u64 = (xl::FLAG_JSON | xl::FLAG_STREAM_V2) as u64;

/// The header of `xl save`. The optional data follow.
pub const XL: Layout = Layout {
    name: "xl header",
    order: ByteOrder::Stream,
    groups: &[Group::once(&[
        Field::new("magic", 0, 32, "`Xen saved domain, xl format`").kept().area(),
        Field::new("byteorder", 32, 4, "tells the order of the fields after it")
            .kept()
            .checked(&[header(HeaderHook::Xl(XlHook::Byteorder))]),
        Field::new("mandatory_flags", 36, 4, "what readers have to know")
            .kept()
            .flags(xl::FLAGS)
            .likely(Likely::below(1 << 16, 1 << 31).with_bits(XL_FLAGS))
            .checked(&[
                header(HeaderHook::Xl(XlHook::MandatoryFlags)),
                Within(XL_FLAGS, Rule::XlMandatoryFlags),
            ]),
        Field::new("optional_flags", 40, 4, "what readers may know; none is defined")
            .kept()
            .checked(&[header(HeaderHook::Xl(XlHook::OptionalFlags)), Zero(Rule::XlOptionalFlags)]),
        Field::new("optional_data_len", 44, 4, "bytes of optional data")
            .kept()
            .decimal()
            .checked(&[header(HeaderHook::Xl(XlHook::OptionalDataLen))]),
    ])],
};

/// What the optional data of the xl header begin with.
pub const XL_CONFIG: Layout = Layout {
    name: "optional data of the xl header",
    order: ByteOrder::Stream,
    groups: &[
        Group::once(&[Field::new("config_len", 0, 4, "bytes of the configuration").kept().decimal()]),
        Group::rest(4, &[Field::new("config", 0, 0, "the configuration, and what readers skip").area()]),
    ],
};

/// The header of libvirt's libxl driver. The XML follows.
pub const LIBVIRT: Layout = Layout {
    name: "libvirt header",
    order: ByteOrder::Stream,
    groups: &[
        Group::once(&[
            Field::new("magic", 0, 16, "`libvirt-xml`").kept().area(),
            Field::new("version", 16, 4, "what follows the XML; tells the byte order")
                .kept()
                .decimal()
                .likely(SMALL)
                .checked(&[header(HeaderHook::Libvirt(LibvirtHook::Version))]),
            Field::new("xml_len", 20, 4, "bytes of the XML, its final NUL included")
                .kept()
                .decimal()
                .checked(&[header(HeaderHook::Libvirt(LibvirtHook::XmlLen))]),
        ]),
        Group::array(
            24,
            4,
            libvirt::UNUSED_WORDS as u32,
            &[Field::reserved("unused", 0, 4)
                .likely(Likely::below(1, 1))
                .checked(&[header(HeaderHook::Libvirt(LibvirtHook::Unused))])],
        ),
    ],
};

/// What a suspend image of xenopsd begins with.
pub const XENOPSD: Layout = Layout {
    name: "xenopsd signature",
    order: ByteOrder::Little,
    groups: &[Group::once(&[Field::new(
        "signature",
        0,
        xenopsd::SIGNATURE.len() as u32,
        "`XenSavedDomv2-`",
    )
    .kept()
    .area()])],
};

/// The header of a xenopsd record.
pub const XENOPSD_RECORD: Layout = Layout {
    name: "xenopsd header",
    order: ByteOrder::Little,
    groups: &[Group::once(&[
        Field::new("type", 0, 8, "type of what follows").kept().likely(Likely { below: 1 << 16, ..TYPE }),
        Field::new("length", 8, 8, "bytes that follow, where xenopsd looks at it").kept().decimal(),
    ])],
};

/// The header of the libxl stream.
pub const LIBXL: Layout = Layout {
    name: "libxl header",
    order: ByteOrder::Big,
    groups: &[Group::once(&[
        Field::new("ident", 0, 8, "`LibxlFmt`")
            .kept()
            .checked(&[header(HeaderHook::Libxl(LibxlHook::Ident))]),
        Field::new("version", 8, 4, "version of the stream")
            .kept()
            .decimal()
            .checked(&[Is(libxl::VERSION as u64, Rule::LibxlVersion)]),
        Field::new("options", 12, 4, "byte order and origin")
            .kept()
            .flags(libxl::OPTIONS)
            .checked(&[header(HeaderHook::Libxl(LibxlHook::Options))]),
    ])],
};

/// The image header of the libxc stream.
pub const LIBXC_IMAGE: Layout = Layout {
    name: "libxc image header",
    order: ByteOrder::Big,
    groups: &[Group::once(&[
        Field::new("marker", 0, 8, "all ones")
            .kept()
            .checked(&[header(HeaderHook::Libxc(LibxcHook::Marker))]),
        Field::new("id", 8, 4, "`XENF`").kept().checked(&[Is(libxc::ID as u64, Rule::LibxcId)]),
        Field::new("version", 12, 4, "version of the stream")
            .kept()
            .decimal()
            .checked(&[header(HeaderHook::Libxc(LibxcHook::Version))]),
        Field::new("options", 16, 2, "byte order")
            .kept()
            .flags(libxc::OPTIONS)
            .checked(&[header(HeaderHook::Libxc(LibxcHook::Options))]),
        Field::reserved("reserved", 18, 2).checked(&[Zero(Rule::LibxcHeaderReserved)]),
        Field::reserved("reserved2", 20, 4).checked(&[Zero(Rule::LibxcHeaderReserved)]),
    ])],
};

/// The domain header of the libxc stream.
pub const LIBXC_DOMAIN: Layout = Layout {
    name: "libxc domain header",
    order: ByteOrder::Stream,
    groups: &[Group::once(&[
        Field::new("type", 0, 4, "kind of guest")
            .kept()
            .checked(&[header(HeaderHook::Libxc(LibxcHook::DomainType))]),
        Field::new("page_shift", 4, 2, "size of a page, as a power of two")
            .kept()
            .decimal()
            .checked(&[Is(libxc::PAGE_SHIFT as u64, Rule::LibxcPageShift)]),
        Field::reserved("reserved", 6, 2).checked(&[Zero(Rule::LibxcDomainReserved)]),
        Field::new("xen_major", 8, 4, "major version of the Xen that wrote it; 0 for a converter")
            .kept()
            .decimal()
            .likely(SMALL)
            .checked(&[header(HeaderHook::Libxc(LibxcHook::XenMajor))]),
        Field::new("xen_minor", 12, 4, "minor version of that Xen")
            .kept()
            .decimal()
            .likely(SMALL)
            .checked(&[header(HeaderHook::Libxc(LibxcHook::XenMinor))]),
    ])],
};

/// The header of a record of libxl or libxc.
pub const RECORD: Layout = Layout {
    name: "record header",
    order: ByteOrder::Stream,
    groups: &[Group::once(&[
        Field::new("type", 0, 4, "type of the record")
            .kept()
            .likely(TYPE.with_bits(libxc::types::OPTIONAL as u64)),
        Field::new("body_length", 4, 4, "bytes of the body, without padding").kept().decimal(),
    ])],
};

/// The header of an entry of HVM_CONTEXT.
pub const HVM_ENTRY: Layout = Layout {
    name: "entry header",
    order: ByteOrder::Little,
    groups: &[Group::once(&[
        Field::new("typecode", 0, 2, "type of the entry").kept().decimal(),
        Field::new("instance", 2, 2, "vcpu, or number of the device").kept().decimal(),
        Field::new("length", 4, 4, "bytes of the body").kept().decimal(),
    ])],
};

/// The header of a record of this layer, or of a stream that has no records; none for a layer without either.
#[must_use]
pub const fn of_layer(layer: Layer) -> &'static [&'static Layout] {
    match layer {
        Layer::Xl => &[&XL],
        Layer::Libvirt => &[&LIBVIRT],
        Layer::Xenopsd => &[&XENOPSD_RECORD],
        Layer::Libxl | Layer::Libxc => &[&RECORD],
        Layer::Hvm => &[&HVM_ENTRY],
        Layer::Stream | Layer::Pv | Layer::Qemu | Layer::Host => &[],
    }
}

/// Every header, outermost first.
pub(super) const ALL: [&Layout; 10] = [
    &XL,
    &XL_CONFIG,
    &LIBVIRT,
    &XENOPSD,
    &XENOPSD_RECORD,
    &LIBXL,
    &LIBXC_IMAGE,
    &LIBXC_DOMAIN,
    &RECORD,
    &HVM_ENTRY,
];
