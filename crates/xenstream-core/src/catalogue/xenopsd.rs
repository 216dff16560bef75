//! Rules on the suspend image of xenopsd.

macro_rules! xenopsd {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    XenopsdHeaderType "xenopsd::header-type" S S S
        field: 8, framing: ends(type), by: core
        title: "unknown header type"
        refuses: "A header of a suspend image whose type xenopsd does not know."
        why: "The meaning of the length depends on the type, so the header after an unknown one cannot be found. xenopsd refuses it too."
        source: "xenopsd, suspend image header types"
        message: "header type {found:x} is unknown"
    XenopsdLengthNegative "xenopsd::length-negative" S S S
        field: 8, framing: ends(ones), by: core
        title: "negative length"
        refuses: "A header of a suspend image whose length is negative."
        why: "Lengths are signed, and a stream cannot go backwards. A reader that takes the length as unsigned waits for bytes that never come."
        source: "xenopsd, suspend image headers: signed 64-bit lengths"
        message: "length is {found:x}, a negative number"
    XenopsdLength "xenopsd::length" D D D
        field: 8, framing: lost(8, length), by: core
        title: "wrong length for the header type"
        refuses: "A length above 1 MiB for Qemu_trad, above the limit `xenopsd-blob` for other blobs, or other than 0 for Libxc and End_of_image."
        why: "xenopsd reads whole blobs into memory, and refuses device-model state of more than 1 MiB. It ignores the length of a Libxc or End_of_image header, so restore only warns about it; a reader that trusts the length looks for the next header in the wrong place."
        source: "xenopsd, suspend image headers; its bound for qemu-traditional; limit of the policy"
        message: "length is {found}; the type or the limit xenopsd-blob allows at most {expected}"
    XenopsdMetadata "xenopsd::metadata" W D D
        field: 1, framing: kept, by: std
        title: "metadata that xenopsd cannot read"
        refuses: "A Xenops record that is not a single s-expression (a list of fields, each a list of a name and a value), or whose time or word_size is missing or not a number."
        why: "xenopsd parses the record before anything else in the image, and stops with an exception."
        source: "xenopsd, suspend_image.ml, Xenops_record.of_string"
        message: "the metadata is not an s-expression with time and word_size; its first {found} bytes are well-formed"
    XenopsdUnsupported "xenopsd::unsupported" D D D
        field: 8, framing: kept, by: core
        title: "header type that xenopsd refuses"
        refuses: "A Libxl or Qemu_xen header."
        why: "xenopsd defines these types but does not implement them, and stops with an error."
        source: "xenopsd, suspend image restore"
        message: "header type {found:x} is defined, but no xenopsd supports it"
    XenopsdMissingLibxc "xenopsd::missing-libxc" D D D
        field: 8, framing: kept, by: core
        title: "no libxc stream"
        refuses: "A suspend image that reaches End_of_image without a Libxc header."
        why: "The guest's memory and registers are in the libxc stream. Without it, there is nothing to resume."
        source: "xenopsd, suspend image restore"
        message: "header type {found:x} ends the image before any libxc stream"
    XenopsdOpaque "xenopsd::opaque" U U U
        field: 8, framing: ends(type), by: core
        title: "contents that cannot be judged"
        refuses: "A Demu or Libxc_legacy header, whose contents follow inline without a length."
        why: "Only the program that wrote such contents knows where they end, so the headers after them cannot be found, and the rest cannot be judged. The image may be fine."
        source: "xenopsd, suspend image headers of length 0 with inline contents"
        message: "the contents of {found} have no length, and only XenServer's own programs can read them"
    XenopsdOrder "xenopsd::order" W W D
        field: 8, framing: kept, by: core
        title: "headers out of order"
        refuses: "A header that comes after one that should follow it, or a second header of a type that may come only once."
        why: "xenopsd writes Xenops, Libxc, Demu, Varstored, Swtpm, Qemu_trad, End_of_image, in this order. Another program wrote any other order, and a repeated part silently replaces the first."
        source: "xenopsd, suspend image writer"
        message: "header type {found:x} is out of order or repeated"
    } };
}
