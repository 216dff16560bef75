//! The table of all rules: one entry each, outermost layer first, and inside a layer in the order of the stream.
//!
//! The three letters after a name are its grades under the profiles spec, restore and hardened: S structural,
//! U unjudged, D deny, W warn, A allow. The line below says three things, each of them mandatory:
//!
//! * `field`: how many bytes the field at a violation's offset has; 0 where something is missing, `word` for a register
//!   of the guest.
//! * `framing`: `kept` if every later field is still where it should be; `lost(n, leave)` if a length or count is wrong,
//!   so that any byte later than n bytes past the offset may be one of the guest's memory; `ends(leave)` for S and U.
//!   [`Leave`] is what a scrubber may leave of the field.
//! * `by`: `core`, or `std` if the crate `xenstream` checks the rule.
//!
//! Everything else that the project says of a rule is made from here.

use crate::rule::{Checker, Entry, Framing, Grade, Leave, Width, catalogue};

catalogue! {
    // The bytes themselves.
    StreamUnrecognised "stream::unrecognised" S S S
        field: 8, framing: ends(zeros), by: core
        title: "not a known format"
        refuses: "Input that begins with the magic of none of the known formats, or not with that of the format it was said to be in; empty input included."
        why: "Without a magic nothing tells where the first field lies. Most often the file is something else, or its first bytes were lost in a copy."
        source: "magics of xl, libvirt, xenopsd, libxl and libxc; xl refuses a file whose magic is not its own"
        message: "{expected:format} at the start"
    StreamLegacy "stream::legacy" U U U
        field: 8, framing: ends(zeros), by: core
        title: "legacy image of Xen 4.5 or older"
        refuses: "An image in the framing that Xen 4.5 and older wrote: announced by the header of xl or libvirt or by xenopsd's old signature, or with a number of pfns where a bare libxc stream has its marker."
        why: "The old framing depends on the word size of the host that saved and carries no version, so it cannot be judged. Xen 4.6 and later restore it by converting it first, and what the conversion writes can be verified."
        source: "xl header, mandatory_flags bit 1; libvirt header, version 1; xenopsd signature; libxc specification, \"Image Header\", marker"
        message: "a legacy image of Xen 4.5 or older begins here; {expected:converter}"
    StreamTruncated "stream::truncated" S S S
        field: 1, framing: ends(zeros), by: core
        title: "input ends inside the stream"
        refuses: "Input that ends before the stream does."
        why: "The rest of the guest is missing. libxc fails on it, but libxl takes the missing record header for an END and fills a torn body with uninitialised memory, so a restore can look like a success."
        source: "both specifications, END is the last record; libxl's record reader does not tell end of file from data"
        message: "the input ends after {found} bytes, inside {reading}{lack}"
    StreamFailover "stream::failover" W W D
        field: 1, framing: kept, by: core
        title: "checkpointed stream without an end"
        refuses: "Input that ends on the libxc side of a checkpointed stream, after at least one complete checkpoint."
        why: "This is how a Remus stream ends when its primary dies: the restorer falls back to the last complete checkpoint, and all that came after it is lost. In a file it can also mean that the copy was cut short."
        source: "restore() of libxenguest: a failed read goes to failover once records are buffered"
        message: "the input ends without END; the guest is restorable to checkpoint {found}{torn}"
    StreamTrailingData "stream::trailing-data" W A D
        field: 1, framing: kept, by: core
        title: "bytes after the end"
        refuses: "Bytes after the end of the stream in a regular file."
        why: "No reader looks at them: they are a second stream that was appended, the tail of an older file that was overwritten, or something hidden. On a pipe they are usual and not judged."
        source: "both specifications, END is the last record; xl migrate goes on with its own handshake on the same descriptor"
        message: "the stream has ended, and {found:follows}"
    StreamTrailingZeros "stream::trailing-zeros" W A W
        field: 1, framing: kept, by: core
        title: "zeros after the end"
        refuses: "Zeros, and nothing else, after the end of the stream in a regular file."
        why: "No reader looks at them: the file is as large as the disk that the image was written to, as a suspend disk is, or space was allocated before. They do no harm, but show that the file is not as it was written."
        source: "both specifications, END is the last record; xenopsd writes suspend images to disks, which are larger"
        message: "the stream has ended, and only zeros follow"
    StreamRecords "stream::records" D D D
        field: 4, framing: kept, by: core
        title: "too many records"
        refuses: "A stream with more records, over all layers, than the limit records."
        why: "An endless run of small records holds a restore up for ever, with the new domain half built and its memory taken."
        source: "limit of the policy; no specification bounds the number"
        message: "record number {found} is over the limit records of {expected}"
    StreamCheckpoints "stream::checkpoints" D D D
        field: 4, framing: kept, by: core
        title: "too many checkpoints"
        refuses: "A stream with more checkpoints than the limit checkpoints."
        why: "A checkpointed stream has no natural end, so only a limit stops a sender who never finishes."
        source: "limit of the policy; no specification bounds the number"
        message: "checkpoint number {found} is over the limit checkpoints of {expected}"
    StreamCheckpointSize "stream::checkpoint-size" D D D
        field: 4, framing: kept, by: core
        title: "too much between two checkpoints"
        refuses: "Records of a libxc stream that come after its first CHECKPOINT and take more bytes, since the last one, than the limit checkpoint-size."
        why: "From the first CHECKPOINT on the restorer keeps every record in memory, unread, until the next one: a sender that goes on makes it use memory without bound, whatever the size of the guest."
        source: "limit of the policy; process_record() of libxenguest buffers records once a checkpoint is open, and was seen to take 2.8 GiB for a guest of 125 MiB"
        message: "{found} bytes of records since the last checkpoint are over the limit checkpoint-size of {expected}"

    // The header of xl save.
    XlByteorder "xl::byteorder" S S S
        field: 4, framing: ends(ones), by: core
        title: "bad byte-order mark"
        refuses: "An xl header whose byteorder field is 0x01020304 in neither byte order."
        why: "The mark tells how the three fields after it are read; without it the length of the optional data, and with it the start of the stream, is a guess."
        source: "xl header, byteorder; xl refuses any other value"
        message: "byteorder is {found:x}; {expected:x} in either byte order was expected"
    XlBigEndian "xl::big-endian" W D D
        field: 4, framing: kept, by: core
        title: "xl header in big-endian order"
        refuses: "An xl header whose byteorder mark shows it to be big-endian."
        why: "xl compares the mark in its own order, so on x86 it gives the file up at once. We can read it, and go on to tell whether the rest is whole."
        source: "xl header, byteorder; xl refuses a mark of the other order"
        message: "the byteorder mark reads {found:x}: the header is big-endian, and xl on x86 expects {expected:x}"
    XlMandatoryFlags "xl::mandatory-flags" D D D
        field: 4, framing: kept, by: core
        title: "unknown mandatory flags"
        refuses: "An xl header with a mandatory flag outside 0x3."
        why: "A mandatory flag tells every reader that does not know it to stop, because what follows has another meaning; xl asks for a newer xl and refuses the file."
        source: "xl header, mandatory_flags; xl refuses unknown bits"
        message: "mandatory_flags is {found:x}; only {expected:x} is known"
    XlStreamFlag "xl::stream-flag" D D D
        field: 4, framing: kept, by: core
        title: "stream version not announced"
        refuses: "An xl header that announces a legacy image (bit 1 of mandatory_flags is 0) and is followed by a libxl stream."
        why: "xl takes the stream for an image of Xen 4.5 or older and hands it to a conversion, which fails. Set bit 1, and xl restores it."
        source: "xl header, mandatory_flags bit 1"
        message: "mandatory_flags is {found:x} and announces a legacy image, but a libxl stream follows: set bit 1 (0x2); no released xl writes such a header, a tool that added it to a libxl stream does"
    XlOptionalFlags "xl::optional-flags" W A D
        field: 4, framing: kept, by: core
        title: "optional flags are set"
        refuses: "An xl header with any optional flag."
        why: "No released xl sets one, so the header was made by something else or damaged. xl prints the flags and goes on."
        source: "xl header, optional_flags; xl does not look at the bits"
        message: "optional_flags is {found:x}; no released xl sets any"
    XlOptionalDataLength "xl::optional-data-length" D D D
        field: 4, framing: lost(4, small), by: core
        title: "impossible length of the optional data"
        refuses: "An optional_data_len of 1 to 3, or over the limit optional-data."
        why: "Too little to hold the configuration's own length field makes xl call the file truncated. And xl allocates whatever the field says, up to 4 GiB, before it reads a byte."
        source: "xl header, optional_data_len; limit of the policy"
        message: "optional_data_len is {found}, beyond its bound of {expected}: it is 0, or at least 4 and not over the limit optional-data"
    XlConfigLength "xl::config-length" D D D
        field: 4, framing: lost(4, small), by: core
        title: "configuration longer than the optional data"
        refuses: "A configuration length that exceeds what the optional data holds after the length field."
        why: "The configuration would run into the libxl stream. xl holds the length in a signed number, so a huge one turns negative, slips through its check and ends in an impossible allocation."
        source: "xl header, optional data; xl keeps the configuration's length in an int"
        message: "the configuration's length is {found}; the optional data has room for {expected}"
    XlConfigMissing "xl::config-missing" W D D
        field: 4, framing: kept, by: core
        title: "no configuration"
        refuses: "An xl header without optional data, or with a configuration of no bytes."
        why: "The memory is there, but not the description of the virtual machine: xl restore stops unless it is given a configuration file beside the image."
        source: "xl header, optional_data_len and the configuration's length; xl asks for a configuration file when the image has none"
        message: "the image carries no configuration: xl restore needs a configuration file beside it"
    XlConfigTerminator "xl::config-terminator" W D D
        field: 1, framing: kept, by: core
        title: "configuration without a final NUL"
        refuses: "A JSON configuration whose last byte is not NUL."
        why: "xl hands the bytes to its JSON parser as a C string, so without the NUL the parser reads on past the end of the buffer."
        source: "xl header, optional data; xl passes no length to the JSON parser"
        message: "the JSON configuration ends in {found:x}, not in NUL, and xl reads past it"
    XlConfigJson "xl::config-json" W D D
        field: 1, framing: kept, by: std
        title: "configuration is not JSON"
        refuses: "A configuration that the header flags as JSON and that is not well-formed JSON."
        why: "xl cannot read the description of the virtual machine and stops, unless it is given another one in a configuration file. The stream after it may be whole."
        source: "xl header, mandatory_flags bit 0; libxl_domain_config_from_json(); RFC 8259"
        message: "the configuration is flagged as JSON and is not well-formed"
    XlConfigDepth "xl::config-depth" D D D
        field: 1, framing: kept, by: std
        title: "configuration nested too deeply"
        refuses: "A JSON configuration, or the metadata of a xenopsd image, with more levels of nesting than the limit config-depth."
        why: "libxl keeps an object for each level and searches its list of all objects for each new one: 50,000 levels in 100 KB hold it up for minutes."
        source: "libxl's JSON reader, libxl__ptr_add(); limit of the policy"
        message: "nesting reaches level {found}; the limit config-depth is {expected}"
    XlConfigValues "xl::config-values" D D D
        field: 1, framing: kept, by: std
        title: "too many values in the configuration"
        refuses: "A JSON configuration, or the metadata of a xenopsd image, with more values, keys included, than the limit config-values."
        why: "libxl searches its list of all objects for each new one, so the time that it takes grows with the square of their number: hours for a configuration of 16 MiB."
        source: "libxl's JSON reader, libxl__ptr_add(); limit of the policy"
        message: "value {found} is over the limit config-values of {expected}"
    XlConfigNumber "xl::config-number" D D D
        field: 1, framing: kept, by: std
        title: "number too large for a bitmap"
        refuses: "A JSON configuration with an array that holds a number at or above the limit config-number, or below 0."
        why: "Arrays of numbers are sets of cpus and nodes, and libxl allocates a bitmap as long as the last number says: 256 MiB for a few bytes, and for 2147483647 it overflows and dies."
        source: "libxl__bitmap_parse_json(); limit of the policy"
        message: "an array holds a number that is negative or not below the limit config-number of {expected}"
    XlTypeMismatch "xl::type-mismatch" W D D
        field: 4, framing: kept, by: std
        title: "configuration and stream disagree on the type"
        refuses: "A stream that shows another type of domain than the configuration gives it: a PV guest where that says HVM or PVH, the reverse, or a device model where it says PVH."
        why: "The toolstack builds the domain from the configuration and then cannot restore the stream into it: the restorer refuses a guest of the other kind, and libxl device-model records of a domain that has no device model."
        source: "xl header and libvirt XML, the domain's type; restorer, x86_pv_setup() and x86_hvm_setup(); libxl, process_record()"
        message: "the configuration says that the domain is {type}, and {shown}"
    XlMemoryMismatch "xl::memory-mismatch" W W W
        field: 4, framing: kept, by: std
        title: "less memory than configured"
        refuses: "A stream of an HVM guest that names fewer pfns than the configuration gives the guest pages of memory (target_memkb without video_memkb)."
        why: "The upper part of the guest's memory may be missing. A guest above 4 GiB has more pfns than pages, for there are holes for devices; only one whose balloon has given up memory, and which was restored since, may have fewer."
        source: "xl header, the domain's memory; send_all_pages() of libxenguest, which goes on to the highest pfn"
        message: "{missing} at least, if the guest has the memory that the configuration gives it"
    XlViridianMismatch "xl::viridian-mismatch" W W W
        field: 8, framing: kept, by: std
        title: "configuration and stream disagree on Viridian"
        refuses: "A stream of an HVM guest that gives it other features of Viridian (parameter 9) than its configuration does, none where that has some, or that has entries of Viridian in HVM_CONTEXT where that has none."
        why: "The toolstack sets the features that the configuration names before it reads the stream, and Xen refuses to set them to another value after that. Where only one of the two names any, the guest comes back with that one's, which may not be what it ran with."
        source: "libxl, hvm_set_viridian_features(); Xen's hvm_allow_set_param()"
        message: "the stream gives the guest {found:viridian}, and the configuration {expected:viridian}"
    XlEmulatorMismatch "xl::emulator-mismatch" W W D
        field: 4, framing: kept, by: std
        title: "configuration and stream disagree on the emulator"
        refuses: "An EMULATOR_CONTEXT of another emulator than the configuration's device_model_version names."
        why: "libxl does not look at the field and hands the state to the device model of the configuration, which cannot load that of another one."
        source: "libxl specification, \"EMULATOR_CONTEXT\", emulator_id; libxl__domain_create() starts the device model of the configuration"
        message: "the state is that of emulator {found}, and the configuration names emulator {expected}"
    XlConfigFormat "xl::config-format" W W D
        field: 4, framing: kept, by: core
        title: "configuration in xl's own syntax"
        refuses: "An xl header whose flags say that the configuration is not JSON."
        why: "Since Xen 4.5 xl writes JSON; a text in xl.cfg syntax comes from an old or a foreign tool, and says whatever a configuration file may say."
        source: "xl header, mandatory_flags bit 0"
        message: "mandatory_flags is {found:x}: the configuration is in xl's own syntax, not JSON (flag {expected:x})"

    // The header of libvirt.
    LibvirtBigEndian "libvirt::big-endian" W D D
        field: 4, framing: kept, by: core
        title: "libvirt header in big-endian order"
        refuses: "A libvirt header whose version is known only when it is read as big-endian."
        why: "libvirt reads the header in the host's own order and, on x86, refuses a version that it does not know."
        source: "libvirt libxl driver, saved image header, version"
        message: "version reads {found:x}: the header is big-endian, and libvirt on x86 expects {expected}"
    LibvirtVersion "libvirt::version" D D D
        field: 4, framing: kept, by: core
        title: "unknown version of the libvirt header"
        refuses: "A libvirt header whose version is neither 1 nor 2."
        why: "The version says what follows the XML. libvirt does not restore an image of a version newer than its own."
        source: "libvirt libxl driver, saved image header, version"
        message: "version is {found}; 1 and {expected} are known"
    LibvirtVersionPayload "libvirt::version-payload" D D D
        field: 4, framing: kept, by: core
        title: "version announces another payload"
        refuses: "A libvirt header of version 1, which announces a legacy image, in front of a libxl stream."
        why: "libvirt has libxl convert the stream as if Xen 4.5 or older had written it, and that fails. With version 2 in the header libvirt restores it."
        source: "libvirt libxl driver, saved image header, version; libvirt wrote version 1 whatever libxl did until it knew version 2"
        message: "version is {found} and announces a legacy image, but a libxl stream follows: set version to 2; libvirt before 1.3.5 writes such files with Xen 4.6 and later"
    LibvirtXmlLength "libvirt::xml-length" D D D
        field: 4, framing: lost(4, small), by: core
        title: "impossible length of the XML"
        refuses: "An xml_len of 0 or over the limit xml."
        why: "libvirt allocates whatever the field says, up to 4 GiB, before it reads. And without XML it has no virtual machine to restore into."
        source: "libvirt libxl driver, saved image header, xml_len; limit of the policy"
        message: "xml_len is {found}; it must be at least 1 and not over the limit xml of {expected}"
    LibvirtXmlTerminator "libvirt::xml-terminator" W W D
        field: 1, framing: kept, by: core
        title: "XML without a final NUL"
        refuses: "A domain XML whose last byte is not NUL."
        why: "libvirt hands the bytes to its XML parser as a C string, so without the NUL the parser goes on into whatever memory lies beyond it, and what it makes of that is luck."
        source: "libvirt libxl driver, saved image header, xml_len counts the NUL"
        message: "the XML ends in {found:x}, not in NUL, and libvirt may read past it"
    LibvirtXmlSyntax "libvirt::xml-syntax" W D D
        field: 1, framing: kept, by: std
        title: "XML is not well formed"
        refuses: "A domain XML that is not well formed, or has more than 256 levels of elements, which libvirt's parser does not take."
        why: "libvirt cannot learn from it what virtual machine to build, so the restore stops before the stream is read. The stream after it may be whole."
        source: "libvirt libxl driver, saved image; XML 1.0"
        message: "the domain XML is not well formed, or nested too deeply"
    LibvirtReserved "libvirt::reserved" W A D
        field: 4, framing: kept, by: core
        title: "unused words are not zero"
        refuses: "A libvirt header with an unused word that is not zero."
        why: "libvirt writes zeros and does not look at them, so something else wrote this header, or a newer libvirt gave the words a meaning."
        source: "libvirt libxl driver, saved image header, unused"
        message: "an unused word of the header is {found:x}, not zero"

    // The suspend image of xenopsd.
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

    // The libxl stream.
    LibxlIdent "libxl::ident" S S S
        field: 8, framing: ends(zeros), by: core
        title: "bad ident"
        refuses: "A libxl stream that does not begin with the letters LibxlFmt."
        why: "There is no libxl stream at this place: the header in front of it lies about its length, or bytes were lost. libxl refuses it."
        source: "libxl specification, \"Header\", ident"
        message: "ident is {found:x}, not the letters LibxlFmt{found:legacy}"
    LibxlVersion "libxl::version" S S S
        field: 4, framing: ends(small), by: core
        title: "unknown version of the libxl stream"
        refuses: "A libxl stream of a version other than 2."
        why: "The version fixes how records are framed; there has been no other since the format began, and libxl refuses any other."
        source: "libxl specification, \"Header\", version"
        message: "libxl version is {found}; only {expected} is known"
    LibxlOptionsReserved "libxl::options-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved options are set"
        refuses: "A libxl header with any of the option bits 2 to 31."
        why: "The bits have no meaning yet, so the writer knows another format or damaged this one. libxl does not look at them."
        source: "libxl specification, \"Header\", options"
        message: "options is {found:x}; only bits 0 and 1 are defined"
    LibxlBigEndian "libxl::big-endian" W D D
        field: 4, framing: kept, by: core
        title: "big-endian libxl records"
        refuses: "A libxl header with the big-endian option."
        why: "The specification allows it and every released libxl stops at it. We can read such records, and go on to tell whether they are whole."
        source: "libxl specification, \"Header\", options bit 0; libxl refuses it"
        message: "options is {found:x}: the records are big-endian, and no released libxl restores that"
    LibxlRecordType "libxl::record-type" S S S
        field: 4, framing: ends(type), by: core
        title: "unknown mandatory libxl record"
        refuses: "A libxl record of an unknown type without the optional bit."
        why: "A mandatory record changes the meaning of the stream for a reader that does not know it, and one of them announced another layer inside. libxl refuses it."
        source: "libxl specification, \"Records\", reserved mandatory types"
        message: "record type {found:x} is unknown and mandatory"
    LibxlRecordOptional "libxl::record-optional" D D D
        field: 4, framing: kept, by: core
        title: "unknown optional libxl record"
        refuses: "A libxl record of an unknown type with the optional bit."
        why: "The specification would let a reader skip it, but revision 2 defines none, and libxl does not know the bit and fails the restore."
        source: "libxl specification, \"Records\", reserved optional types; libxl refuses every type it does not know"
        message: "optional record type {found:x} is unknown, and libxl refuses it all the same"
    LibxlRecordLength "libxl::record-length" D D D
        field: 4, framing: lost(4, small), by: core
        title: "libxl record over the limit"
        refuses: "A libxl record whose body is longer than the limit libxl-record."
        why: "libxl has no bound of its own: it allocates body_length bytes before it reads any, so 16 bytes of stream can cost the host 4 GiB."
        source: "libxl's record reader; limit of the policy"
        message: "body_length is {found}, over the limit libxl-record of {expected}"
    LibxlPadding "libxl::padding" D A D
        field: 1, framing: kept, by: core
        title: "padding is not zero"
        refuses: "A libxl record with padding that is not zero."
        why: "Savers write zeros. Anything else is damage, or memory of the saving process that leaked into the image. libxl does not look at it."
        source: "libxl specification, \"Records\", padding"
        message: "a byte of padding is {found:x}, not zero"
    LibxlEndLength "libxl::end-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "END with a body"
        refuses: "A libxl END record with a body."
        why: "The record has no contents, so a length here is damage or something hidden. libxl reads the body and drops it."
        source: "libxl specification, \"END\""
        message: "body_length of END is {found}, not {expected}"
    LibxlLibxcContextLength "libxl::libxc-context-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "LIBXC_CONTEXT with a body"
        refuses: "A LIBXC_CONTEXT record with a body."
        why: "The libxc stream begins right after the record, and a body makes readers disagree about where that is. libxl reads the body and drops it."
        source: "libxl specification, \"LIBXC_CONTEXT\""
        message: "body_length of LIBXC_CONTEXT is {found}, not {expected}"
    LibxlCheckpointEndLength "libxl::checkpoint-end-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "CHECKPOINT_END with a body"
        refuses: "A CHECKPOINT_END record with a body."
        why: "The record has no contents, so a length here is damage or something hidden. libxl reads the body and drops it."
        source: "libxl specification, \"CHECKPOINT_END\""
        message: "body_length of CHECKPOINT_END is {found}, not {expected}"
    LibxlLibxcContextMissing "libxl::libxc-context-missing" W D D
        field: 4, framing: kept, by: core
        title: "no domain in the stream"
        refuses: "A libxl stream that reaches END without LIBXC_CONTEXT."
        why: "There is no memory and no register to restore. libxl itself finds nothing wrong and leaves a domain that has nothing in it."
        source: "libxl specification, \"Layout\"; libxl does not ask whether a domain came"
        message: "{found:libxl} comes without any LIBXC_CONTEXT before it: there is no domain in the stream"
    LibxlLibxcContextRepeated "libxl::libxc-context-repeated" W W D
        field: 4, framing: kept, by: core
        title: "a second LIBXC_CONTEXT"
        refuses: "A second LIBXC_CONTEXT record."
        why: "libxl starts the restore helper anew over the domain that the first one built; what comes out of it is neither of the two."
        source: "libxl specification, \"Layout\""
        message: "{found:libxl} comes a second time"
    LibxlLibxcContextLate "libxl::libxc-context-late" W W D
        field: 4, framing: kept, by: core
        title: "LIBXC_CONTEXT after emulator records"
        refuses: "Emulator records that come ahead of LIBXC_CONTEXT."
        why: "Device-model state is taken before it is known what domain it belongs to; no saver writes it so."
        source: "libxl specification, \"Layout\""
        message: "{found:libxl} comes after emulator records"
    LibxlEmulatorHeader "libxl::emulator-header" D D D
        field: 4, framing: lost(4, length), by: core
        title: "emulator record without its header"
        refuses: "An emulator record too short for its emulator header."
        why: "The header says which device model the rest is for. libxl fails the restore."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\" and \"EMULATOR_CONTEXT\"; libxl checks the length"
        message: "body_length is {found}; the emulator header alone takes {expected}"
    LibxlEmulatorLength "libxl::emulator-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "device-model state over the limit"
        refuses: "An EMULATOR_CONTEXT whose state is longer than the limit emulator-context."
        why: "libxl holds the state in memory, writes it to a file in dom0 and lets QEMU parse it. Real state is some kilobytes, so megabytes are meant to fill a disk or to reach deep into QEMU."
        source: "libxl's emulator record reader; limit of the policy"
        message: "the device-model state is {found} bytes, over the limit emulator-context of {expected}"
    LibxlEmulatorId "libxl::emulator-id" D A D
        field: 4, framing: kept, by: core
        title: "unknown emulator"
        refuses: "An emulator_id above 2."
        why: "No such device model is known, and what the state is cannot be told. libxl does not look at the field and hands the state to the QEMU that the configuration names."
        source: "libxl specification, \"EMULATOR_CONTEXT\", emulator_id"
        message: "emulator_id is {found}; {expected} is the largest known"
    LibxlEmulatorTraditional "libxl::emulator-traditional" W W W
        field: 4, framing: kept, by: core
        title: "state of qemu-traditional"
        refuses: "An EMULATOR_CONTEXT of emulator 1, qemu-traditional."
        why: "Xen 4.21 dropped this device model, and no other can load its state."
        source: "libxl specification, \"EMULATOR_CONTEXT\", emulator_id; Xen 19ab8356ab"
        message: "the device-model state is that of emulator {found}, qemu-traditional"
    LibxlEmulatorGuest "libxl::emulator-guest" W D D
        field: 4, framing: kept, by: core
        title: "emulator record with a PV domain"
        refuses: "An emulator record in a stream whose domain is PV."
        why: "A PV guest has no emulated devices to restore: libxl fails with a complaint about an emulator record that it did not expect."
        source: "libxl refuses emulator records for domains that are not HVM"
        message: "{found:libxl} belongs to an HVM guest, and the domain is PV"
    LibxlEmulatorMissing "libxl::emulator-missing" W D D
        field: 0, framing: kept, by: core
        title: "no state of the device model"
        refuses: "A libxl stream, or a checkpoint in one, of an HVM guest with emulated devices, or of a domain that the configuration calls HVM, that ends without EMULATOR_CONTEXT."
        why: "libxl starts QEMU with a state to load whenever it restores an HVM domain. Without one QEMU stops at once, and the restore fails after all memory has been moved."
        source: "libxl specification, \"EMULATOR_CONTEXT\"; libxl__build_device_model_args_new() starts QEMU with -incoming"
        message: "{found:libxl} comes without any EMULATOR_CONTEXT: the device model cannot start"
    LibxlXenstoreLength "libxl::xenstore-length" D D D
        field: 4, framing: kept, by: core
        title: "too much xenstore data"
        refuses: "An EMULATOR_XENSTORE_DATA with more bytes of pairs than the limit xenstore-bytes."
        why: "libxl writes each pair into the xenstore of the host in one transaction, and xenstored keeps them in memory. Real data is some hundred bytes."
        source: "libxl__restore_emulator_xenstore_data(); limit of the policy"
        message: "the xenstore data is {found} bytes, over the limit xenstore-bytes of {expected}"
    LibxlXenstoreCount "libxl::xenstore-count" D D D
        field: 1, framing: kept, by: core
        title: "too many xenstore pairs"
        refuses: "More pairs in the EMULATOR_XENSTORE_DATA of a stream, or since its last checkpoint, than the limit xenstore-pairs."
        why: "libxl searches its list of all objects for each new one, so the time that it takes grows with the square of their number: 10 seconds for 400 KB of pairs, hours for 16 MiB."
        source: "libxl__restore_emulator_xenstore_data(), libxl__ptr_add(); limit of the policy"
        message: "xenstore pair {found} is over the limit xenstore-pairs of {expected}"
    LibxlXenstoreTerminator "libxl::xenstore-terminator" D D D
        field: 1, framing: kept, by: core
        title: "xenstore string without NUL"
        refuses: "Xenstore data whose last string has no NUL."
        why: "Keys and values are C strings one after the other; without the last NUL a careless reader runs past the record. libxl checks it and fails."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\""
        message: "the last xenstore string has no NUL at its end"
    LibxlXenstorePairs "libxl::xenstore-pairs" D D D
        field: 1, framing: kept, by: core
        title: "xenstore key without a value"
        refuses: "Xenstore data whose last key has no value."
        why: "Strings come in pairs. An odd one means that a string was lost, and then every value may stand beside the wrong key; libxl fails."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\""
        message: "the last xenstore key has no value"
    LibxlXenstoreKeyEmpty "libxl::xenstore-key-empty" D D D
        field: 1, framing: kept, by: core
        title: "empty xenstore key"
        refuses: "An empty key in xenstore data."
        why: "An empty path names the device model's directory itself, and the write would go to it. libxl fails."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\", key"
        message: "a xenstore key is empty"
    LibxlXenstoreKeyAbsolute "libxl::xenstore-key-absolute" D D D
        field: 1, framing: kept, by: core
        title: "absolute xenstore key"
        refuses: "A key in xenstore data that begins with a slash."
        why: "Keys are relative to the device model's own directory in xenstore; an absolute one would let the image write to any place that the toolstack can write to. libxl fails."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\", key"
        message: "a xenstore key begins with {found:x}, a slash"
    LibxlXenstoreKeyCharset "libxl::xenstore-key-charset" D A D
        field: 1, framing: kept, by: core
        title: "character not allowed in a xenstore key"
        refuses: "A key in xenstore data with a byte that is not an ASCII letter, a digit or one of - / _ @."
        why: "xenstored takes no other characters in a path and refuses the write, and libxl does not ask whether it succeeded: the device model silently goes without that key."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\", key; xenstore's path characters"
        message: "a xenstore key has the byte {found:x}"
    LibxlXenstoreValueCharset "libxl::xenstore-value-charset" W A D
        field: 1, framing: kept, by: core
        title: "unprintable xenstore value"
        refuses: "A value in xenstore data with a byte that is not printable ASCII."
        why: "Values are meant to be read by people and scripts, and control characters do harm in both terminals and logs. libxl stores them as they are."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\", value"
        message: "a xenstore value has the byte {found:x}, which is not printable ASCII"
    LibxlCheckpointEndUnexpected "libxl::checkpoint-end-unexpected" D D D
        field: 4, framing: kept, by: core
        title: "CHECKPOINT_END without a checkpoint"
        refuses: "A CHECKPOINT_END while no checkpoint is open."
        why: "The record hands the descriptor back to libxc, which is not waiting for it. libxl fails the restore."
        source: "libxl specification, \"CHECKPOINT_END\"; libxl checks that a checkpoint is open"
        message: "{found:libxl} comes while no checkpoint is open"
    LibxlEndInCheckpoint "libxl::end-in-checkpoint" D D D
        field: 4, framing: kept, by: core
        title: "END inside a checkpoint"
        refuses: "A libxl END record inside a checkpoint."
        why: "libxl assumes that it never succeeds in the middle of a checkpoint and aborts on an assertion: the toolstack process dies and leaves a half-built domain behind."
        source: "libxl, stream_complete() asserts an error while a checkpoint is open"
        message: "{found:libxl} comes before the checkpoint's CHECKPOINT_END"
    LibxlLibxcContextInCheckpoint "libxl::libxc-context-in-checkpoint" D D D
        field: 4, framing: kept, by: core
        title: "LIBXC_CONTEXT inside a checkpoint"
        refuses: "A LIBXC_CONTEXT record inside a checkpoint."
        why: "The restore helper is still running when libxl is told to start another one, and libxl aborts on an assertion."
        source: "libxl, process_record() starts a helper without asking for one that runs"
        message: "{found:libxl} comes before the checkpoint's CHECKPOINT_END"
    LibxlCheckpointStateLength "libxl::checkpoint-state-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "CHECKPOINT_STATE without its id"
        refuses: "A CHECKPOINT_STATE with a body under 4 bytes."
        why: "libxl takes the control id from the body without asking whether there is one; with an empty body it follows a null pointer and crashes."
        source: "libxl specification, \"CHECKPOINT_STATE\"; libxl, process_record()"
        message: "body_length of CHECKPOINT_STATE is {found}; its control_id takes {expected}"
    LibxlCheckpointStateUnexpected "libxl::checkpoint-state-unexpected" D D D
        field: 4, framing: kept, by: core
        title: "CHECKPOINT_STATE out of place"
        refuses: "A CHECKPOINT_STATE in a stream that is not COLO, or at another place than after CHECKPOINT_END."
        why: "Primary and secondary step through a fixed dialogue; an unexpected message fails the restore."
        source: "libxl specification, \"CHECKPOINT_STATE\"; libxl checks that it waits for one"
        message: "{found:libxl} comes where it is not expected"
    LibxlCheckpointStateId "libxl::checkpoint-state-id" D D D
        field: 4, framing: kept, by: core
        title: "control id out of range"
        refuses: "A control_id that is unknown; under restore and hardened any but NEW, the only one that a primary sends."
        why: "The other states travel from the secondary to the primary. libxl passes the number on as a result code and gives the restore up when it is not the one it waits for."
        source: "libxl specification, \"CHECKPOINT_STATE\", control_id; COLO's restore side waits for NEW"
        message: "control_id is {found}; {expected} is the largest allowed"
    LibxlCheckpointStateMissing "libxl::checkpoint-state-missing" D D D
        field: 4, framing: kept, by: core
        title: "no CHECKPOINT_STATE after a checkpoint"
        refuses: "A COLO stream in which a record of another type follows CHECKPOINT_END."
        why: "The secondary waits for the primary's word that a new checkpoint begins; anything else fails the restore after the guest has run on for a while."
        source: "libxl specification, \"CHECKPOINT_STATE\"; COLO's restore side"
        message: "{found:libxl} comes where COLO sends CHECKPOINT_STATE"

    // The libxc stream: headers and framing.
    LibxcMarker "libxc::marker" S S S
        field: 8, framing: ends(zeros), by: core
        title: "bad marker"
        refuses: "A libxc stream that begins neither with eight bytes of ones nor, outside libxl, as a legacy image does."
        why: "There is no libxc stream at this place: what announces it lies, or bytes were lost. The restore helper refuses it."
        source: "libxc specification, \"Image Header\", marker"
        message: "marker is {found:x}, not all ones"
    LibxcId "libxc::id" S S S
        field: 4, framing: ends(zeros), by: core
        title: "bad id"
        refuses: "An image header whose id is not the letters XENF."
        why: "The marker alone could be a run of erased flash or a bad disk; the id makes sure. The restorer refuses any other."
        source: "libxc specification, \"Image Header\", id"
        message: "id is {found:x}; the letters XENF are {expected:x}"
    LibxcVersion "libxc::version" S S S
        field: 4, framing: ends(small), by: core
        title: "unknown version of the libxc stream"
        refuses: "An image header whose version is neither 2 nor 3."
        why: "The version fixes which records there are and what must come before what. The restorer refuses versions that it does not know, so a newer Xen's image needs a newer Xen."
        source: "libxc specification, \"Image Header\", version"
        message: "libxc version is {found}; 2 and 3 are known"
    LibxcVersion3 "libxc::version-3" A A A
        field: 4, framing: kept, by: core
        title: "version 3 of the libxc stream"
        refuses: "A libxc stream of version 3, or STATIC_DATA_END or a CPU policy in one of version 2, for a release that reads version 2 only."
        why: "Xen 4.13, and with it XCP-ng 8.2, knows neither the version nor these records: it refuses the stream at once."
        source: "libxc specification, \"Image Header\", version; Xen 6501e46ca7"
        message: "version or record type {found} is not known to readers of version 2"
    LibxcOptionsReserved "libxc::options-reserved" D A D
        field: 2, framing: kept, by: core
        title: "reserved options are set"
        refuses: "An image header with any of the option bits 1 to 15."
        why: "The bits have no meaning yet, so the writer knows another format or damaged this one. The restorer does not look at them."
        source: "libxc specification, \"Image Header\", options"
        message: "options is {found:x}; only bit 0 is defined"
    LibxcBigEndian "libxc::big-endian" W D D
        field: 2, framing: kept, by: core
        title: "big-endian libxc records"
        refuses: "An image header with the big-endian option."
        why: "The specification allows it and every released restorer stops at it. We can read such records, and go on to tell whether they are whole."
        source: "libxc specification, \"Image Header\", options bit 0; the restorer refuses it"
        message: "options is {found:x}: the records are big-endian, and no released Xen restores that"
    LibxcHeaderReserved "libxc::header-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved field of the image header is not zero"
        refuses: "An image header with a reserved field that is not zero."
        why: "Savers write zeros; anything else is damage or a format of tomorrow. The restorer does not look at it."
        source: "libxc specification, \"Image Header\" and \"Fields\""
        message: "a reserved field of the image header is {found:x}, not zero"
    LibxcDomainReserved "libxc::domain-reserved" D A D
        field: 2, framing: kept, by: core
        title: "reserved field of the domain header is not zero"
        refuses: "A domain header with a reserved field that is not zero."
        why: "Savers write zeros; anything else is damage or a format of tomorrow. The restorer does not look at it."
        source: "libxc specification, \"Domain Header\" and \"Fields\""
        message: "the reserved field of the domain header is {found:x}, not zero"
    LibxcDomainType "libxc::domain-type" S S S
        field: 4, framing: ends(small), by: core
        title: "unknown domain type"
        refuses: "A domain header whose type is neither x86 PV nor x86 HVM."
        why: "The type decides which records may follow and what they mean. The restorer compares it with the domain that the configuration made and refuses anything else; PVH guests are of type HVM."
        source: "libxc specification, \"Domain Header\", type"
        message: "domain type {found} is neither 1 (x86 PV) nor 2 (x86 HVM, PVH too)"
    LibxcPageShift "libxc::page-shift" S S S
        field: 2, framing: ends(small), by: core
        title: "wrong page size"
        refuses: "A domain header whose page_shift is not 12."
        why: "The size of a page frames every PAGE_DATA record. The restorer refuses other sizes, except that it shifts in 32 bits and so takes 44 for 12."
        source: "libxc specification, \"Domain Header\", page_shift; restorer, read_headers()"
        message: "page_shift is {found}; x86 pages have {expected}"
    LibxcRecordType "libxc::record-type" S S S
        field: 4, framing: ends(type), by: core
        title: "unknown mandatory libxc record"
        refuses: "A libxc record of an unknown type without the optional bit."
        why: "A mandatory record changes the meaning of the stream for a reader that does not know it. The restorer fails, after it has filled the guest's memory."
        source: "libxc specification, \"Records\", reserved mandatory types"
        message: "record type {found:x} is unknown and mandatory"
    LibxcRecordOptional "libxc::record-optional" W A D
        field: 4, framing: kept, by: core
        title: "unknown optional libxc record"
        refuses: "A libxc record of an unknown type with the optional bit."
        why: "The restorer skips it, and no specification says what it carries. Between two checkpoints it does harm: there it is buffered, and replaying it at the second CHECKPOINT fails the restore, so restore refuses it at that CHECKPOINT."
        source: "libxc specification, \"Records\", reserved optional types; restorer, handle_checkpoint()"
        message: "optional record type {found:x} is unknown"
    LibxcRecordLength "libxc::record-length" D D D
        field: 4, framing: lost(4, small), by: core
        title: "libxc record over the limit"
        refuses: "A libxc record whose body is longer than the limit libxc-record."
        why: "The restorer holds a record in memory whole and refuses one of more than 128 MiB before it allocates."
        source: "restorer, REC_LENGTH_MAX; limit of the policy"
        message: "body_length is {found}, over the limit libxc-record of {expected}"
    LibxcPadding "libxc::padding" D A D
        field: 1, framing: kept, by: core
        title: "padding is not zero"
        refuses: "A libxc record with padding that is not zero."
        why: "Savers write zeros. Anything else is damage, or memory of the saving process that leaked into the image. The restorer does not look at it."
        source: "libxc specification, \"Records\", padding"
        message: "a byte of padding is {found:x}, not zero"
    LibxcRecordGuest "libxc::record-guest" D D D
        field: 4, framing: kept, by: core
        title: "record of the other kind of guest"
        refuses: "A PV record in an HVM stream, or an HVM record in a PV stream."
        why: "A PV guest has no HVM context and an HVM guest no p2m to rebuild; the restorer has no handler for such a record and fails."
        source: "libxc specification, \"Layout\"; restorer, one set of handlers for each kind of guest"
        message: "{found:libxc} does not belong to this kind of guest"
    LibxcToolstack "libxc::toolstack" D D D
        field: 4, framing: kept, by: core
        title: "deprecated TOOLSTACK record"
        refuses: "A TOOLSTACK record."
        why: "It was a blob for the toolstack that now travels in libxl's own records; no released restorer has a handler for it, and the restore fails."
        source: "libxc specification, \"TOOLSTACK (deprecated)\""
        message: "{found:libxc} is deprecated, and no released Xen restores it"
    LibxcDirtyPfnList "libxc::dirty-pfn-list" D D D
        field: 4, framing: kept, by: core
        title: "back-channel record in an image"
        refuses: "A CHECKPOINT_DIRTY_PFN_LIST record."
        why: "It goes from a COLO secondary to its primary, never the other way. A restorer that meets it fails."
        source: "libxc specification, \"CHECKPOINT_DIRTY_PFN_LIST\""
        message: "{found:libxc} travels on the back channel only"
    LibxcEndLength "libxc::end-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "END with a body"
        refuses: "A libxc END record with a body."
        why: "The record has no contents, so a length here is damage or something hidden. The restorer reads the body and drops it."
        source: "libxc specification, \"END\""
        message: "body_length of END is {found}, not {expected}"
    LibxcVerifyLength "libxc::verify-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "VERIFY with a body"
        refuses: "A VERIFY record with a body."
        why: "The record has no contents, so a length here is damage or something hidden. The restorer reads the body and drops it."
        source: "libxc specification, \"VERIFY\""
        message: "body_length of VERIFY is {found}, not {expected}"
    LibxcCheckpointLength "libxc::checkpoint-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "CHECKPOINT with a body"
        refuses: "A CHECKPOINT record with a body."
        why: "libxl's records begin right after it, and a body makes readers disagree about where that is. The restorer reads the body and drops it."
        source: "libxc specification, \"CHECKPOINT\""
        message: "body_length of CHECKPOINT is {found}, not {expected}"
    LibxcStaticDataEndLength "libxc::static-data-end-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "STATIC_DATA_END with a body"
        refuses: "A STATIC_DATA_END record with a body."
        why: "The record has no contents, so a length here is damage or something hidden. The restorer reads the body and drops it."
        source: "libxc specification, \"STATIC_DATA_END\""
        message: "body_length of STATIC_DATA_END is {found}, not {expected}"

    // The libxc stream: static data.
    LibxcStaticDataEndMissing "libxc::static-data-end-missing" D D D
        field: 4, framing: kept, by: core
        title: "no STATIC_DATA_END before the contents"
        refuses: "A version 3 stream with memory or register contents before STATIC_DATA_END; under restore only P2M frames and page data count as such."
        why: "At STATIC_DATA_END the restorer gives the domain its CPUID and MSR policy, which must be in place before there is anything to run. It fails at the first page or P2M frame without it."
        source: "libxc specification, \"STATIC_DATA_END\"; restorer, handle_page_data() and handle_x86_pv_p2m_frames()"
        message: "{found:libxc} comes before STATIC_DATA_END"
    LibxcStaticDataEndRepeated "libxc::static-data-end-repeated" D D D
        field: 4, framing: kept, by: core
        title: "a second STATIC_DATA_END"
        refuses: "A second STATIC_DATA_END; in version 2, one after the place where readers infer it."
        why: "The policies have been applied and the domain is being filled: the restorer refuses to do it again."
        source: "libxc specification, \"STATIC_DATA_END\"; restorer, handle_static_data_end()"
        message: "{found:libxc} comes after the static data has ended"
    LibxcStaticDataEndVersion "libxc::static-data-end-version" D A D
        field: 4, framing: kept, by: core
        title: "STATIC_DATA_END in a version 2 stream"
        refuses: "A STATIC_DATA_END in a version 2 stream."
        why: "Version 2 has no such record, so version and contents were not written by one saver. The restorer takes it."
        source: "libxc specification, \"STATIC_DATA_END\", since version 3"
        message: "{found:libxc} does not exist in version 2"
    LibxcPolicyVersion "libxc::policy-version" D A D
        field: 4, framing: kept, by: core
        title: "CPU policy in a version 2 stream"
        refuses: "An X86_CPUID_POLICY or X86_MSR_POLICY in a version 2 stream."
        why: "Version 2 has no such record, so version and contents were not written by one saver. The restorer takes it."
        source: "libxc specification, \"X86_CPUID_POLICY\" and \"X86_MSR_POLICY\", since version 3"
        message: "{found:libxc} does not exist in version 2"
    LibxcStaticRecordLate "libxc::static-record-late" W W D
        field: 4, framing: kept, by: core
        title: "static data after its end"
        refuses: "An X86_PV_INFO or a CPU policy after STATIC_DATA_END, or after the place where a version 2 reader infers it."
        why: "A late policy is stored and never applied, without a word: the guest wakes up with the default CPUID and MSRs of its new host instead of those it was booted with."
        source: "libxc specification, \"STATIC_DATA_END\"; restorer, x86_static_data_complete() runs once"
        message: "{found:libxc} comes after the static data has ended"
    LibxcPvInfoLength "libxc::pv-info-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_PV_INFO"
        refuses: "An X86_PV_INFO of a length other than 8; under restore, of less."
        why: "Width and page-table depth decide how every other PV record is read. The restorer fails on a short record and does not look past the first 8 bytes of a long one."
        source: "libxc specification, \"X86_PV_INFO\"; restorer, handle_x86_pv_info()"
        message: "body_length of X86_PV_INFO is {found}, not {expected}"
    LibxcPvInfoCombination "libxc::pv-info-combination" D D D
        field: 2, framing: kept, by: core
        title: "impossible kind of PV guest"
        refuses: "A guest width and a number of page-table levels that are neither 4 with 3 nor 8 with 4."
        why: "There are 32-bit PAE and 64-bit guests and no others. The restorer checks the pair."
        source: "libxc specification, \"X86_PV_INFO\"; restorer, handle_x86_pv_info()"
        message: "guest_width and pt_levels read {found:x} together; only 0x403 and 0x804 are possible"
    LibxcPvInfoRepeated "libxc::pv-info-repeated" D D D
        field: 4, framing: kept, by: core
        title: "a second X86_PV_INFO"
        refuses: "A second X86_PV_INFO record."
        why: "A guest cannot change its width halfway through; the restorer refuses the record even when it says the same again."
        source: "restorer, handle_x86_pv_info()"
        message: "{found:libxc} comes a second time"
    LibxcPvInfoMissing "libxc::pv-info-missing" D D D
        field: 4, framing: kept, by: core
        title: "no X86_PV_INFO before what depends on it"
        refuses: "An X86_PV_P2M_FRAMES or SHARED_INFO before X86_PV_INFO."
        why: "Both are laid out by the width of the guest. The restorer fails on them; a vcpu's registers it would read as those of a 64-bit guest."
        source: "libxc specification, \"x86 PV Guest\"; restorer, handle_x86_pv_p2m_frames() and handle_shared_info()"
        message: "{found:libxc} comes before X86_PV_INFO"
    LibxcPvInfoReserved "libxc::pv-info-reserved" D A D
        field: 6, framing: kept, by: core
        title: "reserved bytes of X86_PV_INFO are not zero"
        refuses: "An X86_PV_INFO with reserved bytes that are not zero."
        why: "Savers write zeros; anything else is damage or a format of tomorrow. The restorer does not look at it."
        source: "libxc specification, \"X86_PV_INFO\" and \"Fields\""
        message: "a reserved field of X86_PV_INFO is {found:x}, not zero"

    // The libxc stream: the p2m of a PV guest.
    LibxcP2mFramesLength "libxc::p2m-frames-length" D D D
        field: 4, framing: lost(12, length), by: core
        title: "wrong length of X86_PV_P2M_FRAMES"
        refuses: "An X86_PV_P2M_FRAMES whose length does not follow from its range of pfns."
        why: "The record has one frame for each page of the p2m that the range touches; with fewer the restorer would read past it, so it checks and fails."
        source: "libxc specification, \"X86_PV_P2M_FRAMES\"; restorer, handle_x86_pv_p2m_frames()"
        message: "body_length of X86_PV_P2M_FRAMES is {found} where it takes {expected}"
    LibxcP2mFramesRange "libxc::p2m-frames-range" D D D
        field: 4, framing: kept, by: core
        title: "impossible range of pfns"
        refuses: "A start_pfn above end_pfn, or an end_pfn at or above the limit p2m-pfn."
        why: "The restorer checks the order. The size it believes: it allocates and fills about 12 bytes for each pfn up to end_pfn, 48 GiB for the largest, on the word of one small record."
        source: "libxc specification, \"X86_PV_P2M_FRAMES\"; restorer, expand_p2m(); limit of the policy"
        message: "end_pfn {found:x} {range}"
    LibxcP2mFramesEmpty "libxc::p2m-frames-empty" D D D
        field: 4, framing: kept, by: core
        title: "p2m that is never made"
        refuses: "An end_pfn of 0 while no earlier record had a larger one."
        why: "The restorer grows its tables only when end_pfn grows beyond 0, and then stores the frames through a null pointer: the restore helper crashes."
        source: "restorer, handle_x86_pv_p2m_frames()"
        message: "end_pfn is {found}, and no record before had a larger one"
    LibxcP2mFramesGap "libxc::p2m-frames-gap" W D D
        field: 4, framing: kept, by: core
        title: "gap in the frames of the p2m"
        refuses: "A start_pfn whose frame lies beyond the frames that came before it without a gap."
        why: "The restorer does not fill the entries in between before it uses them: pages of the guest's p2m are then named by uninitialised memory."
        source: "restorer, expand_p2m() and update_guest_p2m()"
        message: "the record begins at frame {found} of the p2m, and only {expected} have come before it"
    LibxcP2mFramesEntry "libxc::p2m-frames-entry" W D D
        field: 8, framing: kept, by: core
        title: "frame of the p2m out of range"
        refuses: "A pfn in X86_PV_P2M_FRAMES above the guest's largest pfn."
        why: "The p2m has to lie in the guest's own memory. The restorer finds out only when all memory has been transferred, and fails then."
        source: "restorer, update_guest_p2m()"
        message: "frame {found:x} of the p2m lies above the largest pfn, {expected:x}"
    LibxcP2mFramesHoles "libxc::p2m-frames-holes" D D D
        field: 8, framing: kept, by: core
        title: "p2m that is mostly holes"
        refuses: "More frames in the X86_PV_P2M_FRAMES of a stream that are the same as the one before than the limit p2m-holes."
        why: "Each frame makes the restorer allocate some 6 KiB. A guest uses one frame again only for a range of pfns that it has no memory for, such as that of the devices below 4 GiB; 2 MiB of one and the same frame cost the restorer 3 GiB."
        source: "restorer, expand_p2m(); Linux, p2m_missing and p2m_identity; limit of the policy"
        message: "{found} frames of the p2m are the same as the one before, over the limit p2m-holes of {expected}"
    LibxcP2mFramesMissing "libxc::p2m-frames-missing" D D D
        field: 4, framing: kept, by: core
        title: "no p2m"
        refuses: "A PV stream that reaches PAGE_DATA, CHECKPOINT or END without X86_PV_P2M_FRAMES."
        why: "The restorer has no tables yet but takes pfn 0 for a valid one: a page of that number, or a vcpu 0 whose start-info is there, goes through a null pointer and crashes it."
        source: "libxc specification, \"x86 PV Guest\"; restorer, x86_pv_pfn_is_valid() and process_start_info()"
        message: "{found:libxc} comes before X86_PV_P2M_FRAMES"

    // The libxc stream: memory.
    LibxcPageDataLength "libxc::page-data-length" D D D
        field: 4, framing: lost(12, length), by: core
        title: "wrong length of PAGE_DATA"
        refuses: "A PAGE_DATA whose length is not exactly that of its header, its entries and a page for each entry with data."
        why: "A page too few or too many puts every following page at the wrong place in memory. The restorer checks the sum and fails."
        source: "libxc specification, \"PAGE_DATA\"; restorer, handle_page_data()"
        message: "body_length of PAGE_DATA is {found}; header, entries and pages take {expected}"
    LibxcPageDataCount "libxc::page-data-count" D D D
        field: 4, framing: kept, by: core
        title: "PAGE_DATA without entries"
        refuses: "A PAGE_DATA with a count of 0."
        why: "A batch describes one page at least; an empty one is the work of a broken saver, and the restorer fails on it."
        source: "libxc specification, \"PAGE_DATA\", count"
        message: "count is {found}; at least one entry is needed"
    LibxcPageDataType "libxc::page-data-type" D D D
        field: 8, framing: kept, by: core
        title: "reserved page type"
        refuses: "An entry of PAGE_DATA with one of the types 5 to 8."
        why: "Whether a page follows in the record depends on the type, so an unknown one makes the rest of the batch ambiguous. The restorer fails."
        source: "libxc specification, \"PAGE_DATA\", page types; restorer, handle_page_data()"
        message: "page type {found:x} is reserved"
    LibxcPageDataReserved "libxc::page-data-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of PAGE_DATA is not zero"
        refuses: "A PAGE_DATA with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage or a format of tomorrow. The restorer does not look at it."
        source: "libxc specification, \"PAGE_DATA\" and \"Fields\""
        message: "the reserved word of PAGE_DATA is {found:x}, not zero"
    LibxcPageDataPfnReserved "libxc::page-data-pfn-reserved" D A D
        field: 8, framing: kept, by: core
        title: "reserved bits of an entry are not zero"
        refuses: "An entry of PAGE_DATA with any of the bits 59 to 52."
        why: "They lie between type and pfn, so a bit there is most likely damage to one of the two. The restorer masks them out."
        source: "libxc specification, \"PAGE_DATA\", pfn"
        message: "entry {found:x} has some of the reserved bits 59 to 52 set"
    LibxcPageDataPfnRange "libxc::page-data-pfn-range" D D D
        field: 8, framing: kept, by: core
        title: "pfn beyond the p2m of a PV guest"
        refuses: "A pfn in the stream of a PV guest that is larger than the largest of its p2m."
        why: "The guest has no such page: X86_PV_P2M_FRAMES says how many it has. The restorer fails."
        source: "restorer, x86_pv_pfn_is_valid()"
        message: "pfn {found:x} lies beyond the PV guest's p2m, which ends before {expected:x}"
    LibxcPageDataPfnLimit "libxc::page-data-pfn-limit" D D D
        field: 8, framing: kept, by: core
        title: "pfn over the limit"
        refuses: "A pfn in the stream of an HVM guest at or above the limit hvm-pfn, or at or above 2^30 for a release that cannot keep it; spec and restore judge those entries only that the restorer populates."
        why: "The restorer takes any 52-bit pfn and grows a bitmap up to it, so that a single entry can make it touch gigabytes or run the host out of memory."
        source: "restorer, pfn_set_populated(); limit of the policy"
        message: "pfn {found:x} is not below {expected:x}, the limit hvm-pfn or what the release can keep"
    LibxcPageDataTableType "libxc::page-data-table-type" W A W
        field: 8, framing: kept, by: core
        title: "page-table type in an HVM stream"
        refuses: "An entry of PAGE_DATA in an HVM stream with the type of a page table."
        why: "Xen tracks page tables for PV guests only, so this is no saver of Xen's. The restorer stores the page as any other."
        source: "libxc specification, \"PAGE_DATA\", page types; restorer, x86_hvm_localise_page() does nothing"
        message: "page type {found:x} marks a page table, and an HVM guest has none that Xen knows of"
    LibxcMemoryGap "libxc::memory-gap" W D D
        field: 8, framing: kept, by: core
        title: "memory with a gap"
        refuses: "An entry of PAGE_DATA with a pfn above one that no entry before it has named; in a stream that says it was converted from a legacy image it is a warning, but under hardened."
        why: "Savers begin with a pass over every pfn from 0 to the highest, absent pages included. Where some are left out the image was damaged, and the guest wakes up with pages of zeros in place of its own; the restorer does not notice."
        source: "libxc specification, \"PAGE_DATA\"; send_all_pages() of libxenguest; what 38 of 38 images of Xen 4.14 to 4.20 have"
        message: "{missing} of the guest's memory"
    LibxcMemoryShort "libxc::memory-short" W D D
        field: 8, framing: kept, by: core
        title: "memory that ends too early"
        refuses: "Memory that ends below the largest pfn of P2M_FRAMES (PV) or a page that HVM_PARAMS name (HVM); in a stream that says it was converted from a legacy image it is a warning, but under hardened."
        why: "The last part of the guest's memory is not there. A PV guest wakes up with pages of zeros; for an HVM guest the pages that it shares with the host are missing, and Xen cannot set them up."
        source: "send_all_pages() of libxenguest, which goes on to the highest pfn; restorer, handle_hvm_params() clears pages that the parameters name"
        message: "{missing} of the guest's memory, at most (absent pages are named as well)"
    LibxcPageDataMissing "libxc::page-data-missing" W D D
        field: 4, framing: kept, by: core
        title: "no memory in the stream"
        refuses: "A libxc stream that reaches END without any PAGE_DATA."
        why: "The guest would wake up without memory. A PV restore fails at its start-info page; an HVM restore succeeds, and the guest dies with its first instruction."
        source: "libxc specification, \"Layout\"; restorer, process_start_info()"
        message: "{found:libxc} comes without any PAGE_DATA before it"

    // The libxc stream: registers of a PV guest.
    LibxcVcpuHeader "libxc::vcpu-header" D D D
        field: 4, framing: lost(4, length), by: core
        title: "vcpu record without its header"
        refuses: "A vcpu record too short for its vcpu header."
        why: "Without the header nobody knows which vcpu it is for; the restorer fails."
        source: "libxc specification, \"X86_PV_VCPU_BASIC, EXTENDED, XSAVE, MSRS\"; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length is {found}; the vcpu header alone takes {expected}"
    LibxcVcpuBasicLength "libxc::vcpu-basic-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_PV_VCPU_BASIC"
        refuses: "An X86_PV_VCPU_BASIC whose state is not exactly one vcpu context of the guest's width."
        why: "The blob is the register file as Xen lays it out, 5168 bytes for a 64-bit guest and 2800 for a 32-bit one. The restorer checks the size against the width that it knows then, and fails."
        source: "Xen's public vcpu_guest_context_t; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_BASIC is {found}; a guest of this width takes {expected}"
    LibxcVcpuExtendedLength "libxc::vcpu-extended-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "X86_PV_VCPU_EXTENDED too long"
        refuses: "An X86_PV_VCPU_EXTENDED with more than 128 bytes of state."
        why: "The blob is copied over the argument of a hypercall, which has 128 bytes; the restorer checks that and fails."
        source: "Xen's public domctl; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_EXTENDED is {found}; {expected} is the most"
    LibxcVcpuXsaveLength "libxc::vcpu-xsave-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "X86_PV_VCPU_XSAVE too short"
        refuses: "An X86_PV_VCPU_XSAVE with less than 16 bytes of state."
        why: "The masks in front of the area take 16 bytes; the restorer fails on less."
        source: "Xen's public domctl, vcpuextstate; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_XSAVE is {found}; {expected} is the least"
    LibxcVcpuMsrsLength "libxc::vcpu-msrs-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "X86_PV_VCPU_MSRS with part of an entry"
        refuses: "An X86_PV_VCPU_MSRS whose state is not a whole number of entries."
        why: "Each MSR takes 16 bytes, and half an MSR cannot be set; the restorer fails."
        source: "Xen's public domctl, vcpu_msrs; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length of X86_PV_VCPU_MSRS is {found}; after the vcpu header it holds entries of 16 bytes"
    LibxcVcpuReserved "libxc::vcpu-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of a vcpu header is not zero"
        refuses: "A vcpu header with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage or a format of tomorrow. The restorer does not look at it."
        source: "libxc specification, \"X86_PV_VCPU_BASIC, EXTENDED, XSAVE, MSRS\" and \"Fields\""
        message: "the reserved word of a vcpu header is {found:x}, not zero"
    LibxcVcpuEmpty "libxc::vcpu-empty" W A D
        field: 4, framing: kept, by: core
        title: "vcpu record without state"
        refuses: "A vcpu record with nothing after its header."
        why: "Xen 4.6 to 4.8 wrote such records by mistake and restorers skip them. From anything newer it means that registers were lost, and the vcpu is left as if the record were not there."
        source: "libxc specification, \"Errata\"; restorer, handle_x86_pv_vcpu_blob()"
        message: "body_length is {found}: no state follows the vcpu header"
    LibxcVcpuExtendedId "libxc::vcpu-extended-id" W W D
        field: 4, framing: kept, by: core
        title: "extended state of another vcpu"
        refuses: "An X86_PV_VCPU_EXTENDED whose state names another vcpu than its header."
        why: "The blob is a hypercall argument with a vcpu number of its own, and Xen goes by that one: the state is silently given to the other vcpu."
        source: "Xen's public domctl, ext_vcpucontext; restorer, process_vcpu_extended()"
        message: "the state is of vcpu {found}, and its header says vcpu {expected}"
    LibxcVcpuId "libxc::vcpu-id" D D D
        field: 4, framing: kept, by: core
        title: "vcpu id out of range"
        refuses: "A vcpu_id at or above the limit vcpus; under restore in a record with contents only."
        why: "The restorer has room for as many vcpus as the new domain has and fails on the next. That number is not in the stream, so the limit stands in for it: Xen's maximum, or what the configuration of xl or libvirt says. A record without contents it drops before it looks at the id."
        source: "restorer, handle_x86_pv_vcpu_blob(); Xen's maximum of 8192; limit of the policy"
        message: "vcpu_id {found} is not below the limit vcpus of {expected}"
    LibxcVcpuEarly "libxc::vcpu-early" D A D
        field: 4, framing: kept, by: core
        title: "registers before memory"
        refuses: "A vcpu record before the first PAGE_DATA."
        why: "Savers take registers last, when the guest has stopped; earlier ones may not fit the memory that follows. The restorer keeps them until the end and does not mind."
        source: "libxc specification, \"x86 PV Guest\""
        message: "{found:libxc} comes before the first PAGE_DATA"
    LibxcVcpuMsrsReserved "libxc::vcpu-msrs-reserved" W D D
        field: 4, framing: kept, by: core
        title: "reserved word of an MSR is not zero"
        refuses: "An entry of X86_PV_VCPU_MSRS with a reserved word that is not zero."
        why: "Xen refuses the entry and with it the hypercall, and the restore fails at its very end."
        source: "Xen's public domctl, vcpu_msrs: XEN_DOMCTL_set_vcpu_msrs refuses it"
        message: "the reserved word of an MSR is {found:x}, not zero"
    LibxcVcpuBasicMissing "libxc::vcpu-basic-missing" W D D
        field: 4, framing: kept, by: core
        title: "no registers of vcpu 0"
        refuses: "A PV stream that reaches CHECKPOINT or END without X86_PV_VCPU_BASIC of vcpu 0."
        why: "vcpu 0 leads to the start-info page, without which a PV guest cannot be resumed; the restorer fails when all memory has been transferred."
        source: "restorer, update_vcpu_context()"
        message: "{found:libxc} comes without any X86_PV_VCPU_BASIC of vcpu 0 before it"
    LibxcSharedInfoLength "libxc::shared-info-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of SHARED_INFO"
        refuses: "A SHARED_INFO that is not exactly one page."
        why: "It is a copy of the page that guest and hypervisor share; the restorer fails on any other length."
        source: "libxc specification, \"SHARED_INFO\"; restorer, handle_shared_info()"
        message: "body_length of SHARED_INFO is {found}, not {expected}"
    LibxcSharedInfoMissing "libxc::shared-info-missing" W A D
        field: 4, framing: kept, by: core
        title: "no SHARED_INFO"
        refuses: "A PV stream that reaches END without SHARED_INFO."
        why: "The restorer does not ask for it: the guest wakes up with an empty shared page, without its wall clock and the places of its vcpus' data."
        source: "libxc specification, \"x86 PV Guest\""
        message: "{found:libxc} comes without any SHARED_INFO before it"

    // The libxc stream: time, HVM state, CPU policies.
    LibxcTscInfoLength "libxc::tsc-info-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_TSC_INFO"
        refuses: "An X86_TSC_INFO of a length other than 24."
        why: "All its fields are handed to Xen together; the restorer fails on any other length."
        source: "libxc specification, \"TSC_INFO\"; restorer, handle_x86_tsc_info()"
        message: "body_length of X86_TSC_INFO is {found}, not {expected}"
    LibxcTscInfoReserved "libxc::tsc-info-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of X86_TSC_INFO is not zero"
        refuses: "An X86_TSC_INFO with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage or a format of tomorrow. The restorer does not look at it."
        source: "libxc specification, \"TSC_INFO\" and \"Fields\""
        message: "the reserved word of X86_TSC_INFO is {found:x}, not zero"
    LibxcTscInfoMode "libxc::tsc-info-mode" W D D
        field: 4, framing: kept, by: core
        title: "unknown TSC mode"
        refuses: "A TSC mode above 2."
        why: "Xen refuses the hypercall that sets it, and the restore fails."
        source: "Xen's tsc_set_info(); libxc specification, \"TSC_INFO\", mode"
        message: "TSC mode is {found}; {expected} is the largest that Xen takes"
    LibxcTscInfoKhz "libxc::tsc-info-khz" W W D
        field: 4, framing: kept, by: core
        title: "implausible clock rate"
        refuses: "An X86_TSC_INFO of mode 0 or 1 whose khz is neither 0 nor between 1,000 and 20,000,000."
        why: "Releases before 4.16.4 and 4.17.1 multiply the value in 32 bits: a multiple of 2^29 becomes 0, and the hypervisor loops for ever; others give the guest a clock that is off by magnitudes."
        source: "Xen's tsc_set_info() and set_time_scale(); Xen ad15a0a8ca"
        message: "khz is {found}, which is no frequency of a processor"
    LibxcHvmParamsLength "libxc::hvm-params-length" D D D
        field: 4, framing: lost(12, length), by: core
        title: "wrong length of HVM_PARAMS"
        refuses: "An HVM_PARAMS whose length does not follow from its count."
        why: "With fewer entries than the count says the restorer would read past the record, so it checks and fails."
        source: "libxc specification, \"HVM_PARAMS\"; restorer, handle_hvm_params()"
        message: "body_length of HVM_PARAMS is {found} where it takes {expected}"
    LibxcHvmParamsReserved "libxc::hvm-params-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of HVM_PARAMS is not zero"
        refuses: "An HVM_PARAMS with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage or a format of tomorrow. The restorer does not look at it."
        source: "libxc specification, \"HVM_PARAMS\" and \"Fields\""
        message: "the reserved word of HVM_PARAMS is {found:x}, not zero"
    LibxcHvmParamsEmpty "libxc::hvm-params-empty" W A D
        field: 4, framing: kept, by: core
        title: "HVM_PARAMS without entries"
        refuses: "An HVM_PARAMS with a count of 0."
        why: "Xen 4.6 to 4.8 wrote such records by mistake and restorers skip them. From anything newer it means that the guest loses its xenstore and console pages."
        source: "libxc specification, \"Errata\"; restorer, handle_hvm_params()"
        message: "count is {found}: the record sets no parameter"
    LibxcHvmParamsIndex "libxc::hvm-params-index" W D D
        field: 8, framing: kept, by: core
        title: "unknown HVM parameter"
        refuses: "An index of 39 or more in HVM_PARAMS."
        why: "Xen knows 39 parameters and refuses others, but sees only the low 32 bits: an index of 2^32 + 1 silently sets parameter 1."
        source: "Xen's HVM_NR_PARAMS; restorer, handle_hvm_params(), xc_hvm_param_set() takes 32 bits"
        message: "parameter {found} is unknown; Xen has those below {expected}"
    LibxcHvmParamsRefused "libxc::hvm-params-refused" W D D
        field: 8, framing: kept, by: core
        title: "HVM parameter that Xen refuses"
        refuses: "A parameter that a toolstack may not set, or a value that Xen does not take for its parameter."
        why: "The hypercall fails and the restore with it, after all memory has been transferred."
        source: "Xen's hvm_allow_set_param() and hvm_set_param(): 13, 20 to 23, 25, 26 and 30 never, 24 and 35 no longer in newer releases; 9, 10, 14, 15, 24, 31, 33, 35 and 36 by value"
        message: "Xen refuses to set parameter {expected}{to}"
    LibxcHvmParamsSuspended "libxc::hvm-params-suspended" W W D
        field: 8, framing: kept, by: core
        title: "guest suspended to RAM"
        refuses: "An HVM_PARAMS entry that sets ACPI_S_STATE to 3."
        why: "Xen resets every vcpu and leaves the domain paused once too often: it restores and never runs. No saver writes the parameter."
        source: "Xen's hvm_s3_suspend()"
        message: "ACPI_S_STATE is {found}: the guest restores and never runs"
    LibxcHvmParamsConflict "libxc::hvm-params-conflict" W D D
        field: 8, framing: kept, by: core
        title: "parameter set to two values"
        refuses: "A second, different value for a parameter that can be set once."
        why: "Xen refuses to change IOREQ_PFN, BUFIOREQ_PFN, VIRIDIAN, IOREQ_SERVER_PFN, NR_IOREQ_SERVER_PAGES and MCA_CAP after they are set."
        source: "Xen's hvm_allow_set_param()"
        message: "the value is {found:x}, and the parameter was set to {expected:x} before"
    LibxcHvmParamsRepeated "libxc::hvm-params-repeated" W A D
        field: 8, framing: kept, by: core
        title: "HVM parameter set twice"
        refuses: "An index that comes twice in one HVM_PARAMS."
        why: "The last one wins, or Xen refuses it where a parameter may be set only once. Savers never write one twice."
        source: "restorer, handle_hvm_params() sets them one after the other"
        message: "parameter {found} comes twice in the record"
    LibxcHvmParamsOrder "libxc::hvm-params-order" A A A
        field: 4, framing: kept, by: core
        title: "HVM_PARAMS after HVM_CONTEXT"
        refuses: "An HVM_PARAMS that comes after HVM_CONTEXT."
        why: "The specification's text asks for the other order, and every released Xen writes this one; the restorer defers the context, so both work."
        source: "libxc specification, \"x86 HVM Guest\"; Xen's own saver"
        message: "{found:libxc} comes after HVM_CONTEXT"
    LibxcHvmContextEmpty "libxc::hvm-context-empty" D D D
        field: 4, framing: lost(4, length), by: core
        title: "HVM_CONTEXT without contents"
        refuses: "An HVM_CONTEXT without a body."
        why: "It holds the vcpus' registers and all emulated hardware of the hypervisor; without them there is nothing to resume."
        source: "libxc specification, \"HVM_CONTEXT\"; the restorer fails to store an empty blob"
        message: "body_length of HVM_CONTEXT is {found}"
    LibxcHvmContextMissing "libxc::hvm-context-missing" W D D
        field: 4, framing: kept, by: core
        title: "no HVM_CONTEXT"
        refuses: "An HVM stream that reaches CHECKPOINT or END without HVM_CONTEXT."
        why: "The vcpus' registers are missing: Xen refuses an empty context, and the restore fails when all memory has been transferred."
        source: "restorer, x86_hvm_stream_complete(); Xen's hvm_load()"
        message: "{found:libxc} comes without any HVM_CONTEXT before it"
    LibxcHvmParamsStore "libxc::hvm-params-store" W W D
        field: 0, framing: kept, by: core
        title: "no place of the xenstore ring"
        refuses: "A stream of an HVM guest that reaches its end without parameter 1 (STORE_PFN)."
        why: "The toolstack connects page 0 with xenstore instead of the guest's ring. The domain restores, and none of its paravirtual drivers ever answers."
        source: "Xen's HVM_PARAM_STORE_PFN, which every saver writes; restorer, handle_hvm_params()"
        message: "{found:libxc} comes without HVM parameter 1 (STORE_PFN): the guest restores, but its xenstore and paravirtual drivers are dead"
    LibxcHvmParamsConsole "libxc::hvm-params-console" W W W
        field: 0, framing: kept, by: core
        title: "no place of the console ring"
        refuses: "A stream of an HVM guest that reaches its end without parameter 17 (CONSOLE_PFN)."
        why: "The domain restores and runs, and its console shows nothing."
        source: "Xen's HVM_PARAM_CONSOLE_PFN, which every saver writes; restorer, handle_hvm_params()"
        message: "{found:libxc} comes without HVM parameter 17 (CONSOLE_PFN): the guest's console is dead"
    LibxcCpuidPolicyLength "libxc::cpuid-policy-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_CPUID_POLICY"
        refuses: "An X86_CPUID_POLICY that is empty or not a whole number of leaves."
        why: "Each leaf takes 24 bytes; the restorer fails on anything else."
        source: "libxc specification, \"X86_CPUID_POLICY\"; restorer, handle_x86_cpuid_policy()"
        message: "body_length of X86_CPUID_POLICY is {found}; it holds one or more leaves of 24 bytes"
    LibxcCpuidPolicyLeaf "libxc::cpuid-policy-leaf" W D D
        field: 4, framing: kept, by: core
        title: "CPUID leaf out of range"
        refuses: "A leaf or subleaf in X86_CPUID_POLICY that lies outside the ranges of Xen's CPU policy."
        why: "Xen has a place for a fixed set of leaves and refuses the whole policy for one that it cannot store; the restore fails before any memory is transferred."
        source: "Xen's x86_cpuid_copy_from_buffer()"
        message: "CPUID leaf or subleaf {found:x} is out of range for Xen"
    LibxcCpuidPolicyCount "libxc::cpuid-policy-count" W D D
        field: 4, framing: kept, by: core
        title: "too many CPUID leaves"
        refuses: "An X86_CPUID_POLICY of more leaves than any release has room for."
        why: "Xen refuses the whole policy, before any memory is transferred."
        source: "Xen's x86_cpuid_copy_from_buffer() and CPUID_MAX_SERIALISED_LEAVES"
        message: "X86_CPUID_POLICY holds {found} leaves; {expected} is the most"
    LibxcCpuidPolicyMax "libxc::cpuid-policy-max" W D D
        field: 4, framing: kept, by: core
        title: "largest leaf is out of range"
        refuses: "A CPUID leaf 0, 7 or 0x80000000 that names a larger leaf or subleaf than Xen has room for."
        why: "Xen compares the number with its own largest policy and refuses the whole policy, before any memory is transferred."
        source: "Xen's x86_cpu_policies_are_compatible()"
        message: "the largest leaf is {found:x}; {expected:x} is the largest that Xen has"
    LibxcMsrPolicyLength "libxc::msr-policy-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_MSR_POLICY"
        refuses: "An X86_MSR_POLICY that is empty or not a whole number of entries."
        why: "Each MSR takes 16 bytes; the restorer fails on anything else."
        source: "libxc specification, \"X86_MSR_POLICY\"; restorer, handle_x86_msr_policy()"
        message: "body_length of X86_MSR_POLICY is {found}; it holds one or more entries of 16 bytes"
    LibxcMsrPolicyCount "libxc::msr-policy-count" W D D
        field: 4, framing: kept, by: core
        title: "too many MSRs in X86_MSR_POLICY"
        refuses: "An X86_MSR_POLICY of more MSRs than Xen has a place for: 2, and 1 in some point releases."
        why: "Xen refuses the whole policy, and the restore fails before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer() and MSR_MAX_SERIALISED_ENTRIES; the second MSR came with Xen ac4ec487e0"
        message: "X86_MSR_POLICY holds {found} MSRs; {expected} is the most"
    LibxcMsrPolicyFlags "libxc::msr-policy-flags" W D D
        field: 4, framing: kept, by: core
        title: "flags of an MSR are not zero"
        refuses: "An entry of X86_MSR_POLICY with flags that are not zero."
        why: "No flag is defined, and Xen refuses the whole policy for one; the restore fails before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer(); libxc specification, \"X86_MSR_POLICY\", flags"
        message: "flags of an MSR are {found:x}, not zero"
    LibxcMsrPolicyIndex "libxc::msr-policy-index" W D D
        field: 4, framing: kept, by: core
        title: "unknown MSR in X86_MSR_POLICY"
        refuses: "An entry of X86_MSR_POLICY with an index other than 0xce and 0x10a."
        why: "Xen refuses the whole policy, before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer()"
        message: "MSR {found:x} is not one that a policy holds"
    LibxcMsrPolicyValue "libxc::msr-policy-value" W D D
        field: 8, framing: kept, by: core
        title: "value that an MSR of the policy cannot have"
        refuses: "An entry of X86_MSR_POLICY with a value that the MSR cannot have: 0xce has bit 31 only, and 0x10a fits into 32 bits for releases without a place for 64."
        why: "Xen refuses the whole policy, before any memory is transferred."
        source: "Xen's x86_msr_copy_from_buffer() and x86_cpu_policies_are_compatible(); Xen d9fe459ffa"
        message: "the value is {found:x}; the bits that the MSR may have are {expected:x}"
    LibxcVerifyEarly "libxc::verify-early" W W D
        field: 4, framing: kept, by: core
        title: "VERIFY before any memory"
        refuses: "A VERIFY before any PAGE_DATA."
        why: "After VERIFY the restorer compares pages and no longer stores them, and a difference does not fail the restore: the guest wakes up with zeroed memory, and all looks like a success."
        source: "libxc specification, \"VERIFY\"; restorer, process_page_data()"
        message: "{found:libxc} comes before any PAGE_DATA: the pages that follow will not be stored"
    LibxcVerifyCheckpointed "libxc::verify-checkpointed" W W D
        field: 4, framing: kept, by: core
        title: "VERIFY in a checkpointed stream"
        refuses: "A VERIFY in a checkpointed stream."
        why: "Nothing ends the comparison: the memory of every later checkpoint is compared and dropped, while the registers are taken, so the guest wakes up with a mixture of two states."
        source: "libxc specification, \"VERIFY\"; restorer, process_page_data()"
        message: "VERIFY in a checkpointed stream: the pages of later checkpoints will not be stored"
    LibxcCheckpointUnexpected "libxc::checkpoint-unexpected" W D D
        field: 4, framing: kept, by: core
        title: "CHECKPOINT in a plain stream"
        refuses: "A CHECKPOINT in a stream that is not checkpointed."
        why: "The restorer is told beforehand what kind of stream it gets, and fails at a CHECKPOINT in a plain one. A stream of Remus or COLO has to be announced as such."
        source: "libxc specification, \"CHECKPOINT\"; restorer, handle_checkpoint()"
        message: "{found:libxc} in a stream without checkpoints"

    // The chain inside HVM_CONTEXT.
    HvmHeader "hvm::header" D D D
        field: 4, framing: kept, by: core
        title: "no proper HEADER at the start"
        refuses: "A chain that does not begin with a HEADER entry of 24 bytes, or that has a second one."
        why: "Xen reads the HEADER first and has no handler for it anywhere else, so the context is refused and the restore fails."
        source: "Xen's hvm_load(); public/hvm/save.h"
        message: "the chain must begin with a HEADER entry of 24 bytes and have no other"
    HvmMagic "hvm::magic" D D D
        field: 4, framing: kept, by: core
        title: "bad magic of HVM_CONTEXT"
        refuses: "A HEADER whose magic is not that of Xen's HVM contexts."
        why: "This is no HVM context of an x86 Xen; Xen refuses it."
        source: "Xen's arch_hvm_load(), HVM_FILE_MAGIC"
        message: "magic is {found:x}, not {expected:x}"
    HvmVersion "hvm::version" D D D
        field: 4, framing: kept, by: core
        title: "unknown version of HVM_CONTEXT"
        refuses: "A HEADER whose version is not 1."
        why: "The version fixes the layout of every entry; Xen refuses any other."
        source: "Xen's arch_hvm_load(), HVM_FILE_VERSION"
        message: "version is {found}, not {expected}"
    HvmTypecode "hvm::typecode" W D D
        field: 2, framing: kept, by: core
        title: "unknown typecode"
        refuses: "An entry of a typecode that Xen does not know."
        why: "Xen does not skip what it does not know: it refuses the context, and the restore fails when all memory has been transferred."
        source: "Xen's hvm_load(): no handler for the typecode"
        message: "typecode {found} is unknown to Xen"
    HvmInstance "hvm::instance" W D D
        field: 4, framing: kept, by: core
        title: "no such instance"
        refuses: "A PIC entry of an instance above 1, or an entry of a vcpu whose id is at or above the limit vcpus."
        why: "An instance is a device or a vcpu of the domain, which has as many vcpus as its configuration says. Xen refuses the context for one that is not there, when all memory has been transferred."
        source: "Xen's vpic_load(): there are two; the load handlers of what each vcpu has look the vcpu up; limit of the policy"
        message: "instance {found} is not below {expected} (the number of PICs, or the limit vcpus)"
    HvmEntryLength "hvm::entry-length" D D D
        field: 4, framing: kept, by: core
        title: "wrong length for the typecode"
        refuses: "An entry of a length that Xen does not take for its typecode."
        why: "Each entry is a structure of fixed size, a few may be shorter and are filled up with zeros; any other length makes Xen refuse the context."
        source: "Xen's hvm_load_entry() and hvm_load_entry_zeroextend(); public/arch-x86/hvm/save.h"
        message: "length is {found}; the bound for this typecode is {expected}"
    HvmMsrCount "hvm::msr-count" D D D
        field: 4, framing: kept, by: core
        title: "count and length of CPU_MSR disagree"
        refuses: "A CPU_MSR entry whose length is not exactly that of its header and as many MSRs as count says."
        why: "Xen compares the two and refuses the context. Xen 4.9 and older wrote such entries: the count was right, and the length was that of all MSRs that Xen knows, so that the next entry began inside this one."
        source: "Xen's hvm_load_cpu_msrs()"
        message: "count and length of CPU_MSR contradict each other: count is {found}, and the length has room for {expected}"
    HvmLapicLength "hvm::lapic-length" A A A
        field: 4, framing: kept, by: core
        title: "LAPIC entry of the longer form"
        refuses: "A LAPIC entry of more than 24 bytes, for a release that knows the shorter form only."
        why: "The entry grew by 8 bytes in point releases of several branches, and Xen refuses an entry that is longer than its own; a newer release without the change refuses it too, when all memory has been transferred."
        source: "Xen's hvm_load_entry_zeroextend() in lapic_load_hidden(); Xen b28b590d4a"
        message: "the LAPIC entry has {found} bytes, more than {expected}"
    HvmRtcLength "hvm::rtc-length" A A A
        field: 4, framing: kept, by: core
        title: "RTC entry of another length than 16"
        refuses: "An RTC entry of another length than 16 bytes, for a release that takes no other."
        why: "Xen 4.13, and with it XCP-ng 8.2, refuses the context, when all memory has been transferred."
        source: "Xen's hvm_load_entry() in rtc_load(); Xen 105b06fc7e"
        message: "the RTC entry has {found} bytes, not {expected}"
    HvmEntryOverrun "hvm::entry-overrun" D D D
        field: 4, framing: kept, by: core
        title: "entry runs past HVM_CONTEXT"
        refuses: "An entry that does not fit into what is left of HVM_CONTEXT."
        why: "The chain is cut off or its lengths lie; Xen checks what is left and refuses the context."
        source: "Xen's hvm_load() and _hvm_check_entry()"
        message: "the entry takes {found} bytes more, and HVM_CONTEXT has {expected} left"
    HvmCpuMissing "hvm::cpu-missing" W D D
        field: 0, framing: kept, by: core
        title: "no registers of vcpu 0"
        refuses: "A chain without a CPU entry of instance 0."
        why: "Xen loads the chain and leaves vcpu 0 as it was made, which is down. The domain restores, and no vcpu ever runs."
        source: "Xen's hvm_load_cpu_ctxt(), which alone brings a vcpu up"
        message: "the chain ends without a CPU entry of vcpu 0: the guest restores, but no vcpu ever runs"
    HvmEndMissing "hvm::end-missing" D D D
        field: 1, framing: kept, by: core
        title: "no END entry"
        refuses: "A chain that ends without an END entry."
        why: "Without END a whole chain cannot be told from one cut between two entries; Xen refuses it."
        source: "Xen's hvm_load(); public/hvm/save.h"
        message: "HVM_CONTEXT ends without an END entry"
    HvmEndLength "hvm::end-length" W A D
        field: 4, framing: kept, by: core
        title: "END entry with contents"
        refuses: "An END entry of a length other than 0."
        why: "The entry has no contents, so a length here is damage or something hidden. Xen stops at the typecode and does not look."
        source: "Xen's hvm_load(); public/hvm/save.h"
        message: "length of the END entry is {found}, not {expected}"
    HvmTrailing "hvm::trailing" W A D
        field: 1, framing: kept, by: core
        title: "bytes after the END entry"
        refuses: "Bytes in HVM_CONTEXT after its END entry."
        why: "Xen stops at END and never looks at them: the blob was damaged, or something is hidden in it."
        source: "Xen's hvm_load(); public/hvm/save.h"
        message: "HVM_CONTEXT goes on after its END entry"
    HvmEntryRepeated "hvm::entry-repeated" W W D
        field: 4, framing: kept, by: core
        title: "entry repeated"
        refuses: "A second entry of the same typecode and instance."
        why: "Xen loads both, one over the other, and what is left depends on the handler; savers never write one twice."
        source: "Xen's hvm_load() keeps no account of what it has loaded"
        message: "an entry of typecode {found} comes a second time for its instance"
    HvmMsrReserved "hvm::msr-reserved" W D D
        field: 4, framing: kept, by: core
        title: "reserved word of an MSR is not zero"
        refuses: "An entry of CPU_MSR with a reserved word that is not zero."
        why: "Xen refuses it and with it the context, and the restore fails when all memory has been transferred."
        source: "Xen's hvm_load_cpu_msrs()"
        message: "the reserved word of an MSR is {found:x}, not zero"
    HvmHeaderTsc "hvm::header-tsc" W W D
        field: 4, framing: kept, by: core
        title: "implausible clock rate in HEADER"
        refuses: "A HEADER whose gtsc_khz is neither 0 nor between 1,000 and 20,000,000."
        why: "Xen takes any value and saves it again in X86_TSC_INFO, where releases before 4.16.4 and 4.17.1 loop for ever on some of them. No processor has such a rate."
        source: "Xen's hvm_load() and tsc_set_info()"
        message: "gtsc_khz is {found}, which is no frequency of a processor in kHz"
    HvmCpuCr0 "hvm::cpu-cr0" W D D
        field: 8, framing: kept, by: core
        title: "impossible CR0"
        refuses: "A CPU entry whose CR0 has a reserved bit, lacks ET, or has paging without protection."
        why: "Xen refuses the context, when all memory has been transferred. A CPU entry of zeros is the most frequent case."
        source: "Xen's hvm_load_cpu_ctxt()"
        message: "cr0 is {found:x}: it has a reserved bit, lacks ET, or has paging without protection"
    HvmCpuCr3 "hvm::cpu-cr3" W D D
        field: 8, framing: kept, by: core
        title: "CR3 beyond the physical addresses"
        refuses: "A CPU entry whose CR3 has bits above the width of physical addresses: that of the CPUID policy, or 52 bits without one."
        why: "Xen refuses the context since 4.14; the bits have no meaning on the processor that the guest was told of."
        source: "Xen's hvm_load_cpu_ctxt(); Xen 80872597e6"
        message: "cr3 is {found:x}, wider than {expected} bits"
    HvmCpuCr4 "hvm::cpu-cr4" W D D
        field: 8, framing: kept, by: core
        title: "impossible CR4"
        refuses: "A CPU entry whose CR4 has a bit that the release gives to no guest."
        why: "Xen refuses the context. CET came with Xen 4.16, PKS with 4.18, LASS with 4.22."
        source: "Xen's hvm_load_cpu_ctxt() and hvm_cr4_guest_valid_bits()"
        message: "cr4 is {found:x}, and the bits that a guest may have are {expected:x}"
    HvmCpuEfer "hvm::cpu-efer" W D D
        field: 8, framing: kept, by: core
        title: "impossible EFER"
        refuses: "A CPU entry whose EFER has a bit that the release gives to no guest, or has long mode active that is not enabled or without paging."
        why: "Xen refuses the context. AutoIBRS came with Xen 4.18."
        source: "Xen's hvm_load_cpu_ctxt() and hvm_efer_valid()"
        message: "msr_efer is {found:x}: it has an impossible bit, or LMA without LME or without paging"
    HvmCpuPolicy "hvm::cpu-policy" W D D
        field: 8, framing: kept, by: core
        title: "register needs a feature that the guest does not have"
        refuses: "A bit of CR4 or EFER whose feature the CPUID policy of the stream says the guest does not have."
        why: "Xen gives the guest at most the features of the policy, so every host refuses the register. The saver ran the guest under the same policy: a real image has none of these."
        source: "Xen's hvm_load_cpu_ctxt(), hvm_cr4_guest_valid_bits() and hvm_efer_valid()"
        message: "the register is {found:x}, and the CPUID policy does not have the feature that bits {expected:x} need"
    HvmCpuDebug "hvm::cpu-debug" W W D
        field: 8, framing: kept, by: core
        title: "debug register above 32 bits"
        refuses: "A CPU entry whose DR6 or DR7 has any of the bits 63 to 32."
        why: "Xen refuses the context since 4.18. Hardware never sets the bits."
        source: "Xen's hvm_load_cpu_ctxt(); Xen 15987cb03f"
        message: "the debug register is {found:x}, above 32 bits"
    HvmCpuTscAux "hvm::cpu-tsc-aux" W D D
        field: 8, framing: kept, by: core
        title: "TSC_AUX above 32 bits"
        refuses: "A CPU entry whose msr_tsc_aux does not fit into 32 bits."
        why: "Xen refuses the context: the register has 32 bits."
        source: "Xen's hvm_load_cpu_ctxt()"
        message: "msr_tsc_aux is {found:x}, above 32 bits"
    HvmCpuEvent "hvm::cpu-event" W D D
        field: 4, framing: kept, by: core
        title: "impossible pending event"
        refuses: "A CPU entry with a pending event of a reserved type or with reserved bits, or with an error code above 16 bits."
        why: "Xen refuses the context: the processor would fail when it injects the event."
        source: "Xen's hvm_load_cpu_ctxt()"
        message: "the pending event or its error code is {found:x}, which no processor can inject"
    HvmCpuFlags "hvm::cpu-flags" W D D
        field: 4, framing: kept, by: core
        title: "unknown flags of a vcpu"
        refuses: "A CPU entry with flags other than bit 0."
        why: "Only bit 0, that the FPU state is valid, is known; Xen refuses the context."
        source: "Xen's hvm_load_cpu_ctxt()"
        message: "flags is {found:x}; only {expected:x} is known"
    HvmCpuPad "hvm::cpu-pad" W D D
        field: 4, framing: kept, by: core
        title: "padding of CPU is not zero"
        refuses: "A CPU entry whose pad0 is not zero."
        why: "Xen refuses the context."
        source: "Xen's hvm_load_cpu_ctxt()"
        message: "pad0 is {found:x}, not zero"
    HvmPicState "hvm::pic-state" W W D
        field: 1, framing: kept, by: core
        title: "impossible PIC"
        refuses: "A PIC entry whose is_master does not fit its instance, whose int_output is above 1, or whose elcr has lines that cannot be level-triggered."
        why: "Before Xen 4.19 a wrong is_master makes the hypervisor compute an address outside its structure, and the whole host goes down. Since 4.19 Xen refuses the context."
        source: "Xen's vpic_load() and vpic_check(); Xen 69c89dd787"
        message: "the PIC holds {found:x}, and {expected:x} is what is possible there"
    HvmPicInit "hvm::pic-init" W W W
        field: 1, framing: kept, by: core
        title: "PIC output asserted during initialisation"
        refuses: "A PIC entry whose int_output is 1 within an initialisation sequence."
        why: "Xen refuses the context since 4.19. Savers before Xen 4.16 could write it, if the guest was saved at just that moment."
        source: "Xen's vpic_check(); Xen 1ca901c527"
        message: "int_output is {found} within an initialisation sequence"
    HvmPicOutput "hvm::pic-output" W W D
        field: 1, framing: kept, by: core
        title: "PIC output asserted without an interrupt"
        refuses: "A PIC entry whose int_output is 1 although no interrupt is deliverable; for the master whose interrupt is the cascade, the slave counts."
        why: "An assertion of the hypervisor fails when the guest runs, and the whole host goes down with it."
        source: "Xen's vpic_get_priority() and vpic_intack()"
        message: "int_output is {found}, and no interrupt is deliverable"
    HvmLapicBase "hvm::lapic-base" W D D
        field: 8, framing: kept, by: core
        title: "x2APIC mode of a disabled APIC"
        refuses: "A LAPIC entry whose apic_base_msr has x2APIC mode without the enable bit."
        why: "Xen refuses the context: no guest can bring its APIC into this state."
        source: "Xen's lapic_load_hidden()"
        message: "apic_base_msr is {found:x}: x2APIC mode without the enable bit"
    HvmLapicDivisor "hvm::lapic-divisor" W W D
        field: 4, framing: kept, by: core
        title: "impossible divisor of the APIC timer"
        refuses: "A LAPIC entry whose timer_divisor is not 1, 2, 4, 8, 16, 32, 64 or 128; an entry that ends before it has 0."
        why: "With 0 the hypervisor divides by zero when the guest reads its timer, and the whole host goes down. Savers write powers of two only."
        source: "Xen's vlapic_get_tmcct() and vlapic_set_tdcr()"
        message: "timer_divisor is {found}, not a power of two from 1 to 128"
    HvmPciLinkRoute "hvm::pci-link-route" W D D
        field: 1, framing: kept, by: core
        title: "PCI link routed to no line"
        refuses: "A PCI_LINK entry with a route above 15."
        why: "There are 16 ISA lines; Xen refuses the context."
        source: "Xen's hvm_load() of PCI_LINK"
        message: "route is {found}; {expected} is the last line"
    HvmPciLinkPad "hvm::pci-link-pad" W W D
        field: 4, framing: kept, by: core
        title: "padding of PCI_LINK is not zero"
        refuses: "A PCI_LINK entry whose padding is not zero."
        why: "Xen refuses the context since 4.19. No saver writes it."
        source: "Xen's PCI_LINK check; Xen 7a3bd1cbc4"
        message: "the padding is {found:x}, not zero"
    HvmPitState "hvm::pit-state" W W D
        field: 1, framing: kept, by: core
        title: "impossible PIT"
        refuses: "A PIT entry with a count above 65,536, a latch, access or BCD state out of range, a gate other than 1 on channel 0 or 1, or padding that is not zero."
        why: "Xen refuses the context since 4.19, where it began to check these. The mode is not looked at: savers write 0xff or 7 for a channel that was never programmed."
        source: "Xen's pit_check(); Xen c53013da6f"
        message: "the field is {found}, and its bound is {expected}"
    HvmRtcIndex "hvm::rtc-index" W W D
        field: 1, framing: kept, by: core
        title: "CMOS index out of range"
        refuses: "An RTC entry whose cmos_index is above 127."
        why: "The guest cannot select such a register, so no saver writes it. Before the point releases of July 2026 it let two vcpus reach beyond the array in the hypervisor."
        source: "Xen's rtc_load(); Xen f755242d60"
        message: "cmos_index is {found}; {expected} is the largest"
    HvmMtrrCount "hvm::mtrr-count" W D D
        field: 8, framing: kept, by: core
        title: "too many variable ranges"
        refuses: "An MTRR entry whose capabilities count more than 8 variable ranges."
        why: "Xen has room for 8 and refuses the context."
        source: "Xen's hvm_load_mtrr_msr()"
        message: "msr_mtrr_cap counts {found} variable ranges; {expected} is the most"
    HvmViridianPad "hvm::viridian-pad" W D D
        field: 7, framing: kept, by: core
        title: "padding of VIRIDIAN_VCPU is not zero"
        refuses: "A VIRIDIAN_VCPU entry whose padding is not zero."
        why: "Xen refuses the context."
        source: "Xen's viridian_load_vcpu_ctxt()"
        message: "the padding is {found:x}, not zero"
    HvmVmceCaps "hvm::vmce-caps" W D D
        field: 8, framing: kept, by: core
        title: "unknown machine-check capabilities"
        refuses: "A VMCE_VCPU entry with capabilities that no host has."
        why: "Xen refuses the context."
        source: "Xen's vmce_restore_vcpu()"
        message: "caps is {found:x}; {expected:x} is what some host takes"
    HvmXsaveState "hvm::xsave-state" W D D
        field: 8, framing: kept, by: core
        title: "impossible XSAVE state"
        refuses: "A CPU_XSAVE entry with features that no processor has or that contradict each other, in use without ever having been, in the compacted format, or with reserved bytes that are not zero."
        why: "Xen refuses the context: restoring the state would fault."
        source: "Xen's hvm_load_cpu_xsave_states() and validate_xstate()"
        message: "the state is {found:x}, which contradicts {expected:x} or the format"
    HvmXsavePolicy "hvm::xsave-policy" W D D
        field: 8, framing: kept, by: core
        title: "XSAVE feature that the guest does not have"
        refuses: "A CPU_XSAVE entry with a feature that the CPUID policy of the stream says the guest does not have."
        why: "Xen gives the guest at most the features of the policy, so every host refuses the state."
        source: "Xen's recalculate_xstate() and validate_xstate()"
        message: "xcr0_accum is {found:x}, and the CPUID policy does not have the feature that bits {expected:x} need"
    HvmXsaveLength "hvm::xsave-length" W W D
        field: 4, framing: kept, by: core
        title: "XSAVE area too short"
        refuses: "A CPU_XSAVE entry that is shorter than the components of its features, as the CPUID policy of the stream places them."
        why: "Xen refuses the context where the processor of the host places them alike."
        source: "Xen's hvm_load_cpu_xsave_states()"
        message: "the entry has {found} bytes; its features need {expected}"
    HvmXsaveTail "hvm::xsave-tail" W D D
        field: 1, framing: kept, by: core
        title: "bytes after the XSAVE area"
        refuses: "A CPU_XSAVE entry that goes on after the components of its features with bytes that are not zero."
        why: "Xen refuses the context; only zeros may follow, as Xen 4.3.0 and older wrote them."
        source: "Xen's hvm_load_cpu_xsave_states()"
        message: "the byte after the XSAVE area is {found:x}, not zero"
    HvmMsrIndex "hvm::msr-index" W D D
        field: 4, framing: kept, by: core
        title: "unknown MSR"
        refuses: "An entry of CPU_MSR with an index that the release does not take."
        why: "Xen refuses the context. VIRT_SPEC_CTRL came with Xen 4.17, PKRS with 4.18."
        source: "Xen's hvm_load_cpu_msrs()"
        message: "MSR {found:x} is not one that Xen loads"
    HvmMsrValue "hvm::msr-value" W D D
        field: 8, framing: kept, by: core
        title: "value that an MSR cannot have"
        refuses: "An entry of CPU_MSR with a value that the MSR cannot have, whatever the processor."
        why: "Xen refuses the context. Bits of SPEC_CTRL came with point releases."
        source: "Xen's hvm_load_cpu_msrs() and guest_wrmsr()"
        message: "the value is {found:x}; the bits that the MSR may have are {expected:x}"
    HvmMsrPolicy "hvm::msr-policy" W D D
        field: 4, framing: kept, by: core
        title: "MSR that the guest does not have"
        refuses: "An entry of CPU_MSR whose MSR belongs to a feature that the CPUID policy of the stream says the guest does not have."
        why: "Xen gives the guest at most the features of the policy, so every host refuses the MSR."
        source: "Xen's hvm_load_cpu_msrs() and guest_wrmsr()"
        message: "MSR {found:x} belongs to a feature that the CPUID policy does not have"
    HvmMsrOrder "hvm::msr-order" W D D
        field: 8, framing: kept, by: core
        title: "MPX enabled before its state"
        refuses: "An entry of CPU_MSR that enables MPX in BNDCFGS while no CPU_XSAVE entry with its components has come."
        why: "Xen refuses the context: it loads the entries in order. Savers write CPU_XSAVE first."
        source: "Xen's hvm_load_cpu_msrs() and hvm_set_guest_bndcfgs()"
        message: "BNDCFGS is {found:x}, and no CPU_XSAVE with the components {expected:x} has come"

    // Page tables and registers of a PV guest.
    PvPteRange "pv::pte-range" D D D
        field: 8, framing: kept, by: core
        title: "page-table entry out of range"
        refuses: "A present page-table entry that names a frame above the guest's largest pfn."
        why: "The restorer turns every pfn in a page table into a machine frame and asserts that it is in range: one bad entry aborts the restore helper."
        source: "restorer, x86_pv_localise_page() and the assertion in pfn_to_mfn()"
        message: "a page-table entry names frame {found:x}; the largest pfn is {expected:x}"
    PvTableBatch "pv::table-batch" W W D
        field: 8, framing: kept, by: core
        title: "page table too far inside a batch"
        refuses: "A page table in a PV stream that comes, in its PAGE_DATA, after four times as many pages with data as savers put into one."
        why: "Its entries cannot be judged in constant memory, so an entry that aborts the restorer could hide there. Savers put no more than 1024 pages into a record."
        source: "libxc specification, \"PAGE_DATA\"; Xen's saver, MAX_BATCH_SIZE"
        message: "a page table comes after {found} pages with data of its record; tables are judged after fewer than {expected}"
    PvStartInfoRange "pv::start-info-range" W D D
        field: word, framing: kept, by: core
        title: "start-info page out of range"
        refuses: "An edx of vcpu 0 that names a pfn above the guest's largest."
        why: "A suspended PV guest leaves the pfn of its start-info page there; the restorer has to update that page, and fails when all memory has been transferred."
        source: "restorer, process_start_info()"
        message: "edx of vcpu 0 names pfn {found:x}; the largest pfn is {expected:x}"
    PvRegisters "pv::registers" W D D
        field: word, framing: kept, by: core
        title: "address that is not canonical"
        refuses: "A rip, rsp, kernel_sp, base of FS or GS, callback or trap handler of a 64-bit vcpu whose bits 63 to 47 are not all the same."
        why: "No processor takes such an address. Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "an address of the vcpu is {found:x}, which is not canonical"
    PvEflagsVm "pv::eflags-vm" W W D
        field: 4, framing: kept, by: core
        title: "virtual-8086 mode"
        refuses: "An eflags of a 32-bit vcpu with bit 17 set."
        why: "A PV guest cannot run in that mode. Releases from 4.21.1 on refuse the vcpu; older ones load the flag."
        source: "arch_set_info_guest() in Xen"
        message: "eflags is {found:x}: bit 17 asks for virtual-8086 mode"
    PvLdt "pv::ldt" W D D
        field: word, framing: kept, by: core
        title: "impossible LDT"
        refuses: "An ldt_base that does not begin a page or lies in the part of the address space that is Xen's, or an ldt_ents above 8192."
        why: "Xen refuses the vcpu, whether the LDT has entries or not, when all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "the LDT of the vcpu has a base or a number of entries of {found:x}, which Xen does not take"
    PvGdtCount "pv::gdt-count" W D D
        field: word, framing: kept, by: core
        title: "too many GDT entries"
        refuses: "A gdt_ents above 7168, in all its bits."
        why: "The rest of the table belongs to Xen. The restorer checks the lower 32 bits before it converts the frames, and Xen all of them; either fails."
        source: "restorer, process_vcpu_basic(); Xen's FIRST_RESERVED_GDT_ENTRY; arch_set_info_guest() in Xen"
        message: "gdt_ents is {found}; {expected} is the most"
    PvGdtRange "pv::gdt-range" W D D
        field: word, framing: kept, by: core
        title: "GDT frame out of range"
        refuses: "A frame of the GDT in use that lies above the guest's largest pfn."
        why: "The restorer turns each into a machine frame and fails on one that the guest does not have, when all memory has been transferred."
        source: "restorer, process_vcpu_basic()"
        message: "a GDT frame is pfn {found:x}; the largest pfn is {expected:x}"
    PvUserMode "pv::user-mode" W D D
        field: word, framing: kept, by: core
        title: "user mode without a page table"
        refuses: "A 64-bit vcpu whose flags do not say that it runs its kernel, with a cr1 of zero."
        why: "Such a vcpu goes on in user mode, and its page table is the one in cr1: Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "the vcpu is in user mode, and cr1 names no page table"
    PvCr1Present "pv::cr1-present" W D D
        field: word, framing: kept, by: core
        title: "cr1 without its mark"
        refuses: "A cr1 of a 64-bit vcpu that is not zero and has bit 0 clear."
        why: "The restorer turns the pfn in cr1 into a machine frame only if bit 0 is set, and Xen takes what is there for a machine frame in any case: a frame that may be another guest's, so it refuses the vcpu."
        source: "restorer, process_vcpu_basic(); arch_set_info_guest() in Xen"
        message: "cr1 is {found:x}; bit 0 marks one that is in use"
    PvCr3Range "pv::cr3-range" W D D
        field: word, framing: kept, by: core
        title: "page table in cr3 out of range"
        refuses: "A cr3 that names a pfn above the guest's largest."
        why: "It is the root of the vcpu's page tables; the restorer fails on one that the guest does not have, when all memory has been transferred."
        source: "restorer, process_vcpu_basic()"
        message: "cr3 names pfn {found:x}; the largest pfn is {expected:x}"
    PvCr1Range "pv::cr1-range" W D D
        field: word, framing: kept, by: core
        title: "user page table in cr1 out of range"
        refuses: "A cr1 in use that names a pfn above the guest's largest."
        why: "A 64-bit PV guest keeps the root of its user page tables there, marked by bit 0; the restorer fails on one that the guest does not have, when all memory has been transferred."
        source: "restorer, process_vcpu_basic()"
        message: "cr1 names pfn {found:x}; the largest pfn is {expected:x}"
    PvDebug "pv::debug" W W D
        field: word, framing: kept, by: core
        title: "impossible debug register"
        refuses: "A dr6 or dr7 of a 64-bit vcpu above 32 bits, or a dr0 to dr3 that names an address in Xen's part of the address space or none at all."
        why: "The processor has no such values. Releases from 4.18 on refuse the vcpu; older ones drop the value. Where dr5 holds something, Xen up to 4.10 left it there: it is not looked at."
        source: "arch_set_info_guest() in Xen"
        message: "a debug register is {found:x}, which Xen 4.18 and newer refuse"
    PvVmAssist "pv::vm-assist" W D D
        field: word, framing: kept, by: core
        title: "unknown feature in vm_assist"
        refuses: "A vm_assist of vcpu 0 with a bit that Xen does not know for guests of this width."
        why: "Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_set_info_guest() in Xen"
        message: "vm_assist is {found:x}; only the bits of {expected:x} are known"
    PvExtendedSize "pv::extended-size" W D D
        field: 4, framing: kept, by: core
        title: "extended state too short for Xen"
        refuses: "An X86_PV_VCPU_EXTENDED whose size field is below 32."
        why: "The field tells Xen how much of the structure counts, and it asks for the system call handlers at least: it refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_ext_vcpucontext"
        message: "size is {found}; Xen asks for {expected} at least"
    PvExtendedShort "pv::extended-short" W W D
        field: 4, framing: kept, by: core
        title: "extended state shorter than it says"
        refuses: "An X86_PV_VCPU_EXTENDED whose size field is more than the record holds."
        why: "Up to Xen 4.18 the restorer hands the record to Xen in a structure that it does not clear, so that the guest's state is completed with what was on its stack."
        source: "restorer, process_vcpu_extended()"
        message: "size is {found}; the record holds {expected} bytes of state"
    PvExtendedCallback "pv::extended-callback" W D D
        field: 8, framing: kept, by: core
        title: "system call handler that is not canonical"
        refuses: "A syscall32_callback_eip or sysenter_callback_eip whose bits 63 to 47 are not all the same."
        why: "Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_ext_vcpucontext"
        message: "the address of a system call handler is {found:x}, which is not canonical"
    PvExtendedCaps "pv::extended-caps" W D D
        field: 8, framing: kept, by: core
        title: "unknown machine-check capability"
        refuses: "Machine-check capabilities that no host has, where the size field covers them."
        why: "Xen refuses the vcpu, when all memory has been transferred. Those that only Intel processors have it takes on such a host alone."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_ext_vcpucontext; vmce_restore_vcpu()"
        message: "the machine-check capabilities are {found:x}; only the bits of {expected:x} are known"
    PvXsaveState "pv::xsave-state" W D D
        field: 8, framing: kept, by: core
        title: "extended processor state that no processor has"
        refuses: "An X86_PV_VCPU_XSAVE whose xcr0 or xcr0_accum is no set of components that go together, whose xcr0 or xstate_bv goes beyond xcr0_accum, whose xcr0_accum has a component that X86_CPUID_POLICY of the same stream does not offer, or with a word in the XSAVE header that is not zero."
        why: "Xen refuses the vcpu, when all memory has been transferred: the processor would fault on the state."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_setvcpuextstate; validate_xstate()"
        message: "a field of the XSAVE state is {found:x}, which Xen does not take"
    PvXsaveArea "pv::xsave-area" W D D
        field: 4, framing: kept, by: core
        title: "XSAVE area that does not go with its masks"
        refuses: "An X86_PV_VCPU_XSAVE with a xcr0_accum and less than an XSAVE area, with more than the two masks and no xcr0_accum, or of another length than the components up to AVX take on every processor."
        why: "Xen compares the length with the components that were in use and refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_setvcpuextstate; validate_xstate()"
        message: "the XSAVE state has {found} bytes; its masks go with {expected}"
    PvXsaveLength "pv::xsave-length" W W D
        field: 4, framing: kept, by: core
        title: "XSAVE area of another size"
        refuses: "An X86_PV_VCPU_XSAVE whose area is not as long as the components in its xcr0_accum are in X86_CPUID_POLICY of the same stream."
        why: "The policy tells how the area is laid out on the processor that the guest was saved on. Xen asks for the size on its own processor, to the byte, and refuses the vcpu when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_setvcpuextstate; xstate_ctxt_size()"
        message: "the XSAVE state has {found} bytes; its components take {expected}"
    PvMsrsCount "pv::msrs-count" W D D
        field: 4, framing: kept, by: core
        title: "too many MSRs"
        refuses: "An X86_PV_VCPU_MSRS with more than 7 entries."
        why: "Xen refuses the vcpu, when all memory has been transferred. Releases before 4.18.4 and 4.19.1 take no more than 3 on a host whose processor has no address masks for breakpoints."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_vcpu_msrs"
        message: "the vcpu has {found} MSRs; {expected} is the most"
    PvMsrsIndex "pv::msrs-index" W D D
        field: 4, framing: kept, by: core
        title: "unknown MSR"
        refuses: "An entry of X86_PV_VCPU_MSRS with an index that no release takes."
        why: "Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_vcpu_msrs"
        message: "MSR {found:x} is not one that Xen takes for a vcpu"
    PvMsrsValue "pv::msrs-value" W D D
        field: 8, framing: kept, by: core
        title: "impossible value of an MSR"
        refuses: "An entry of X86_PV_VCPU_MSRS with a bit set that no release takes in this MSR."
        why: "Xen refuses the vcpu, when all memory has been transferred."
        source: "arch_do_domctl() in Xen, XEN_DOMCTL_set_vcpu_msrs; guest_wrmsr()"
        message: "the value of an MSR is {found:x}; only the bits of {expected:x} may be set"
    PvStartInfoType "pv::start-info-type" W D D
        field: word, framing: kept, by: std
        title: "start-info page of another type"
        refuses: "An edx of vcpu 0 that names a page whose last entry in PAGE_DATA is not NOTAB."
        why: "The restorer writes to that page, and refuses one that is a page table, or is not there, when all memory has been transferred. Types are known only once all of memory has passed, so the rule is checked in files alone."
        source: "restorer, process_start_info()"
        message: "edx of vcpu 0 names a page of type {found:x}; the start-info page is a normal one"
    PvStoreRange "pv::store-range" W D D
        field: word, framing: kept, by: std
        title: "xenstore's page out of range"
        refuses: "A store_mfn in the start-info page that names a pfn above the guest's largest."
        why: "The restorer turns it into a machine frame and fails on one that the guest does not have, when all memory has been transferred. The page is known only once all of memory has passed, so the rule is checked in files alone."
        source: "restorer, process_start_info()"
        message: "the start-info page names pfn {found:x} for xenstore; the largest pfn is {expected:x}"
    PvConsoleRange "pv::console-range" W D D
        field: word, framing: kept, by: std
        title: "the console's page out of range"
        refuses: "A console.domU.mfn in the start-info page that names a pfn above the guest's largest."
        why: "The restorer turns it into a machine frame and fails on one that the guest does not have, when all memory has been transferred. The page is known only once all of memory has passed, so the rule is checked in files alone."
        source: "restorer, process_start_info()"
        message: "the start-info page names pfn {found:x} for the console; the largest pfn is {expected:x}"
    PvGdtType "pv::gdt-type" W D D
        field: word, framing: kept, by: std
        title: "GDT frame of another type"
        refuses: "A frame of the GDT in use whose last entry in PAGE_DATA is not NOTAB."
        why: "The restorer refuses a frame that is a page table, or is not there, when all memory has been transferred. Types are known only once all of memory has passed, so the rule is checked in files alone."
        source: "restorer, process_vcpu_basic()"
        message: "a GDT frame is a page of type {found:x}, not a normal one"
    PvCr3Type "pv::cr3-type" W D D
        field: word, framing: kept, by: std
        title: "cr3 names no top-level page table"
        refuses: "A cr3 that names a page whose last entry in PAGE_DATA is not that of a top-level page table: L4TAB of a 64-bit guest, L3TAB of a 32-bit guest."
        why: "The vcpu would run on tables that are none. The restorer compares the type and fails, when all memory has been transferred. Of an input that comes in order the types of these tables are kept, up to 131072 of them."
        source: "restorer, process_vcpu_basic()"
        message: "cr3 names a page {of-type}; a top-level page table is of type {expected:x}"
    PvCr1Type "pv::cr1-type" W D D
        field: word, framing: kept, by: std
        title: "cr1 names no top-level page table"
        refuses: "A cr1 in use that names a page whose last entry in PAGE_DATA is not L4TAB."
        why: "It holds the page tables of user mode. The restorer compares the type and fails, when all memory has been transferred. Of an input that comes in order the types of these tables are kept, up to 131072 of them."
        source: "restorer, process_vcpu_basic()"
        message: "cr1 names a page {of-type}; a top-level page table is of type {expected:x}"
    PvP2mType "pv::p2m-type" W D D
        field: 8, framing: kept, by: std
        title: "p2m frame of another type"
        refuses: "A frame in X86_PV_P2M_FRAMES that is a page whose last entry in PAGE_DATA is not NOTAB."
        why: "The restorer writes the new p2m to these pages, and refuses one that is a page table, or is not there, when all memory has been transferred. Types are known only once all of memory has passed, so the rule is checked in files alone."
        source: "restorer, update_guest_p2m()"
        message: "a frame of the p2m is a page of type {found:x}, not a normal one"

    // The state of the device model.
    QemuShort "qemu::short" W D D
        field: 4, framing: kept, by: core
        title: "device state too short"
        refuses: "A state of QEMU upstream of fewer bytes than its header, one section and the end take."
        why: "QEMU stops at once, and the toolstack gives the restore up after it has moved all of the guest's memory. Most often the state was lost when the guest was saved."
        source: "QEMU, qemu_save_device_state() and qemu_loadvm_state()"
        message: "the device state is {found} bytes; header, one section and the end take {expected}"
    QemuMagic "qemu::magic" W D D
        field: 4, framing: kept, by: core
        title: "not a state of QEMU"
        refuses: "A state of QEMU upstream that does not begin with the letters QEVM."
        why: "QEMU takes it for something else and stops, and the toolstack gives the restore up after it has moved all of the guest's memory."
        source: "QEMU, qemu_loadvm_state(), QEMU_VM_FILE_MAGIC"
        message: "the device state begins with {found:x}, not with the letters QEVM ({expected:x})"
    QemuVersion "qemu::version" W D D
        field: 4, framing: kept, by: core
        title: "unknown version of QEMU's state"
        refuses: "A state of QEMU upstream of a version other than 3."
        why: "QEMU refuses every other version, and the toolstack gives the restore up after it has moved all of the guest's memory."
        source: "QEMU, qemu_loadvm_state(), QEMU_VM_FILE_VERSION"
        message: "the device state is of version {found}; QEMU reads {expected}"
    QemuFirstSection "qemu::first-section" W W D
        field: 1, framing: kept, by: core
        title: "unexpected first section of QEMU's state"
        refuses: "A state of QEMU upstream whose first section is not one with a device's whole state (type 4)."
        why: "Under Xen QEMU writes no other. A configuration (7) comes from a QEMU that was not started for Xen, and a part of memory (1) would be loaded over the guest's own."
        source: "QEMU, qemu_save_device_state(); QEMU's accelerator for Xen switches the configuration section off"
        message: "the first section of the device state is of type {found}, not {expected}"
    QemuName "qemu::name" W W D
        field: 1, framing: kept, by: core
        title: "impossible name of a device"
        refuses: "A first section of QEMU's state whose name is empty, does not fit, or is not printable ASCII."
        why: "QEMU finds no device of that name and stops, and the toolstack gives the restore up after it has moved all of the guest's memory."
        source: "QEMU, qemu_loadvm_section_start_full()"
        message: "the name of the first device is empty, too long or not printable: the byte found is {found:x}"
    QemuEnd "qemu::end" W W D
        field: 1, framing: kept, by: core
        title: "device state without an end"
        refuses: "A state of QEMU upstream whose last byte is not 0."
        why: "A section of that type is written last. Where it is missing the state was cut, or something was added to it."
        source: "QEMU, qemu_save_device_state(), QEMU_VM_EOF"
        message: "the last byte of the device state is {found:x}, not {expected}"
}
