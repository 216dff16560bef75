//! Rules on the suspend image of xenopsd.

macro_rules! xenopsd {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    XenopsdHeaderType "xenopsd::header-type" S S S
        field: 8, framing: ends(type), by: core
        title: "unknown header type"
        refuses: "A header of a suspend image whose type xenopsd does not know."
        why: "What the length means depends on the type, so past an unknown one the next header cannot be found. xenopsd refuses it too."
        source: "xenopsd, suspend image header types"
        message: "header type {found:x} is unknown"
    XenopsdLengthNegative "xenopsd::length-negative" S S S
        field: 8, framing: ends(ones), by: core
        title: "negative length"
        refuses: "A header of a suspend image whose length is negative."
        why: "Lengths are signed here, and there is no way to step back; a reader who takes the number for unsigned would wait for bytes that never come."
        source: "xenopsd, suspend image headers: signed 64-bit lengths"
        message: "length is {found:x}, a negative number"
    XenopsdLength "xenopsd::length" D D D
        field: 8, framing: lost(8, length), by: core
        title: "wrong length for the header type"
        refuses: "A length over 1 MiB for Qemu_trad, over the limit xenopsd-blob for other blobs, or other than 0 where none belongs (Libxc, End_of_image)."
        why: "xenopsd reads blobs into memory whole, and refuses device-model state of more than 1 MiB. It does not look at the length of a Libxc or End_of_image header, so restore only warns of one; a reader who believes it looks for the next header in the wrong place."
        source: "xenopsd, suspend image headers; its bound for qemu-traditional; limit of the policy"
        message: "length is {found}; at most {expected} is allowed, by the type or by the limit xenopsd-blob"
    XenopsdMetadata "xenopsd::metadata" W D D
        field: 1, framing: kept, by: std
        title: "metadata that xenopsd cannot read"
        refuses: "A Xenops record that is not one s-expression, a list of fields that are lists of a name and a value, or that has no time or no word_size as a number."
        why: "xenopsd parses the record before it reads anything else of the image, and stops with an exception."
        source: "xenopsd, suspend_image.ml, Xenops_record.of_string"
        message: "the metadata stops being an s-expression with time and word_size after {found} bytes"
    XenopsdUnsupported "xenopsd::unsupported" D D D
        field: 8, framing: kept, by: core
        title: "header type that xenopsd refuses"
        refuses: "A Libxl or Qemu_xen header."
        why: "xenopsd has numbers for these and no code behind them: it stops with an error when it meets one."
        source: "xenopsd, suspend image restore"
        message: "header type {found:x} is defined and supported by no xenopsd"
    XenopsdMissingLibxc "xenopsd::missing-libxc" D D D
        field: 8, framing: kept, by: core
        title: "no libxc stream"
        refuses: "A suspend image that reaches End_of_image without a Libxc header."
        why: "The guest's memory and registers are in the libxc stream; without it there is nothing to resume."
        source: "xenopsd, suspend image restore"
        message: "header type {found:x} ends the image before any libxc stream"
    XenopsdOpaque "xenopsd::opaque" U U U
        field: 8, framing: ends(type), by: core
        title: "contents that cannot be judged"
        refuses: "A Demu or Libxc_legacy header, whose contents follow inline without a length."
        why: "Only the program that wrote such contents knows where they end, so the headers after them cannot be found and the rest cannot be judged. The image may be fine."
        source: "xenopsd, suspend image headers of length 0 with inline contents"
        message: "the contents of {found:xenopsd} have no length and a format that only XenServer's own programs read"
    XenopsdOrder "xenopsd::order" W W D
        field: 8, framing: kept, by: core
        title: "headers out of order"
        refuses: "A header that comes after one of a later rank, or repeats one that may come once only."
        why: "xenopsd writes Xenops, Libxc, Demu, Varstored, Swtpm, Qemu_trad, End_of_image. Another order was written by something else, and a repeated part silently takes the place of the first."
        source: "xenopsd, suspend image writer"
        message: "header type {found:x} is out of order or repeated"
    } };
}
