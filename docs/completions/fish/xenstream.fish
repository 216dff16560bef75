# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_xenstream_global_optspecs
    string join \n h/help V/version
end

function __fish_xenstream_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_xenstream_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_xenstream_using_subcommand
    set -l cmd (__fish_xenstream_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c xenstream -n "__fish_xenstream_needs_command" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_needs_command" -s V -l version -d 'Print version'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "verify" -d 'Verify images and report what is wrong, and where'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "relay" -d 'Pass a stream from standard input to standard output while it is verified'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "inspect" -d 'Show what is in an image, record by record'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "report" -d 'Make a page with pictures of an image, to be looked at in a browser'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "scrub" -d 'Write the same stream with the guest\'s memory blanked, so that it can be shown to others'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "convert" -d 'Write the same guest so that another release of Xen, another toolstack or a plain restorer takes it'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "extract" -d 'Write the guest\'s memory to a file that debuggers and memory forensics read'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "diff" -d 'Compare two images: configuration, registers, processor, devices, memory'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "synth" -d 'Make a stream of a guest of a given shape and size, valid or broken'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "rules" -d 'List the rules'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "targets" -d 'List the releases of Xen that are known, and what changed between them'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "explain" -d 'Explain a rule, or a change between releases of Xen'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "verify-stream-v2" -d 'Take the options of Xen\'s verify-stream-v2, and answer with its exit status'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -s f -l format -d 'Format of the stream; auto goes by its first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l profile -d 'How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from people you do not trust' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l target -d 'Release of Xen that the stream is to be restored on, such as 4.17.5, 4.20 (the newest known of its branch) or xcp-ng-8.3; what it does not take is refused. `xenstream targets` lists them' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l deny -d 'Refuse images that break this rule, or any rule of a layer (libxl::*)' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l warn -d 'Only warn when this rule is broken' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; none lifts it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l checkpointing -d 'What kind of stream it is, where that cannot be told from it' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l files-from -d 'Verify the images and directories that this file lists, one a line; - is standard input' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l progress -d 'Show on standard error how far the work is, once it has taken half a second; auto: on a terminal, unless that is where records are listed' -r -f -a "auto\t'On a terminal, unless that is where records are listed'
always\t'Always; line by line where it is no terminal'
never\t'Never'"
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l strict -d 'Refuse what would only be warned about'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l all -d 'Judge every file in a directory, also those that are no images'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -s 0 -l null -d 'Names in --files-from end with a zero byte, as find -print0 writes them'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l keep-going -d 'Report everything that is wrong with an image, not only the first thing'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l json -d 'Print a JSON object for each image, on a line of its own'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -s q -l quiet -d 'Report only images that are invalid, unjudged or warned about; twice: print nothing'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -s v -l verbose -d 'List the records of each image, and why releases of Xen refuse it'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -s f -l format -d 'Format of the stream; auto goes by its first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l target -d 'Release of Xen that the stream is to be restored on, such as 4.17.5, 4.20 (the newest known of its branch) or xcp-ng-8.3; what it does not take is refused. `xenstream targets` lists them' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l deny -d 'Refuse images that break this rule, or any rule of a layer (libxl::*)' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l warn -d 'Only warn when this rule is broken' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; none lifts it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l checkpointing -d 'What kind of stream it is, where that cannot be told from it' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l report -d 'Write the report to this file and not to standard error' -r -F
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l profile -d 'How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from people you do not trust' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l strict -d 'Refuse what would only be warned about'
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l json -d 'Print the report as a JSON object on a line'
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -s q -l quiet -d 'Say nothing of a valid stream'
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -s f -l format -d 'Format of the stream; auto goes by its first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l profile -d 'How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from people you do not trust' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l target -d 'Release of Xen that the stream is to be restored on, such as 4.17.5, 4.20 (the newest known of its branch) or xcp-ng-8.3; what it does not take is refused. `xenstream targets` lists them' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l deny -d 'Refuse images that break this rule, or any rule of a layer (libxl::*)' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l warn -d 'Only warn when this rule is broken' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; none lifts it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l checkpointing -d 'What kind of stream it is, where that cannot be told from it' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l record -d 'Show the record with this index in the libxc layer, or in that of --layer' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l type -d 'Show records of this type, such as PAGE_DATA or 0x80000001; may be given several times' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l layer -d 'Show records of this layer' -r -f -a "xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''
hvm\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l from -d 'Show records that reach to this offset or beyond' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l to -d 'Show records that begin at this offset or before' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l strict -d 'Refuse what would only be warned about'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l keep-going -d 'Go on after what is wrong, where the framing is intact'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l pages -d 'Print a line for each PAGE_DATA record, and not one for a run of them'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l fields -d 'Print every field of what is shown, each on a line of its own; --json prints them always'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l hex -d 'Dump the bytes of each record that is shown'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l json -d 'Print a JSON object for each record, on a line of its own, and one for the verdict at the end'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -s o -l output -d 'Where to put the page; - or nothing is standard output' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -s f -l format -d 'Format of the stream; auto goes by its first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l profile -d 'How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from people you do not trust' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l target -d 'Release of Xen that the stream is to be restored on, such as 4.17.5, 4.20 (the newest known of its branch) or xcp-ng-8.3; what it does not take is refused. `xenstream targets` lists them' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l deny -d 'Refuse images that break this rule, or any rule of a layer (libxl::*)' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l warn -d 'Only warn when this rule is broken' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; none lifts it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l checkpointing -d 'What kind of stream it is, where that cannot be told from it' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l progress -d 'Show on standard error how far the work is, once it has taken half a second; auto: on a terminal' -r -f -a "auto\t'On a terminal, unless that is where records are listed'
always\t'Always; line by line where it is no terminal'
never\t'Never'"
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l force -d 'Replace the file of -o even if it is no page of an earlier report'
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l strict -d 'Refuse what would only be warned about'
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -s f -l format -d 'Format of the stream; auto goes by its first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l profile -d 'How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from people you do not trust' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l target -d 'Release of Xen that the stream is to be restored on, such as 4.17.5, 4.20 (the newest known of its branch) or xcp-ng-8.3; what it does not take is refused. `xenstream targets` lists them' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l deny -d 'Refuse images that break this rule, or any rule of a layer (libxl::*)' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l warn -d 'Only warn when this rule is broken' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; none lifts it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l checkpointing -d 'What kind of stream it is, where that cannot be told from it' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l registers -d 'Blank registers and devices too: vcpu records, HVM_CONTEXT, the device model\'s state'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l names -d 'Blank names too: values in xenstore, strings of the configuration, xenopsd\'s metadata'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l damaged -d 'Scrub an invalid stream too, and everything that can be blanked; where it is not known any more what is what, and after that, everything becomes zero'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l force -d 'Replace OUT if it exists'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l strict -d 'Refuse what would only be warned about'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -s q -l quiet -d 'Say nothing of a valid stream'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l checkpoint -d 'The same, ending at this checkpoint; the first one is 1' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l container -d 'Put the guest into the container of another toolstack' -r -f -a "xl\t''
libvirt\t''
libxl\t''
libxc\t''
xenopsd\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l config -d 'The configuration for the container: libxl\'s JSON or a configuration file for xl, XML for libvirt, an s-expression for xenopsd' -r -F
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l compress -d 'Compress OUT' -r -f -a "zstd\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l lossy -d 'Allow what costs the guest something' -r -f -a "cpu-policy\t''
cpuid-leaves\t''
arch-capabilities\t''
pending-esr\t''
rtc-offset\t''
spec-ctrl\t''
virt-spec-ctrl\t''
device-model\t''
xenstore\t''
uefi-variables\t''
tpm\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -s f -l format -d 'Format of the stream; auto goes by its first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l profile -d 'How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from people you do not trust' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l target -d 'Release of Xen that the stream is to be restored on, such as 4.17.5, 4.20 (the newest known of its branch) or xcp-ng-8.3; what it does not take is refused. `xenstream targets` lists them' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l deny -d 'Refuse images that break this rule, or any rule of a layer (libxl::*)' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l warn -d 'Only warn when this rule is broken' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; none lifts it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l checkpointing -d 'What kind of stream it is, where that cannot be told from it' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l plain -d 'Make an ordinary stream of a Remus or COLO stream, which ends at its last complete checkpoint'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l compact -d 'Leave the last copy of each page, in ascending order: takes 16 bytes of memory for each pfn'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l normalise -d 'Zero padding and reserved words, drop what readers pass over, put records in the order of savers'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l repair -d 'Repair what is certain; without --write, report what that is'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l write -d 'With --repair, write OUT'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l dry-run -d 'Report what would be changed and write nothing'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l force -d 'Replace OUT if it exists'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l strict -d 'Refuse what would only be warned about'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -s q -l quiet -d 'Say nothing of a stream that is converted'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -s f -l format -d 'Format of OUT: elf is a core file with the vcpus\' registers, raw a sparse file by pfn, lime what LiME writes' -r -f -a "elf\t''
raw\t''
lime\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l pfn -d 'Extract pages with these pfns only; a raw OUT begins with the first of them' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l vcpu -d 'Extract the registers of this vcpu only; may be given several times' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l checkpoint -d 'Extract memory as it was at this checkpoint, counting from 1, and not at the last complete one' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l profile -d 'How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from people you do not trust' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l target -d 'Release of Xen that the stream is to be restored on, such as 4.17.5, 4.20 (the newest known of its branch) or xcp-ng-8.3; what it does not take is refused. `xenstream targets` lists them' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l deny -d 'Refuse images that break this rule, or any rule of a layer (libxl::*)' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l warn -d 'Only warn when this rule is broken' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; none lifts it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l checkpointing -d 'What kind of stream it is, where that cannot be told from it' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l input-format -d 'Format of the stream; auto goes by its first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l force -d 'Replace OUT if it exists'
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l strict -d 'Refuse what would only be warned about'
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l json -d 'Print a JSON object on standard output'
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -s q -l quiet -d 'Say nothing of a valid image'
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -s f -l format -d 'Format of the stream; auto goes by its first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l profile -d 'How strict to be: spec is the written specification, restore what Xen restores, hardened a gate for images from people you do not trust' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l target -d 'Release of Xen that the stream is to be restored on, such as 4.17.5, 4.20 (the newest known of its branch) or xcp-ng-8.3; what it does not take is refused. `xenstream targets` lists them' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l deny -d 'Refuse images that break this rule, or any rule of a layer (libxl::*)' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l warn -d 'Only warn when this rule is broken' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; none lifts it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l checkpointing -d 'What kind of stream it is, where that cannot be told from it' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l pages -d 'Show the first bytes that differ, of the first 64 pages that do'
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l strict -d 'Refuse what would only be warned about'
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l json -d 'Print a JSON object'
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -s q -l quiet -d 'Print nothing; the exit status tells'
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l guest -d 'The kind of guest' -r -f -a "pv64\t''
pv32\t''
hvm\t''
pvh\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l memory -d 'The guest\'s memory, such as 4G' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l container -d 'What is around the libxc stream' -r -f -a "xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l vcpus -d 'How many vcpus the guest has' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l live -d 'Send memory as a live migration does: all of it, then less and less of it again in this many further passes' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l checkpoints -d 'Take this many checkpoints, as Remus does, in libxl' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l version -d 'Version of the libxc stream: 3, or 2 as Xen wrote before 4.14' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l seed -d 'What contents and names are made from' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l break -d 'Write a small stream that breaks this rule, and say where' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l sparse -d 'Leave the guest\'s pages empty: in a file they are holes. Otherwise they are noise'
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l force -d 'Replace OUT if it exists'
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -s q -l quiet -d 'Say nothing of a stream that was written'
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand rules" -l json -d 'Print a JSON object for each rule, on a line of its own'
complete -c xenstream -n "__fish_xenstream_using_subcommand rules" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand targets" -l json -d 'Print a JSON object for each fact, then one for each release, each on a line of its own'
complete -c xenstream -n "__fish_xenstream_using_subcommand targets" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand explain" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -s i -l in -d 'The stream: the number of an open descriptor, or a file' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -s f -l format -d 'Format of the stream' -r -f -a "libxc\t''
libxl\t''
xl\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -s v -l verbose -d 'List the records'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -s q -l quiet -d 'Say nothing at all'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -l syslog -d 'Talk to the system\'s log; errors go to standard error too'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "verify" -d 'Verify images and report what is wrong, and where'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "relay" -d 'Pass a stream from standard input to standard output while it is verified'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "inspect" -d 'Show what is in an image, record by record'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "report" -d 'Make a page with pictures of an image, to be looked at in a browser'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "scrub" -d 'Write the same stream with the guest\'s memory blanked, so that it can be shown to others'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "convert" -d 'Write the same guest so that another release of Xen, another toolstack or a plain restorer takes it'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "extract" -d 'Write the guest\'s memory to a file that debuggers and memory forensics read'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "diff" -d 'Compare two images: configuration, registers, processor, devices, memory'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "synth" -d 'Make a stream of a guest of a given shape and size, valid or broken'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "rules" -d 'List the rules'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "targets" -d 'List the releases of Xen that are known, and what changed between them'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "explain" -d 'Explain a rule, or a change between releases of Xen'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "verify-stream-v2" -d 'Take the options of Xen\'s verify-stream-v2, and answer with its exit status'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
