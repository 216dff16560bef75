//! Rules on the libxc stream: framing, static data and memory.

macro_rules! libxc {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*

    // The libxc stream: headers and framing.
    LibxcMarker "libxc::marker" S S S
        field: 8, framing: ends(zeros), by: core
        title: "bad marker"
        refuses: "A libxc stream that does not begin with eight bytes of 0xff, unless it begins like a legacy image outside libxl."
        why: "There is no libxc stream here: the header that announces it is wrong, or bytes were lost. The restore helper refuses it."
        source: "libxc specification, \"Image Header\", marker"
        message: "marker is {found:x}, not all ones"
    LibxcId "libxc::id" S S S
        field: 4, framing: ends(zeros), by: core
        title: "bad id"
        refuses: "An image header whose id is not the letters XENF."
        why: "The marker alone could be erased flash or a bad disk, so the id confirms it. The restorer refuses any other."
        source: "libxc specification, \"Image Header\", id"
        message: "id is {found:x}; the letters XENF are {expected:x}"
    LibxcVersion "libxc::version" S S S
        field: 4, framing: ends(small), by: core
        title: "unknown version of the libxc stream"
        refuses: "An image header whose version is neither 2 nor 3."
        why: "The version determines the records and their order. The restorer refuses unknown versions, so a newer Xen's image needs a newer Xen."
        source: "libxc specification, \"Image Header\", version"
        message: "libxc version is {found}; 2 and 3 are known"
    LibxcVersion3 "libxc::version-3" A A A
        field: 4, framing: kept, by: core
        title: "version 3 of the libxc stream"
        refuses: "A libxc stream of version 3, or a version 2 stream with STATIC_DATA_END or a CPU policy, for a release that reads only version 2."
        why: "Xen 4.13 and XCP-ng 8.2, which is based on it, know neither the version nor these records, and refuse the stream at once."
        source: "libxc specification, \"Image Header\", version; Xen 6501e46ca7"
        message: "readers of version 2 do not know version or record type {found}"
    LibxcOptionsReserved "libxc::options-reserved" D A D
        field: 2, framing: kept, by: core
        title: "reserved options are set"
        refuses: "An image header with any of the option bits 1 to 15."
        why: "The bits have no meaning yet, so they are damage, or the writer uses a newer format. The restorer ignores them."
        source: "libxc specification, \"Image Header\", options"
        message: "options is {found:x}; only bit 0 is defined"
    LibxcBigEndian "libxc::big-endian" W D D
        field: 2, framing: kept, by: core
        title: "big-endian libxc records"
        refuses: "An image header with the big-endian option."
        why: "The specification allows it, but every released restorer stops. xenstream can read such records, and judges them."
        source: "libxc specification, \"Image Header\", options bit 0; the restorer refuses it"
        message: "options is {found:x}: the records are big-endian, which no released Xen restores"
    LibxcHeaderReserved "libxc::header-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved field of the image header is not zero"
        refuses: "An image header with a reserved field that is not zero."
        why: "Savers write zeros; anything else is damage, or a future format. The restorer ignores the value."
        source: "libxc specification, \"Image Header\" and \"Fields\""
        message: "a reserved field of the image header is {found:x}, not zero"
    LibxcDomainReserved "libxc::domain-reserved" D A D
        field: 2, framing: kept, by: core
        title: "reserved field of the domain header is not zero"
        refuses: "A domain header with a reserved field that is not zero."
        why: "Savers write zeros; anything else is damage, or a future format. The restorer ignores the value."
        source: "libxc specification, \"Domain Header\" and \"Fields\""
        message: "the reserved field of the domain header is {found:x}, not zero"
    LibxcDomainType "libxc::domain-type" S S S
        field: 4, framing: ends(small), by: core
        title: "unknown domain type"
        refuses: "A domain header whose type is neither x86 PV nor x86 HVM."
        why: "The type determines which records may follow and what they mean. The restorer refuses a type that does not match the domain built from the configuration. PVH guests have type HVM."
        source: "libxc specification, \"Domain Header\", type"
        message: "domain type {found} is neither 1 (x86 PV) nor 2 (x86 HVM and PVH)"
    LibxcPageShift "libxc::page-shift" S S S
        field: 2, framing: ends(small), by: core
        title: "wrong page size"
        refuses: "A domain header whose page_shift is not 12."
        why: "The page size determines the framing of every PAGE_DATA record. The restorer refuses other sizes, except 44, which its 32-bit shift makes the same as 12."
        source: "libxc specification, \"Domain Header\", page_shift; restorer, read_headers()"
        message: "page_shift is {found}; it must be {expected} on x86"
    LibxcRecordType "libxc::record-type" S S S
        field: 4, framing: ends(type), by: core
        title: "unknown mandatory libxc record"
        refuses: "A libxc record of an unknown type without the optional bit."
        why: "A reader that does not know a mandatory record cannot interpret the rest of the stream. The restorer fails, after it has filled the guest's memory."
        source: "libxc specification, \"Records\", reserved mandatory types"
        message: "record type {found:x} is unknown and mandatory"
    LibxcRecordOptional "libxc::record-optional" W A D
        field: 4, framing: kept, by: core
        title: "unknown optional libxc record"
        refuses: "A libxc record of an unknown type with the optional bit."
        why: "The restorer skips it, and no specification says what it contains. Between two checkpoints, however, the restorer buffers it and fails to replay it at the second CHECKPOINT, so restore refuses it there."
        source: "libxc specification, \"Records\", reserved optional types; restorer, handle_checkpoint()"
        message: "optional record type {found:x} is unknown"
    LibxcRecordLength "libxc::record-length" D D D
        field: 4, framing: lost(4, small), by: core
        title: "libxc record exceeds the limit"
        refuses: "A libxc record whose body is longer than the limit `libxc-record`."
        why: "The restorer reads a whole record into memory, and refuses one of more than 128 MiB before it allocates."
        source: "restorer, REC_LENGTH_MAX; limit of the policy"
        message: "body_length is {found}, which exceeds the limit libxc-record of {expected}"
    LibxcPadding "libxc::padding" D A D
        field: 1, framing: kept, by: core
        title: "padding is not zero"
        refuses: "A libxc record with padding that is not zero."
        why: "Savers write zeros. Anything else is damage, or memory of the saving process that leaked into the image. The restorer ignores it."
        source: "libxc specification, \"Records\", padding"
        message: "a byte of padding is {found:x}, not zero"
    LibxcRecordGuest "libxc::record-guest" D D D
        field: 4, framing: kept, by: core
        title: "record of the other kind of guest"
        refuses: "A PV record in an HVM stream, or an HVM record in a PV stream."
        why: "A PV guest has no HVM context, and an HVM guest has no p2m. The restorer has no handler for the other guest's records and fails."
        source: "libxc specification, \"Layout\"; restorer, one set of handlers for each kind of guest"
        message: "{found} does not belong to this kind of guest"
    LibxcToolstack "libxc::toolstack" D D D
        field: 4, framing: kept, by: core
        title: "deprecated TOOLSTACK record"
        refuses: "A TOOLSTACK record."
        why: "The toolstack's data now travels in libxl's own records. No released restorer has a handler for this one, and the restore fails."
        source: "libxc specification, \"TOOLSTACK (deprecated)\""
        message: "{found} is deprecated, and no released Xen restores it"
    LibxcDirtyPfnList "libxc::dirty-pfn-list" D D D
        field: 4, framing: kept, by: core
        title: "back-channel record in the stream"
        refuses: "A CHECKPOINT_DIRTY_PFN_LIST record."
        why: "A COLO secondary sends it to its primary, never the other way round. A restorer that receives it fails."
        source: "libxc specification, \"CHECKPOINT_DIRTY_PFN_LIST\""
        message: "{found} belongs on the back channel only"
    LibxcEndLength "libxc::end-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "END with a body"
        refuses: "A libxc END record with a body."
        why: "The record has no contents, so a length here is damage or hides something. The restorer reads the body and discards it."
        source: "libxc specification, \"END\""
        message: "body_length of END is {found}, not {expected}"
    LibxcVerifyLength "libxc::verify-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "VERIFY with a body"
        refuses: "A VERIFY record with a body."
        why: "The record has no contents, so a length here is damage or hides something. The restorer reads the body and discards it."
        source: "libxc specification, \"VERIFY\""
        message: "body_length of VERIFY is {found}, not {expected}"
    LibxcCheckpointLength "libxc::checkpoint-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "CHECKPOINT with a body"
        refuses: "A CHECKPOINT record with a body."
        why: "libxl's records begin right after it, and a body makes readers disagree about where that is. The restorer reads the body and discards it."
        source: "libxc specification, \"CHECKPOINT\""
        message: "body_length of CHECKPOINT is {found}, not {expected}"
    LibxcStaticDataEndLength "libxc::static-data-end-length" D A D
        field: 4, framing: lost(4, length), by: core
        title: "STATIC_DATA_END with a body"
        refuses: "A STATIC_DATA_END record with a body."
        why: "The record has no contents, so a length here is damage or hides something. The restorer reads the body and discards it."
        source: "libxc specification, \"STATIC_DATA_END\""
        message: "body_length of STATIC_DATA_END is {found}, not {expected}"

    // The libxc stream: static data.
    LibxcStaticDataEndMissing "libxc::static-data-end-missing" D D D
        field: 4, framing: kept, by: core
        title: "no STATIC_DATA_END before the contents"
        refuses: "A version 3 stream with memory or registers before STATIC_DATA_END. Under restore, only P2M frames and page data count."
        why: "At STATIC_DATA_END the restorer applies the CPUID and MSR policies, which must happen before the domain has any contents. Without it, the restorer fails at the first page or P2M frame."
        source: "libxc specification, \"STATIC_DATA_END\"; restorer, handle_page_data() and handle_x86_pv_p2m_frames()"
        message: "{found} comes before STATIC_DATA_END"
    LibxcStaticDataEndRepeated "libxc::static-data-end-repeated" D D D
        field: 4, framing: kept, by: core
        title: "a second STATIC_DATA_END"
        refuses: "A second STATIC_DATA_END. In version 2, one after the place where readers infer it."
        why: "The policies have already been applied, and the restorer refuses to apply them again."
        source: "libxc specification, \"STATIC_DATA_END\"; restorer, handle_static_data_end()"
        message: "{found} comes after the static data has ended"
    LibxcStaticDataEndVersion "libxc::static-data-end-version" D A D
        field: 4, framing: kept, by: core
        title: "STATIC_DATA_END in a version 2 stream"
        refuses: "A STATIC_DATA_END in a version 2 stream."
        why: "Version 2 has no such record, so the header and the records come from different writers. The restorer accepts it."
        source: "libxc specification, \"STATIC_DATA_END\", since version 3"
        message: "{found} does not exist in version 2"
    LibxcPolicyVersion "libxc::policy-version" D A D
        field: 4, framing: kept, by: core
        title: "CPU policy in a version 2 stream"
        refuses: "An X86_CPUID_POLICY or X86_MSR_POLICY in a version 2 stream."
        why: "Version 2 has no such record, so the header and the records come from different writers. The restorer accepts it."
        source: "libxc specification, \"X86_CPUID_POLICY\" and \"X86_MSR_POLICY\", since version 3"
        message: "{found} does not exist in version 2"
    LibxcStaticRecordLate "libxc::static-record-late" W W D
        field: 4, framing: kept, by: core
        title: "static data after its end"
        refuses: "An X86_PV_INFO or a CPU policy after STATIC_DATA_END, or after the place where a version 2 reader infers it."
        why: "A late policy is silently stored and never applied: the guest resumes with the default CPUID and MSRs of its new host instead of those that it booted with."
        source: "libxc specification, \"STATIC_DATA_END\"; restorer, x86_static_data_complete() runs once"
        message: "{found} comes after the static data has ended"
    LibxcPvInfoLength "libxc::pv-info-length" D D D
        field: 4, framing: lost(4, length), by: core
        title: "wrong length of X86_PV_INFO"
        refuses: "An X86_PV_INFO whose length is not 8. Under restore, one that is shorter."
        why: "Width and page-table depth determine the layout of every other PV record. The restorer fails on a short record, and ignores everything after the first 8 bytes of a long one."
        source: "libxc specification, \"X86_PV_INFO\"; restorer, handle_x86_pv_info()"
        message: "body_length of X86_PV_INFO is {found}, not {expected}"
    LibxcPvInfoCombination "libxc::pv-info-combination" D D D
        field: 2, framing: kept, by: core
        title: "impossible kind of PV guest"
        refuses: "A guest width and a number of page-table levels that are neither 4 with 3 nor 8 with 4."
        why: "There are only 32-bit PAE and 64-bit guests. The restorer checks the pair."
        source: "libxc specification, \"X86_PV_INFO\"; restorer, handle_x86_pv_info()"
        message: "guest_width and pt_levels together are {found:x}; only 0x403 and 0x804 are possible"
    LibxcPvInfoRepeated "libxc::pv-info-repeated" D D D
        field: 4, framing: kept, by: core
        title: "a second X86_PV_INFO"
        refuses: "A second X86_PV_INFO record."
        why: "A guest cannot change its width halfway through. The restorer refuses the record even if it repeats the first."
        source: "restorer, handle_x86_pv_info()"
        message: "{found} comes a second time"
    LibxcPvInfoMissing "libxc::pv-info-missing" D D D
        field: 4, framing: kept, by: core
        title: "no X86_PV_INFO before what depends on it"
        refuses: "An X86_PV_P2M_FRAMES or SHARED_INFO before X86_PV_INFO."
        why: "The layout of both depends on the guest's width. The restorer fails on them; vcpu registers would be read as those of a 64-bit guest."
        source: "libxc specification, \"x86 PV Guest\"; restorer, handle_x86_pv_p2m_frames() and handle_shared_info()"
        message: "{found} comes before X86_PV_INFO"
    LibxcPvInfoReserved "libxc::pv-info-reserved" D A D
        field: 6, framing: kept, by: core
        title: "reserved bytes of X86_PV_INFO are not zero"
        refuses: "An X86_PV_INFO with reserved bytes that are not zero."
        why: "Savers write zeros; anything else is damage, or a future format. The restorer ignores the value."
        source: "libxc specification, \"X86_PV_INFO\" and \"Fields\""
        message: "a reserved field of X86_PV_INFO is {found:x}, not zero"

    // The libxc stream: the p2m of a PV guest.
    LibxcP2mFramesLength "libxc::p2m-frames-length" D D D
        field: 4, framing: lost(12, length), by: core
        title: "wrong length of X86_PV_P2M_FRAMES"
        refuses: "An X86_PV_P2M_FRAMES whose length does not follow from its range of pfns."
        why: "The record has one frame for each page of the p2m in the range. With fewer, the restorer would read past its end, so it checks the length and fails."
        source: "libxc specification, \"X86_PV_P2M_FRAMES\"; restorer, handle_x86_pv_p2m_frames()"
        message: "body_length of X86_PV_P2M_FRAMES is {found}; its range of pfns needs {expected}"
    LibxcP2mFramesRange "libxc::p2m-frames-range" D D D
        field: 4, framing: kept, by: core
        title: "impossible range of pfns"
        refuses: "A start_pfn above end_pfn, or an end_pfn at or above the limit `p2m-pfn`."
        why: "The restorer checks the order but trusts the size: one small record makes it allocate and fill about 12 bytes for each pfn up to end_pfn, 48 GiB for the largest."
        source: "libxc specification, \"X86_PV_P2M_FRAMES\"; restorer, expand_p2m(); limit of the policy"
        message: "end_pfn {found:x} {range}"
    LibxcP2mFramesEmpty "libxc::p2m-frames-empty" D D D
        field: 4, framing: kept, by: core
        title: "p2m that is never allocated"
        refuses: "An end_pfn of 0 while no earlier record had a larger one."
        why: "The restorer allocates its tables only when end_pfn grows above 0. Here it stores the frames through a null pointer, and the restore helper crashes."
        source: "restorer, handle_x86_pv_p2m_frames()"
        message: "end_pfn is {found}, and no earlier record had a larger one"
    LibxcP2mFramesGap "libxc::p2m-frames-gap" W D D
        field: 4, framing: kept, by: core
        title: "gap in the frames of the p2m"
        refuses: "A start_pfn that leaves a gap after the frames before it."
        why: "The restorer uses the entries in the gap without initialising them, so uninitialised memory names pages of the guest's p2m."
        source: "restorer, expand_p2m() and update_guest_p2m()"
        message: "the record begins at frame {found} of the p2m, but only {expected} frames came before it"
    LibxcP2mFramesEntry "libxc::p2m-frames-entry" W D D
        field: 8, framing: kept, by: core
        title: "frame of the p2m out of range"
        refuses: "A pfn in X86_PV_P2M_FRAMES above the guest's largest pfn."
        why: "The p2m must lie in the guest's own memory. The restorer checks only after all memory has been transferred, and fails then."
        source: "restorer, update_guest_p2m()"
        message: "frame {found:x} of the p2m lies above the largest pfn, {expected:x}"
    LibxcP2mFramesHoles "libxc::p2m-frames-holes" D D D
        field: 8, framing: kept, by: core
        title: "p2m that is mostly holes"
        refuses: "More frames in X86_PV_P2M_FRAMES that repeat the previous frame than the limit `p2m-holes` allows, over the whole stream."
        why: "Each frame makes the restorer allocate some 6 KiB. A guest repeats a frame only for a range of pfns without memory, such as the devices below 4 GiB. 2 MiB of the same frame cost the restorer 3 GiB."
        source: "restorer, expand_p2m(); Linux, p2m_missing and p2m_identity; limit of the policy"
        message: "{found} frames of the p2m repeat the previous frame, which exceeds the limit p2m-holes of {expected}"
    LibxcP2mFramesMissing "libxc::p2m-frames-missing" D D D
        field: 4, framing: kept, by: core
        title: "no p2m"
        refuses: "A PV stream that reaches PAGE_DATA, CHECKPOINT or END without X86_PV_P2M_FRAMES."
        why: "Without tables, the restorer still considers pfn 0 valid. Page 0, or a vcpu 0 whose start-info page is 0, makes it dereference a null pointer and crash."
        source: "libxc specification, \"x86 PV Guest\"; restorer, x86_pv_pfn_is_valid() and process_start_info()"
        message: "{found} comes before X86_PV_P2M_FRAMES"

    // The libxc stream: memory.
    LibxcPageDataLength "libxc::page-data-length" D D D
        field: 4, framing: lost(12, length), by: core
        title: "wrong length of PAGE_DATA"
        refuses: "A PAGE_DATA whose length is not exactly that of its header, its entries, and one page per entry with data."
        why: "One page too few or too many puts every later page in the wrong place in memory. The restorer checks the sum and fails."
        source: "libxc specification, \"PAGE_DATA\"; restorer, handle_page_data()"
        message: "body_length of PAGE_DATA is {found}; its header, entries and pages need {expected}"
    LibxcPageDataCount "libxc::page-data-count" D D D
        field: 4, framing: kept, by: core
        title: "PAGE_DATA without entries"
        refuses: "A PAGE_DATA with a count of 0."
        why: "A batch describes at least one page. The restorer fails on an empty one, and no working saver writes it."
        source: "libxc specification, \"PAGE_DATA\", count"
        message: "count is {found}; at least one entry is needed"
    LibxcPageDataType "libxc::page-data-type" D D D
        field: 8, framing: kept, by: core
        title: "reserved page type"
        refuses: "An entry of PAGE_DATA with one of the types 5 to 8."
        why: "The type decides whether a page follows in the record, so an unknown type makes the rest of the batch ambiguous. The restorer fails."
        source: "libxc specification, \"PAGE_DATA\", page types; restorer, handle_page_data()"
        message: "page type {found:x} is reserved"
    LibxcPageDataReserved "libxc::page-data-reserved" D A D
        field: 4, framing: kept, by: core
        title: "reserved word of PAGE_DATA is not zero"
        refuses: "A PAGE_DATA with a reserved word that is not zero."
        why: "Savers write zeros; anything else is damage, or a future format. The restorer ignores the value."
        source: "libxc specification, \"PAGE_DATA\" and \"Fields\""
        message: "the reserved word of PAGE_DATA is {found:x}, not zero"
    LibxcPageDataPfnReserved "libxc::page-data-pfn-reserved" D A D
        field: 8, framing: kept, by: core
        title: "reserved bits of an entry are not zero"
        refuses: "An entry of PAGE_DATA with any of the bits 59 to 52."
        why: "The bits lie between type and pfn, so a bit set there is most likely damage to one of the two. The restorer masks them out."
        source: "libxc specification, \"PAGE_DATA\", pfn"
        message: "entry {found:x} has some of the reserved bits 59 to 52 set"
    LibxcPageDataPfnRange "libxc::page-data-pfn-range" D D D
        field: 8, framing: kept, by: core
        title: "pfn beyond the p2m of a PV guest"
        refuses: "A pfn in the stream of a PV guest above the largest pfn of its p2m."
        why: "The guest has no such page: X86_PV_P2M_FRAMES says how many it has. The restorer fails."
        source: "restorer, x86_pv_pfn_is_valid()"
        message: "pfn {found:x} lies beyond the PV guest's p2m, which ends before {expected:x}"
    LibxcPageDataPfnLimit "libxc::page-data-pfn-limit" D D D
        field: 8, framing: kept, by: core
        title: "pfn over the limit"
        refuses: "A pfn in the stream of an HVM guest at or above the limit `hvm-pfn`, or at or above 2^30 for a release whose bitmap cannot hold it. spec and restore judge only the entries that the restorer populates."
        why: "The restorer accepts any 52-bit pfn and grows a bitmap up to it, so a single entry can make it touch gigabytes or exhaust the host's memory."
        source: "restorer, pfn_set_populated(); limit of the policy"
        message: "pfn {found:x} is not below {expected:x}, the limit hvm-pfn or the most that the release can handle"
    LibxcPageDataTableType "libxc::page-data-table-type" W A W
        field: 8, framing: kept, by: core
        title: "page-table type in an HVM stream"
        refuses: "An entry of PAGE_DATA in an HVM stream with the type of a page table."
        why: "Xen tracks page tables of PV guests only, so Xen did not write this stream. The restorer stores the page like any other."
        source: "libxc specification, \"PAGE_DATA\", page types; restorer, x86_hvm_localise_page() does nothing"
        message: "page type {found:x} is a page table, and Xen tracks none of an HVM guest"
    LibxcMemoryGap "libxc::memory-gap" W D D
        field: 8, framing: kept, by: core
        title: "gap in memory"
        refuses: "An entry of PAGE_DATA whose pfn is above one that no earlier entry has named. In a stream that says it was converted from a legacy image, this is a warning, except under hardened."
        why: "Savers begin with a pass over every pfn from 0 to the highest, including absent pages. If some are left out, the image was damaged, and the guest resumes with pages of zeros in their place. The restorer does not notice."
        source: "libxc specification, \"PAGE_DATA\"; send_all_pages() of libxenguest; what 38 of 38 images of Xen 4.14 to 4.20 have"
        message: "{missing} of the guest's memory"
    LibxcMemoryShort "libxc::memory-short" W D D
        field: 8, framing: kept, by: core
        title: "memory that ends too early"
        refuses: "Memory that ends below the largest pfn of X86_PV_P2M_FRAMES (PV) or below a page that HVM_PARAMS names (HVM). In a stream that says it was converted from a legacy image, this is a warning, except under hardened."
        why: "The end of the guest's memory is missing. A PV guest resumes with pages of zeros. An HVM guest lacks the pages that it shares with the host, and Xen cannot set them up."
        source: "send_all_pages() of libxenguest, which goes on to the highest pfn; restorer, handle_hvm_params() clears pages that the parameters name"
        message: "{missing} of the guest's memory, at most (absent pages would be named too)"
    LibxcPageDataMissing "libxc::page-data-missing" W D D
        field: 4, framing: kept, by: core
        title: "no memory in the stream"
        refuses: "A libxc stream that reaches END without any PAGE_DATA."
        why: "The guest would resume without memory. A PV restore fails at the start-info page. An HVM restore succeeds, and the guest dies at its first instruction."
        source: "libxc specification, \"Layout\"; restorer, process_start_info()"
        message: "{found} comes without a PAGE_DATA before it"
    } };
}
