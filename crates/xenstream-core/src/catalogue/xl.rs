//! Rules on the header of xl save.

macro_rules! xl {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
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
    } };
}
