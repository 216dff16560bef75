//! Rules on the libxl stream.

macro_rules! libxl {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    LibxlIdent "libxl::ident" S S S
        field: 8, framing: ends(zeros), by: core
        title: "bad ident"
        refuses: "A libxl stream that does not begin with the letters LibxlFmt."
        why: "There is no libxl stream here: the header before it has a wrong length, or bytes were lost. libxl refuses it."
        source: "libxl specification, \"Header\", ident"
        message: "ident is {found:x}, not the letters LibxlFmt{legacy}"
    LibxlVersion "libxl::version" S S S
        field: 4, framing: ends(small), by: core
        title: "unknown version of the libxl stream"
        refuses: "A libxl stream of a version other than 2."
        why: "The version determines the framing of records. There has never been another, and libxl refuses any other."
        source: "libxl specification, \"Header\", version"
        message: "libxl version is {found}; only {expected} is known"
    LibxlOptionsReserved "libxl::options-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved options are set"
        refuses: "A libxl header with any of the option bits 2 to 31."
        why: "The bits have no meaning yet, so they are damage, or the writer uses a newer format. libxl ignores them."
        source: "libxl specification, \"Header\", options"
        message: "options is {found:x}; only bits 0 and 1 are defined"
    LibxlBigEndian "libxl::big-endian" W D D
        field: 4, framing: kept, by: core
        title: "big-endian libxl records"
        refuses: "A libxl header with the big-endian option."
        why: "The specification allows it, but every released libxl stops. xenstream can read such records, and judges them."
        source: "libxl specification, \"Header\", options bit 0; libxl refuses it"
        message: "options is {found:x}: the records are big-endian, which no released libxl restores"
    LibxlRecordType "libxl::record-type" S S S
        field: 4, framing: ends(type), by: core
        title: "unknown mandatory libxl record"
        refuses: "A libxl record of an unknown type without the optional bit."
        why: "A reader that does not know a mandatory record cannot interpret the rest of the stream: LIBXC_CONTEXT, for example, is followed by a stream of another layer. libxl refuses it."
        source: "libxl specification, \"Records\", reserved mandatory types"
        message: "record type {found:x} is unknown and mandatory"
    LibxlRecordOptional "libxl::record-optional" D D D
        field: 4, framing: kept, by: core
        title: "unknown optional libxl record"
        refuses: "A libxl record of an unknown type with the optional bit."
        why: "The specification lets readers skip such a record, but libxl ignores the bit and fails the restore. Revision 2 defines no optional record."
        source: "libxl specification, \"Records\", reserved optional types; libxl refuses every type it does not know"
        message: "optional record type {found:x} is unknown, and libxl refuses it anyway"
    LibxlRecordLength "libxl::record-length" D D D
        field: 4, framing: lost(4, small), by: core
        title: "libxl record exceeds the limit"
        refuses: "A libxl record whose body is longer than the limit `libxl-record`."
        why: "libxl has no limit of its own. It allocates body_length bytes before it reads any, so 16 bytes of stream can cost the host 4 GiB."
        source: "libxl's record reader; limit of the policy"
        message: "body_length is {found}, which exceeds the limit libxl-record of {expected}"
    LibxlPadding "libxl::padding" D A D
        field: 1, framing: kept, by: core
        title: "padding is not zero"
        refuses: "A libxl record with padding that is not zero."
        why: "Savers write zeros. Anything else is damage, or memory of the saving process that leaked into the image. libxl ignores it."
        source: "libxl specification, \"Records\", padding"
        message: "a byte of padding is {found:x}, not zero"
    LibxlEndLength "libxl::end-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "END with a body"
        refuses: "A libxl END record with a body."
        why: "The record has no contents, so a length here is damage or hides something. libxl reads the body and discards it."
        source: "libxl specification, \"END\""
        message: "body_length of END is {found}, not {expected}"
    LibxlLibxcContextLength "libxl::libxc-context-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "LIBXC_CONTEXT with a body"
        refuses: "A LIBXC_CONTEXT record with a body."
        why: "The libxc stream begins right after the record, and a body makes readers disagree about where that is. libxl reads the body and discards it."
        source: "libxl specification, \"LIBXC_CONTEXT\""
        message: "body_length of LIBXC_CONTEXT is {found}, not {expected}"
    LibxlCheckpointEndLength "libxl::checkpoint-end-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "CHECKPOINT_END with a body"
        refuses: "A CHECKPOINT_END record with a body."
        why: "The record has no contents, so a length here is damage or hides something. libxl reads the body and discards it."
        source: "libxl specification, \"CHECKPOINT_END\""
        message: "body_length of CHECKPOINT_END is {found}, not {expected}"
    LibxlLibxcContextMissing "libxl::libxc-context-missing" W D D
        field: 4, framing: kept, by: core
        title: "no domain in the stream"
        refuses: "A libxl stream that reaches END without LIBXC_CONTEXT."
        why: "There are no memory and no registers to restore. libxl reports success and leaves an empty domain."
        source: "libxl specification, \"Layout\"; libxl does not ask whether a domain came"
        message: "{found} comes without a LIBXC_CONTEXT before it: there is no domain in the stream"
    LibxlLibxcContextRepeated "libxl::libxc-context-repeated" W W D
        field: 4, framing: kept, by: core
        title: "a second LIBXC_CONTEXT"
        refuses: "A second LIBXC_CONTEXT record."
        why: "libxl starts a second restore helper on the domain that the first one built. The result is a mixture of the two."
        source: "libxl specification, \"Layout\""
        message: "{found} comes a second time"
    LibxlLibxcContextLate "libxl::libxc-context-late" W W D
        field: 4, framing: kept, by: core
        title: "LIBXC_CONTEXT after emulator records"
        refuses: "Emulator records before LIBXC_CONTEXT."
        why: "The device model's state is read before it is known which domain it belongs to. No saver writes this order."
        source: "libxl specification, \"Layout\""
        message: "{found} comes after emulator records"
    LibxlEmulatorHeader "libxl::emulator-header" D D D
        field: 4, framing: lost(4, length), by: core
        title: "emulator record without its header"
        refuses: "An emulator record too short for its emulator header."
        why: "The header says which device model the state belongs to. libxl fails the restore."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\" and \"EMULATOR_CONTEXT\"; libxl checks the length"
        message: "body_length is {found}; the emulator header alone takes {expected}"
    LibxlEmulatorLength "libxl::emulator-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "device-model state exceeds the limit"
        refuses: "An EMULATOR_CONTEXT whose state is longer than the limit `emulator-context`."
        why: "libxl keeps the state in memory, writes it to a file in dom0 and has QEMU parse it. Real state takes some kilobytes; megabytes are an attempt to fill a disk, or to attack QEMU."
        source: "libxl's emulator record reader; limit of the policy"
        message: "the device-model state has {found} bytes, which exceeds the limit emulator-context of {expected}"
    LibxlEmulatorId "libxl::emulator-id" D A D
        field: 4, framing: kept, by: core
        title: "unknown emulator"
        refuses: "An emulator_id above 2."
        why: "No such device model is known, so the format of the state is unknown. libxl ignores the field and passes the state to the QEMU in the configuration."
        source: "libxl specification, \"EMULATOR_CONTEXT\", emulator_id"
        message: "emulator_id is {found}; {expected} is the largest known"
    LibxlEmulatorTraditional "libxl::emulator-traditional" W W W
        field: 4, framing: kept, by: core
        title: "state of qemu-traditional"
        refuses: "An EMULATOR_CONTEXT of emulator 1, qemu-traditional."
        why: "Xen 4.21 removed this device model, and no other can load its state."
        source: "libxl specification, \"EMULATOR_CONTEXT\", emulator_id; Xen 19ab8356ab"
        message: "the device-model state belongs to emulator {found}, qemu-traditional"
    LibxlEmulatorGuest "libxl::emulator-guest" W D D
        field: 4, framing: kept, by: core
        title: "emulator record for a PV domain"
        refuses: "An emulator record in a stream whose domain is PV."
        why: "A PV guest has no emulated devices to restore. libxl fails because it does not expect an emulator record."
        source: "libxl refuses emulator records for domains that are not HVM"
        message: "{found} belongs to an HVM guest, but the domain is PV"
    LibxlEmulatorMissing "libxl::emulator-missing" W D D
        field: 0, framing: kept, by: core
        title: "no device-model state"
        refuses: "A libxl stream or checkpoint without EMULATOR_CONTEXT, if the guest is HVM by its configuration or has emulated devices."
        why: "Whenever libxl restores an HVM domain, it starts QEMU with a state to load. Without the state, QEMU stops at once, and the restore fails after all memory has been transferred."
        source: "libxl specification, \"EMULATOR_CONTEXT\"; libxl__build_device_model_args_new() starts QEMU with -incoming"
        message: "{found} comes without an EMULATOR_CONTEXT: the device model cannot start"
    LibxlXenstoreLength "libxl::xenstore-length" D D D
        field: 4, framing: kept, by: core
        title: "too much xenstore data"
        refuses: "An EMULATOR_XENSTORE_DATA with more bytes of pairs than the limit `xenstore-bytes` allows."
        why: "libxl writes the pairs to the host's xenstore in one transaction, and xenstored keeps them in memory. Real data takes some hundred bytes."
        source: "libxl__restore_emulator_xenstore_data(); limit of the policy"
        message: "the xenstore data has {found} bytes, which exceeds the limit xenstore-bytes of {expected}"
    LibxlXenstoreCount "libxl::xenstore-count" D D D
        field: 1, framing: kept, by: core
        title: "too many xenstore pairs"
        refuses: "More pairs in EMULATOR_XENSTORE_DATA, in the whole stream or since its last checkpoint, than the limit `xenstore-pairs` allows."
        why: "libxl searches the list of all its objects for each new one, so its time grows with the square of their number: 10 seconds for 400 KB of pairs, hours for 16 MiB."
        source: "libxl__restore_emulator_xenstore_data(), libxl__ptr_add(); limit of the policy"
        message: "xenstore pair {found} exceeds the limit xenstore-pairs of {expected}"
    LibxlXenstoreTerminator "libxl::xenstore-terminator" D D D
        field: 1, framing: kept, by: core
        title: "xenstore string without NUL"
        refuses: "Xenstore data whose last string has no NUL."
        why: "Keys and values are consecutive C strings. Without the last NUL, a careless reader runs past the end of the record. libxl checks for it and fails."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\""
        message: "the last xenstore string does not end in NUL"
    LibxlXenstorePairs "libxl::xenstore-pairs" D D D
        field: 1, framing: kept, by: core
        title: "xenstore key without a value"
        refuses: "Xenstore data whose last key has no value."
        why: "Strings come in pairs. An odd number means that a string was lost, so any value may belong to another key. libxl fails."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\""
        message: "the last xenstore key has no value"
    LibxlXenstoreKeyEmpty "libxl::xenstore-key-empty" D D D
        field: 1, framing: kept, by: core
        title: "empty xenstore key"
        refuses: "An empty key in xenstore data."
        why: "An empty path names the device model's directory itself. libxl fails rather than write to it."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\", key"
        message: "a xenstore key is empty"
    LibxlXenstoreKeyAbsolute "libxl::xenstore-key-absolute" D D D
        field: 1, framing: kept, by: core
        title: "absolute xenstore key"
        refuses: "A key in xenstore data that begins with a slash."
        why: "Keys are relative to the device model's directory in xenstore. An absolute key would let the image write wherever the toolstack can. libxl fails."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\", key"
        message: "a xenstore key begins with {found:x}, a slash"
    LibxlXenstoreKeyCharset "libxl::xenstore-key-charset" D A D
        field: 1, framing: kept, by: core
        title: "character not allowed in a xenstore key"
        refuses: "A key in xenstore data with a byte that is not an ASCII letter, a digit or one of - / _ @."
        why: "xenstored allows no other characters in a path and refuses the write. libxl does not check the result, so the device model silently lacks that key."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\", key; xenstore's path characters"
        message: "a xenstore key has the byte {found:x}"
    LibxlXenstoreValueCharset "libxl::xenstore-value-charset" W A D
        field: 1, framing: kept, by: core
        title: "unprintable xenstore value"
        refuses: "A value in xenstore data with a byte that is not printable ASCII."
        why: "People and scripts read values, and control characters do harm in terminals and logs. libxl stores them unchanged."
        source: "libxl specification, \"EMULATOR_XENSTORE_DATA\", value"
        message: "a xenstore value has the byte {found:x}, which is not printable ASCII"
    LibxlCheckpointEndUnexpected "libxl::checkpoint-end-unexpected" D D D
        field: 4, framing: kept, by: core
        title: "CHECKPOINT_END without a checkpoint"
        refuses: "A CHECKPOINT_END while no checkpoint is open."
        why: "The record returns the descriptor to libxc, which is not waiting for it. libxl fails the restore."
        source: "libxl specification, \"CHECKPOINT_END\"; libxl checks that a checkpoint is open"
        message: "{found} comes while no checkpoint is open"
    LibxlEndInCheckpoint "libxl::end-in-checkpoint" D D D
        field: 4, framing: kept, by: core
        title: "END inside a checkpoint"
        refuses: "A libxl END record inside a checkpoint."
        why: "libxl asserts that a stream does not end inside a checkpoint. The toolstack process aborts and leaves a half-built domain."
        source: "libxl, stream_complete() asserts an error while a checkpoint is open"
        message: "{found} comes before the checkpoint's CHECKPOINT_END"
    LibxlLibxcContextInCheckpoint "libxl::libxc-context-in-checkpoint" D D D
        field: 4, framing: kept, by: core
        title: "LIBXC_CONTEXT inside a checkpoint"
        refuses: "A LIBXC_CONTEXT record inside a checkpoint."
        why: "The restore helper is still running when libxl is asked to start another one. libxl aborts on an assertion."
        source: "libxl, process_record() starts a helper without asking for one that runs"
        message: "{found} comes before the checkpoint's CHECKPOINT_END"
    LibxlCheckpointStateLength "libxl::checkpoint-state-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "CHECKPOINT_STATE without its id"
        refuses: "A CHECKPOINT_STATE with a body of less than 4 bytes."
        why: "libxl reads the control id from the body without checking the length. With an empty body it dereferences a null pointer and crashes."
        source: "libxl specification, \"CHECKPOINT_STATE\"; libxl, process_record()"
        message: "body_length of CHECKPOINT_STATE is {found}; its control_id takes {expected}"
    LibxlCheckpointStateUnexpected "libxl::checkpoint-state-unexpected" D D D
        field: 4, framing: kept, by: core
        title: "CHECKPOINT_STATE out of place"
        refuses: "A CHECKPOINT_STATE in a stream that is not COLO, or anywhere but after CHECKPOINT_END."
        why: "Primary and secondary follow a fixed protocol, and an unexpected message fails the restore."
        source: "libxl specification, \"CHECKPOINT_STATE\"; libxl checks that it waits for one"
        message: "{found} comes where it is not expected"
    LibxlCheckpointStateId "libxl::checkpoint-state-id" D D D
        field: 4, framing: kept, by: core
        title: "control id out of range"
        refuses: "An unknown control_id. Under restore and hardened, any but NEW, the only one that a primary sends."
        why: "The other states travel from the secondary to the primary. libxl abandons the restore if the state is not the one that it waits for."
        source: "libxl specification, \"CHECKPOINT_STATE\", control_id; COLO's restore side waits for NEW"
        message: "control_id is {found}; {expected} is the largest allowed"
    LibxlCheckpointStateMissing "libxl::checkpoint-state-missing" D D D
        field: 4, framing: kept, by: core
        title: "no CHECKPOINT_STATE after a checkpoint"
        refuses: "A COLO stream in which a record of another type follows CHECKPOINT_END."
        why: "The secondary waits for the primary's word that a new checkpoint begins; anything else fails the restore after the guest has run on for a while."
        source: "libxl specification, \"CHECKPOINT_STATE\"; COLO's restore side"
        message: "{found} comes where COLO sends CHECKPOINT_STATE"
    } };
}
