//! Rules on the bytes themselves.

macro_rules! stream {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    StreamUnrecognised "stream::unrecognised" S S S
        field: 8, framing: ends(nothing), by: core
        title: "not a known format"
        refuses: "Input that does not begin with the magic of a known format, or of the format named on the command line. Empty input is included."
        why: "Without the magic, there is no telling where the first field is. Usually the file is something else, or its first bytes were lost in a copy."
        source: "magics of the five formats; xl refuses a file whose magic is not its own"
        message: "{beginning} at the start"
    StreamLegacy "stream::legacy" U U U
        field: 8, framing: ends(nothing), by: core
        title: "legacy image of Xen 4.5 or older"
        refuses: "An image in the format that Xen 4.5 and older wrote. The header of xl or libvirt or XenServer's old signature announces it, or a bare libxc stream has a number of pfns where its marker should be."
        why: "The old format has no version and depends on the word size of the host that saved it, so it cannot be judged. Xen 4.6 and later convert it before they restore it, and the converted stream can be verified."
        source: "xl header, mandatory_flags bit 1; libvirt header, version 1; XenServer's signature; libxc specification, \"Image Header\", marker"
        message: "a legacy image of Xen 4.5 or older begins here; {converter}"
    StreamTruncated "stream::truncated" S S S
        field: 1, framing: ends(all), by: core
        title: "input ends inside the stream"
        refuses: "Input that ends before the stream does."
        why: "The rest of the guest is missing. libxc fails, but libxl takes a missing record header for END and fills a torn body with uninitialised memory, so the restore can appear to succeed."
        source: "both specifications, END is the last record; libxl's record reader does not tell end of file from data"
        message: "the input ends after {found} bytes, inside {reading}{lack}"
    StreamFailover "stream::failover" W W D
        field: 1, framing: kept, by: core
        title: "checkpointed stream without an end"
        refuses: "Input that ends on the libxc side of a checkpointed stream, after at least one complete checkpoint."
        why: "A Remus stream ends like this when its primary dies: the restorer falls back to the last complete checkpoint, and everything after it is lost. In a file, it can also mean that a copy was cut short."
        source: "restore() of libxenguest: a failed read goes to failover once records are buffered"
        message: "the input ends without END; the guest is restorable to checkpoint {found}{torn}"
    StreamTrailingData "stream::trailing-data" W A D
        field: 1, framing: kept, by: core
        title: "bytes after the end"
        refuses: "Bytes after the end of the stream in a regular file."
        why: "No reader looks at these bytes: they are a second stream, the tail of an older file that was overwritten, or hidden data. On a pipe they are normal and not judged."
        source: "both specifications, END is the last record; xl migrate goes on with its own handshake on the same descriptor"
        message: "the stream has ended, and {follows}"
    StreamTrailingZeros "stream::trailing-zeros" W A W
        field: 1, framing: kept, by: core
        title: "zeros after the end"
        refuses: "Zeros, and nothing else, after the end of the stream in a regular file."
        why: "No reader looks at these bytes: the image was written to a larger disk, such as a suspend disk, or space was preallocated. They do no harm, but they were not part of the image."
        source: "both specifications, END is the last record; XenServer writes suspend images to disks, which are larger"
        message: "the stream has ended, and only zeros follow"
    StreamRecords "stream::records" D D D
        field: 4, framing: kept, by: core
        title: "too many records"
        refuses: "A stream with more records in all layers together than the limit `records` allows."
        why: "An endless sequence of small records keeps a restore busy for ever, with the new domain half built and its memory allocated."
        source: "limit of the policy; no specification bounds the number"
        message: "record {found} exceeds the limit records of {expected}"
    StreamCheckpoints "stream::checkpoints" D D D
        field: 4, framing: kept, by: core
        title: "too many checkpoints"
        refuses: "A stream with more checkpoints than the limit `checkpoints` allows."
        why: "A checkpointed stream has no natural end, so only a limit stops a sender that never finishes."
        source: "limit of the policy; no specification bounds the number"
        message: "checkpoint {found} exceeds the limit checkpoints of {expected}"
    StreamCheckpointSize "stream::checkpoint-size" D D D
        field: 4, framing: kept, by: core
        title: "too much between two checkpoints"
        refuses: "More bytes of libxc records since the last CHECKPOINT than the limit `checkpoint-size` allows. Records before the first CHECKPOINT do not count."
        why: "After the first CHECKPOINT, the restorer buffers every record until the next one. A sender that never sends the next one makes it use unbounded memory, however small the guest is."
        source: "limit of the policy; process_record() of libxenguest buffers records once a checkpoint is open, and was seen to take 2.8 GiB for a guest of 125 MiB"
        message: "{found} bytes of records since the last checkpoint exceed the limit checkpoint-size of {expected}"
    } };
}
