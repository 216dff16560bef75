//! Rules on the libxc stream: framing, static data and memory.

macro_rules! libxc {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*

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
    } };
}
