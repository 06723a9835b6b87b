# Completion of umlnet(1) for fish.

function __umlnet_no_subcommand
    test (count (commandline -opc)) -eq 1
end

function __umlnet_subcommand
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv
end

complete -c umlnet -f -n __umlnet_no_subcommand -a run -d 'start a virtual machine with a network'
complete -c umlnet -f -n __umlnet_no_subcommand -a pump -d 'join two ends and move the frames between them'
complete -c umlnet -f -n __umlnet_no_subcommand -a ls -d 'who holds which device and address on this host'
complete -c umlnet -f -n __umlnet_no_subcommand -a log -d 'who asked uml_net for what, and what came of it'
complete -c umlnet -f -n __umlnet_no_subcommand -a help -d 'explain a subcommand'
complete -c umlnet -f -n __umlnet_no_subcommand -s h -l help -d 'explain'
complete -c umlnet -f -n __umlnet_no_subcommand -s V -l version -d 'print the version'
complete -c umlnet -f -n '__umlnet_subcommand help' -a 'run pump ls log'

complete -c umlnet -n '__umlnet_subcommand run' -x -s g -l gateway -d 'a TAP device with this address of the host'
complete -c umlnet -n '__umlnet_subcommand run' -x -s n -l net -a 'tuntap,,, ethertap, tap:' -d 'a network'
complete -c umlnet -n '__umlnet_subcommand run' -x -l as -a 'tap stream dgram' -d 'what the command gets'
complete -c umlnet -n '__umlnet_subcommand run' -a '(__fish_complete_subcommand --fcs-skip=2)'

complete -c umlnet -n '__umlnet_subcommand run pump' -x -s a -l address -d 'address of the guest'
complete -c umlnet -n '__umlnet_subcommand run pump' -r -F -s w -l pcap -d 'record all frames'
complete -c umlnet -n '__umlnet_subcommand run pump' -x -s s -l snaplen -d 'bytes of each frame to record'
complete -c umlnet -n '__umlnet_subcommand run pump' -s j -l json -d 'totals on stdout at the end'
complete -c umlnet -n '__umlnet_subcommand run pump' -s q -l quiet -d 'say nothing that is not an error'
complete -c umlnet -n '__umlnet_subcommand run pump' -x -s t -l timeout -d 'seconds for each call of uml_net'
complete -c umlnet -n '__umlnet_subcommand run pump' -r -F -l helper -d 'path of uml_net'
complete -c umlnet -n '__umlnet_subcommand run pump' -r -F -l pump-program -d 'path of umlnet-pump'
complete -c umlnet -n '__umlnet_subcommand run pump' -s h -l help -d 'explain'

complete -c umlnet -n '__umlnet_subcommand pump' -l no-sandbox -d 'move the frames in a thread of this process'
complete -c umlnet -n '__umlnet_subcommand pump' -a 'tuntap,,, ethertap, tap: stream: stream-listen: dgram: fd:'

complete -c umlnet -f -n '__umlnet_subcommand ls log' -s j -l json -d 'for programs'
complete -c umlnet -f -n '__umlnet_subcommand ls log' -s U -l utc -d 'times in UTC'
complete -c umlnet -f -n '__umlnet_subcommand ls log' -s h -l help -d 'explain'

complete -c umlnet -f -n '__umlnet_subcommand ls' -s d -l dot -d 'a picture, for Graphviz'

complete -c umlnet -n '__umlnet_subcommand log' -x -s s -l since -a 'today yesterday 10m 2h 7d' -d 'from then on'
complete -c umlnet -n '__umlnet_subcommand log' -x -s u -l user -a '(__fish_complete_users)' -d 'of this user'
complete -c umlnet -n '__umlnet_subcommand log' -x -s d -l device -a '(__fish_print_interfaces)' -d 'that name this device'
complete -c umlnet -n '__umlnet_subcommand log' -x -s i -l id -d 'of this id, or of those that begin so'
complete -c umlnet -n '__umlnet_subcommand log' -f -s D -l denied -d 'what was refused, or failed'
complete -c umlnet -n '__umlnet_subcommand log' -r -F -s F -l file -d 'of this file'
complete -c umlnet -n '__umlnet_subcommand log' -f -s f -l follow -d 'go on with what comes'
complete -c umlnet -n '__umlnet_subcommand log' -f -s S -l stats -d 'counts and latencies'
