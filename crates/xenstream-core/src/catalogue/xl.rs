//! Rules on the header of xl save.

macro_rules! xl {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    XlByteorder "xl::byteorder" S S S
        field: 4, framing: ends(ones), by: core
        title: "bad byte-order mark"
        refuses: "An xl header whose byteorder field is not 0x01020304 in either byte order."
        why: "The mark says how to read the three fields after it. Without it, the length of the optional data is unknown, and so is the start of the stream."
        source: "xl header, byteorder; xl refuses any other value"
        message: "byteorder is {found:x}; {expected:x} in either byte order was expected"
    XlBigEndian "xl::big-endian" W D D
        field: 4, framing: kept, by: core
        title: "xl header in big-endian order"
        refuses: "An xl header whose byteorder mark shows it to be big-endian."
        why: "xl reads the mark in the host's byte order, so on x86 it rejects the file at once. xenstream can read the header, and judges the rest."
        source: "xl header, byteorder; xl refuses a mark of the other order"
        message: "the byteorder mark reads {found:x}: the header is big-endian, and xl on x86 expects {expected:x}"
    XlMandatoryFlags "xl::mandatory-flags" D D D
        field: 4, framing: kept, by: core
        title: "unknown mandatory flags"
        refuses: "An xl header with a mandatory flag outside 0x3."
        why: "A mandatory flag changes the meaning of what follows, so a reader that does not know it must stop. xl asks for a newer xl and refuses the file."
        source: "xl header, mandatory_flags; xl refuses unknown bits"
        message: "mandatory_flags is {found:x}; only {expected:x} is known"
    XlStreamFlag "xl::stream-flag" D D D
        field: 4, framing: kept, by: core
        title: "stream version not announced"
        refuses: "An xl header that announces a legacy image (bit 1 of mandatory_flags is 0), followed by a libxl stream."
        why: "xl takes the stream for an image of Xen 4.5 or older and tries to convert it, which fails. With bit 1 set, xl restores it."
        source: "xl header, mandatory_flags bit 1"
        message: "mandatory_flags is {found:x} and announces a legacy image, but a libxl stream follows: set bit 1 (0x2); no released xl writes such a header, so some other tool added it"
    XlOptionalFlags "xl::optional-flags" W A D
        field: 4, framing: kept, by: core
        title: "optional flags are set"
        refuses: "An xl header with any optional flag."
        why: "No released xl sets one, so another program wrote the header, or it is damaged. xl prints the flags and continues."
        source: "xl header, optional_flags; xl does not look at the bits"
        message: "optional_flags is {found:x}; no released xl sets any"
    XlOptionalDataLength "xl::optional-data-length" D D D
        field: 4, framing: lost(4, small), by: core
        title: "impossible length of the optional data"
        refuses: "An optional_data_len of 1 to 3, or above the limit `optional-data`."
        why: "A length of 1 to 3 has no room for the configuration's own length field, and xl calls the file truncated. A huge length makes xl allocate up to 4 GiB before it reads a byte."
        source: "xl header, optional_data_len; limit of the policy"
        message: "optional_data_len is {found}, beyond its bound of {expected}: it must be 0, or between 4 and the limit optional-data"
    XlConfigLength "xl::config-length" D D D
        field: 4, framing: lost(4, small), by: core
        title: "configuration longer than the optional data"
        refuses: "A configuration length that exceeds the optional data after the length field."
        why: "The configuration would run into the libxl stream. xl stores the length in a signed integer, so a huge length becomes negative, passes xl's check and ends in an impossible allocation."
        source: "xl header, optional data; xl keeps the configuration's length in an int"
        message: "the length of the configuration is {found}; the optional data has room for {expected}"
    XlConfigMissing "xl::config-missing" W D D
        field: 4, framing: kept, by: core
        title: "no configuration"
        refuses: "An xl header without optional data, or with an empty configuration."
        why: "The guest's memory is there, but its configuration is not: xl restore stops unless a configuration file is passed with the image."
        source: "xl header, optional_data_len and the configuration's length; xl asks for a configuration file when the image has none"
        message: "the image has no configuration: xl restore needs a separate configuration file"
    XlConfigTerminator "xl::config-terminator" W D D
        field: 1, framing: kept, by: core
        title: "configuration without a final NUL"
        refuses: "A JSON configuration whose last byte is not NUL."
        why: "xl passes the bytes to its JSON parser as a C string. Without the NUL, the parser reads past the end of the buffer."
        source: "xl header, optional data; xl passes no length to the JSON parser"
        message: "the JSON configuration ends in {found:x}, not in NUL, so xl reads past its end"
    XlConfigJson "xl::config-json" W D D
        field: 1, framing: kept, by: std
        title: "configuration is not JSON"
        refuses: "A configuration that the header flags as JSON but that is not well-formed JSON."
        why: "xl cannot read the configuration and stops, unless a configuration file replaces it. The stream after it may be intact."
        source: "xl header, mandatory_flags bit 0; libxl_domain_config_from_json(); RFC 8259"
        message: "the configuration is flagged as JSON but is not well-formed"
    XlConfigDepth "xl::config-depth" D D D
        field: 1, framing: kept, by: std
        title: "configuration nested too deeply"
        refuses: "A JSON configuration, or the metadata of a XenServer image, that is nested more deeply than the limit `config-depth` allows."
        why: "libxl keeps an object for each level and searches the list of all objects for each new one: 50,000 levels in 100 KB take it minutes."
        source: "libxl's JSON reader, libxl__ptr_add(); limit of the policy"
        message: "nesting reaches level {found}; the limit config-depth is {expected}"
    XlConfigValues "xl::config-values" D D D
        field: 1, framing: kept, by: std
        title: "too many values in the configuration"
        refuses: "A JSON configuration, or the metadata of a XenServer image, with more values and keys than the limit `config-values` allows."
        why: "libxl searches the list of all its objects for each new one, so its time grows with the square of their number: hours for a configuration of 16 MiB."
        source: "libxl's JSON reader, libxl__ptr_add(); limit of the policy"
        message: "value {found} exceeds the limit config-values of {expected}"
    XlConfigNumber "xl::config-number" D D D
        field: 1, framing: kept, by: std
        title: "number too large for a bitmap"
        refuses: "A JSON configuration with an array that holds a negative number, or one at or above the limit `config-number`."
        why: "Arrays of numbers are sets of cpus and nodes, and the last number determines the size of the bitmap that libxl allocates: a few bytes of input cost 256 MiB, and for 2147483647 the size overflows and libxl dies."
        source: "libxl__bitmap_parse_json(); limit of the policy"
        message: "an array holds a number that is negative or not below the limit config-number of {expected}"
    XlTypeMismatch "xl::type-mismatch" W D D
        field: 4, framing: kept, by: std
        title: "configuration and stream disagree on the type"
        refuses: "A stream whose domain is of another type than its configuration says: a PV guest configured as HVM or PVH, the reverse, or a device model for a PVH guest."
        why: "The toolstack builds the domain from the configuration and then cannot restore the stream into it: the restorer refuses a guest of the other kind, and libxl refuses device-model records for a domain without a device model."
        source: "xl header and libvirt XML, the domain's type; restorer, x86_pv_setup() and x86_hvm_setup(); libxl, process_record()"
        message: "the configuration says that the domain is {expected}, but {found}"
    XlMemoryMismatch "xl::memory-mismatch" W W W
        field: 4, framing: kept, by: std
        title: "less memory than configured"
        refuses: "A stream of an HVM guest that names fewer pfns than the guest has pages according to its configuration (target_memkb without video_memkb)."
        why: "The upper part of the guest's memory may be missing. A guest has at least as many pfns as pages, because there are holes for devices. Only a guest that ballooned memory out and was restored since may have fewer."
        source: "xl header, the domain's memory; send_all_pages() of libxenguest, which goes on to the highest pfn"
        message: "{missing} at least, if the guest has as much memory as its configuration says"
    XlViridianMismatch "xl::viridian-mismatch" W W W
        field: 8, framing: kept, by: std
        title: "configuration and stream disagree on Viridian"
        refuses: "A stream of an HVM guest whose Viridian features (parameter 9) differ from those in its configuration, or that has Viridian entries in HVM_CONTEXT although the configuration has no Viridian features."
        why: "The toolstack sets the features in the configuration before it reads the stream, and Xen refuses to change them after that. If only one of the two names any, the guest gets those, which may not be the features that it ran with."
        source: "libxl, hvm_set_viridian_features(); Xen's hvm_allow_set_param()"
        message: "the stream gives the guest {found}, and its configuration gives it {expected}"
    XlEmulatorMismatch "xl::emulator-mismatch" W W D
        field: 4, framing: kept, by: std
        title: "configuration and stream disagree on the emulator"
        refuses: "An EMULATOR_CONTEXT of another emulator than device_model_version in the configuration."
        why: "libxl ignores the field and passes the state to the device model in the configuration, which cannot load the state of another one."
        source: "libxl specification, \"EMULATOR_CONTEXT\", emulator_id; libxl__domain_create() starts the device model of the configuration"
        message: "the state belongs to emulator {found}, but the configuration names emulator {expected}"
    XlConfigFormat "xl::config-format" W W D
        field: 4, framing: kept, by: core
        title: "configuration in xl.cfg syntax"
        refuses: "An xl header whose flags say that the configuration is not JSON."
        why: "xl has written JSON since Xen 4.5. Text in xl.cfg syntax comes from an old or a foreign tool, and can contain anything that a configuration file can."
        source: "xl header, mandatory_flags bit 0"
        message: "mandatory_flags is {found:x}: the configuration is in xl.cfg syntax, not JSON (flag {expected:x})"
    } };
}
