//! Rules on the bytes themselves.

macro_rules! stream {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
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
    } };
}
