//! Rules on the header of libvirt.

macro_rules! libvirt {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    LibvirtBigEndian "libvirt::big-endian" W D D
        field: 4, framing: kept, by: core
        title: "libvirt header in big-endian order"
        refuses: "A libvirt header whose version makes sense only in big-endian order."
        why: "libvirt reads the header in the host's byte order. On x86 it sees an unknown version and refuses the image."
        source: "libvirt libxl driver, saved image header, version"
        message: "version reads {found:x}: the header is big-endian, and libvirt on x86 expects {expected}"
    LibvirtVersion "libvirt::version" D D D
        field: 4, framing: kept, by: core
        title: "unknown version of the libvirt header"
        refuses: "A libvirt header whose version is neither 1 nor 2."
        why: "The version says what follows the XML. libvirt refuses an image whose version is newer than its own."
        source: "libvirt libxl driver, saved image header, version"
        message: "version is {found}; 1 and {expected} are known"
    LibvirtVersionPayload "libvirt::version-payload" D D D
        field: 4, framing: kept, by: core
        title: "version does not match the payload"
        refuses: "A libvirt header of version 1, which announces a legacy image, before a libxl stream."
        why: "libvirt makes libxl convert the stream as if Xen 4.5 or older had written it, which fails. With version 2 in the header, libvirt restores it."
        source: "libvirt libxl driver, saved image header, version; libvirt wrote version 1 whatever libxl did until it knew version 2"
        message: "version is {found} and announces a legacy image, but a libxl stream follows: set version to 2; libvirt before 1.3.5 wrote such files with Xen 4.6 and later"
    LibvirtXmlLength "libvirt::xml-length" D D D
        field: 4, framing: lost(4, small), by: core
        title: "impossible length of the XML"
        refuses: "An xml_len of 0, or above the limit `xml`."
        why: "libvirt allocates as much as the field says, up to 4 GiB, before it reads. Without XML, it has no configuration to restore into."
        source: "libvirt libxl driver, saved image header, xml_len; limit of the policy"
        message: "xml_len is {found}; it must be between 1 and the limit xml of {expected}"
    LibvirtXmlTerminator "libvirt::xml-terminator" W W D
        field: 1, framing: kept, by: core
        title: "XML without a final NUL"
        refuses: "A domain XML whose last byte is not NUL."
        why: "libvirt passes the bytes to its XML parser as a C string. Without the NUL, the parser reads whatever memory comes next."
        source: "libvirt libxl driver, saved image header, xml_len counts the NUL"
        message: "the XML ends in {found:x}, not in NUL, so libvirt may read past its end"
    LibvirtXmlSyntax "libvirt::xml-syntax" W D D
        field: 1, framing: kept, by: std
        title: "XML is not well-formed"
        refuses: "A domain XML that is not well-formed, or has more than 256 levels of elements, which libvirt's parser does not accept."
        why: "libvirt cannot read the configuration, so the restore stops before the stream is read. The stream after it may be intact."
        source: "libvirt libxl driver, saved image; XML 1.0"
        message: "the domain XML is not well-formed, or nested too deeply"
    LibvirtReserved "libvirt::reserved" W A D
        field: 4, framing: kept, by: core
        title: "unused words are not zero"
        refuses: "A libvirt header with an unused word that is not zero."
        why: "libvirt writes zeros and ignores the words, so another program wrote this header, or a newer libvirt gave the words a meaning."
        source: "libvirt libxl driver, saved image header, unused"
        message: "an unused word of the header is {found:x}, not zero"
    } };
}
