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
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "report" -d 'Draw an image as an HTML page for a browser'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "scrub" -d 'Blank the guest\'s memory in a stream so that it can be shared'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "convert" -d 'Rewrite a guest for another release of Xen, another toolstack, or plain xl restore'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "extract" -d 'Extract the guest\'s memory for debuggers and memory forensics'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "diff" -d 'Compare two images: configuration, registers, CPU policy, devices, memory'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "synth" -d 'Generate a stream of a given shape and size, valid or broken'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "rules" -d 'List the rules'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "targets" -d 'List the known releases of Xen, and what changed between them'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "explain" -d 'Explain a rule, a change between releases of Xen, or a line from a log'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "verify-stream-v2" -d 'Accept the options of Xen\'s verify-stream-v2, and return its exit status'
complete -c xenstream -n "__fish_xenstream_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -s f -l format -d 'Format of the stream; auto detects it from the first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l profile -d 'How strict to be: the written specification (spec), what Xen restores, or hardened against untrusted senders' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l target -d 'Release of Xen to restore on, such as 4.17.5, 4.20 or xcp-ng-8.3: whatever it refuses is an error' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l deny -d 'Refuse images that break this rule, or any rule of a layer (\'libxl::*\')' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l warn -d 'Warn about images that break this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; the value none removes it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l checkpointing -d 'Kind of stream, where the stream itself does not say' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l files-from -d 'Verify the images and directories listed in this file, one per line; - is standard input' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l progress -d 'Show progress on standard error, after half a second [default: auto, on a terminal]' -r -f -a "auto\t'On a terminal, unless it shows the list of records'
always\t'Always; as separate lines if standard error is not a terminal'
never\t'Never'"
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l strict -d 'Treat warnings as errors'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l all -d 'Judge every file in a directory, even those that are not images'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -s 0 -l null -d 'Names in --files-from end with a zero byte, as from find -print0'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l keep-going -d 'Report every violation, not only the first'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -l json -d 'Print one JSON object per image, each on its own line'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -s q -l quiet -d 'Report only images that are invalid, unjudged or warned about; -qq: print nothing'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -s v -l verbose -d 'List the records, and why releases of Xen refuse the image'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -s f -l format -d 'Format of the stream; auto detects it from the first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l target -d 'Release of Xen to restore on, such as 4.17.5, 4.20 or xcp-ng-8.3: whatever it refuses is an error' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l deny -d 'Refuse images that break this rule, or any rule of a layer (\'libxl::*\')' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l warn -d 'Warn about images that break this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; the value none removes it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l checkpointing -d 'Kind of stream, where the stream itself does not say' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l report -d 'Write the verdict to this file instead of standard error' -r -F
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l profile -d 'How strict to be: the written specification (spec), what Xen restores, or hardened against untrusted senders' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l strict -d 'Treat warnings as errors'
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -l json -d 'Print the verdict as a JSON object on one line'
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -s q -l quiet -d 'Print nothing if the stream is valid'
complete -c xenstream -n "__fish_xenstream_using_subcommand relay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -s f -l format -d 'Format of the stream; auto detects it from the first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l profile -d 'How strict to be: the written specification (spec), what Xen restores, or hardened against untrusted senders' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l target -d 'Release of Xen to restore on, such as 4.17.5, 4.20 or xcp-ng-8.3: whatever it refuses is an error' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l deny -d 'Refuse images that break this rule, or any rule of a layer (\'libxl::*\')' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l warn -d 'Warn about images that break this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; the value none removes it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l checkpointing -d 'Kind of stream, where the stream itself does not say' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l record -d 'Show only the record with this index, in the libxc layer or in --layer' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l type -d 'Show only records of this type, such as PAGE_DATA or 0x80000001; can be repeated' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l layer -d 'Show only records of this layer' -r -f -a "xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''
hvm\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l from -d 'Show only records that end after this offset' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l to -d 'Show only records that begin at or before this offset' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l strict -d 'Treat warnings as errors'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l keep-going -d 'Continue after a violation, as long as the framing is intact'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l pages -d 'Print each PAGE_DATA record on a line of its own'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l fields -d 'Print every field on a line of its own; --json always includes them'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l hex -d 'Dump the bytes of each record shown'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -l json -d 'Print one JSON object per record and one for the verdict, each on its own line'
complete -c xenstream -n "__fish_xenstream_using_subcommand inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -s o -l output -d 'File to write [default: standard output]' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -s f -l format -d 'Format of the stream; auto detects it from the first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l profile -d 'How strict to be: the written specification (spec), what Xen restores, or hardened against untrusted senders' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l target -d 'Release of Xen to restore on, such as 4.17.5, 4.20 or xcp-ng-8.3: whatever it refuses is an error' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l deny -d 'Refuse images that break this rule, or any rule of a layer (\'libxl::*\')' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l warn -d 'Warn about images that break this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; the value none removes it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l checkpointing -d 'Kind of stream, where the stream itself does not say' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l progress -d 'Show progress on standard error, after half a second [default: auto, on a terminal]' -r -f -a "auto\t'On a terminal, unless it shows the list of records'
always\t'Always; as separate lines if standard error is not a terminal'
never\t'Never'"
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l force -d 'Replace the output file even if it is not an earlier report'
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -l strict -d 'Treat warnings as errors'
complete -c xenstream -n "__fish_xenstream_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -s f -l format -d 'Format of the stream; auto detects it from the first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l profile -d 'How strict to be: the written specification (spec), what Xen restores, or hardened against untrusted senders' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l target -d 'Release of Xen to restore on, such as 4.17.5, 4.20 or xcp-ng-8.3: whatever it refuses is an error' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l deny -d 'Refuse images that break this rule, or any rule of a layer (\'libxl::*\')' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l warn -d 'Warn about images that break this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; the value none removes it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l checkpointing -d 'Kind of stream, where the stream itself does not say' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l registers -d 'Also blank registers and devices: vcpu records, HVM_CONTEXT, the device model\'s state'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l names -d 'Also blank names: xenstore values, strings in the configuration, xenopsd\'s metadata'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l damaged -d 'Scrub invalid streams too, and blank all that can be blanked; from where parsing fails, write zeros'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l force -d 'Replace OUT if it exists'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -l strict -d 'Treat warnings as errors'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -s q -l quiet -d 'Print nothing if the stream is valid'
complete -c xenstream -n "__fish_xenstream_using_subcommand scrub" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l checkpoint -d 'Like --plain, but at this checkpoint; the first is 1' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l container -d 'Move the guest into another toolstack\'s container' -r -f -a "xl\t''
libvirt\t''
libxl\t''
libxc\t''
xenopsd\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l config -d 'Configuration for --container: JSON or xl.cfg for xl, XML for libvirt, an s-expression for xenopsd' -r -F
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l compress -d 'Compress OUT' -r -f -a "zstd\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l lossy -d 'Allow changes that cost the guest something' -r -f -a "cpu-policy\t''
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
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -s f -l format -d 'Format of the stream; auto detects it from the first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l profile -d 'How strict to be: the written specification (spec), what Xen restores, or hardened against untrusted senders' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l target -d 'Release of Xen to restore on, such as 4.17.5, 4.20 or xcp-ng-8.3: whatever it refuses is an error' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l deny -d 'Refuse images that break this rule, or any rule of a layer (\'libxl::*\')' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l warn -d 'Warn about images that break this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; the value none removes it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l checkpointing -d 'Kind of stream, where the stream itself does not say' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l plain -d 'Turn a Remus or COLO stream into an ordinary one, at its last complete checkpoint'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l compact -d 'Keep only the last copy of each page, in pfn order; uses 16 bytes of memory per pfn'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l normalise -d 'Zero padding and reserved fields, drop records that readers skip, sort records as savers do'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l repair -d 'List the repairs that are certain to be right; --write makes them'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l write -d 'Make the repairs that --repair lists, and write OUT'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l dry-run -d 'List the changes, and write nothing'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l force -d 'Replace OUT if it exists'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l strict -d 'Treat warnings as errors'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -l json -d 'Print a JSON object on standard output'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -s q -l quiet -d 'Print nothing if the stream is converted'
complete -c xenstream -n "__fish_xenstream_using_subcommand convert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -s f -l format -d 'Format of OUT: an ELF core file with registers, a raw sparse file, or LiME' -r -f -a "elf\t''
raw\t''
lime\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l pfn -d 'Extract only these pages; a raw OUT starts at the first of them' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l vcpu -d 'Extract only this vcpu\'s registers; can be repeated' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l checkpoint -d 'Extract memory as of this checkpoint, counting from 1 [default: the last complete one]' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l profile -d 'How strict to be: the written specification (spec), what Xen restores, or hardened against untrusted senders' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l target -d 'Release of Xen to restore on, such as 4.17.5, 4.20 or xcp-ng-8.3: whatever it refuses is an error' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l deny -d 'Refuse images that break this rule, or any rule of a layer (\'libxl::*\')' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l warn -d 'Warn about images that break this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; the value none removes it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l checkpointing -d 'Kind of stream, where the stream itself does not say' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l input-format -d 'Format of the stream; auto detects it from the first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l force -d 'Replace OUT if it exists'
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l strict -d 'Treat warnings as errors'
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -l json -d 'Print the result as a JSON object on standard output'
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -s q -l quiet -d 'Print nothing if the image is valid'
complete -c xenstream -n "__fish_xenstream_using_subcommand extract" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -s f -l format -d 'Format of the stream; auto detects it from the first bytes' -r -f -a "auto\t''
xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l profile -d 'How strict to be: the written specification (spec), what Xen restores, or hardened against untrusted senders' -r -f -a "spec\t''
restore\t''
hardened\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l target -d 'Release of Xen to restore on, such as 4.17.5, 4.20 or xcp-ng-8.3: whatever it refuses is an error' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l deny -d 'Refuse images that break this rule, or any rule of a layer (\'libxl::*\')' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l warn -d 'Warn about images that break this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l allow -d 'Ignore this rule' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l limit -d 'Set a limit, such as hvm-pfn=0x100000 or xml=1M; the value none removes it' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l checkpointing -d 'Kind of stream, where the stream itself does not say' -r -f -a "auto\t''
plain\t''
remus\t''
colo\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l pages -d 'Show where the first 64 differing pages differ, and the bytes there'
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l strict -d 'Treat warnings as errors'
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -l json -d 'Print the differences as a JSON object'
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -s q -l quiet -d 'Print nothing, and return only the exit status'
complete -c xenstream -n "__fish_xenstream_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l guest -d 'Kind of guest' -r -f -a "pv64\t''
pv32\t''
hvm\t''
pvh\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l memory -d 'Memory of the guest, such as 4G' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l container -d 'Container around the libxc stream' -r -f -a "xl\t''
libvirt\t''
xenopsd\t''
libxl\t''
libxc\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l vcpus -d 'Number of vcpus' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l live -d 'Send memory as a live migration does: all of it, then less in each of this many further passes' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l checkpoints -d 'Take this many checkpoints, as Remus does' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l version -d 'Version of the libxc stream: 3, or 2 as before Xen 4.14' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l seed -d 'Seed for page contents and names' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l break -d 'Write a small stream that breaks this rule, and print where' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l sparse -d 'Leave pages empty, as holes in the file, instead of filling them with noise'
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -l force -d 'Replace OUT if it exists'
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -s q -l quiet -d 'Print nothing if the stream is written'
complete -c xenstream -n "__fish_xenstream_using_subcommand synth" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand rules" -l json -d 'Print one JSON object per rule, each on its own line'
complete -c xenstream -n "__fish_xenstream_using_subcommand rules" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand targets" -l json -d 'Print one JSON object per fact, then one per release, each on its own line'
complete -c xenstream -n "__fish_xenstream_using_subcommand targets" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand explain" -s h -l help -d 'Print help'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -s i -l in -d 'Stream: a file, or the number of an open descriptor' -r
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -s f -l format -d 'Format of the stream' -r -f -a "libxc\t''
libxl\t''
xl\t''"
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -s v -l verbose -d 'List the records'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -s q -l quiet -d 'Print nothing'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -l syslog -d 'Log to syslog; errors also go to standard error'
complete -c xenstream -n "__fish_xenstream_using_subcommand verify-stream-v2" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "verify" -d 'Verify images and report what is wrong, and where'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "relay" -d 'Pass a stream from standard input to standard output while it is verified'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "inspect" -d 'Show what is in an image, record by record'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "report" -d 'Draw an image as an HTML page for a browser'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "scrub" -d 'Blank the guest\'s memory in a stream so that it can be shared'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "convert" -d 'Rewrite a guest for another release of Xen, another toolstack, or plain xl restore'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "extract" -d 'Extract the guest\'s memory for debuggers and memory forensics'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "diff" -d 'Compare two images: configuration, registers, CPU policy, devices, memory'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "synth" -d 'Generate a stream of a given shape and size, valid or broken'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "rules" -d 'List the rules'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "targets" -d 'List the known releases of Xen, and what changed between them'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "explain" -d 'Explain a rule, a change between releases of Xen, or a line from a log'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "verify-stream-v2" -d 'Accept the options of Xen\'s verify-stream-v2, and return its exit status'
complete -c xenstream -n "__fish_xenstream_using_subcommand help; and not __fish_seen_subcommand_from verify relay inspect report scrub convert extract diff synth rules targets explain verify-stream-v2 help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
