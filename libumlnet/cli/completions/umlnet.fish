# Completion of umlnet(1) for fish.

function __umlnet_no_subcommand
    test (count (commandline -opc)) -eq 1
end

# umlnet policy check, umlnet policy explain; without a word, umlnet policy alone
function __umlnet_policy
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test $words[2] = policy; or return 1
    if test (count $argv) -eq 0
        test (count $words) -eq 2
    else
        test (count $words) -gt 2; and contains -- $words[3] $argv
    end
end

function __umlnet_subcommand
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv
end

complete -c umlnet -f -n __umlnet_no_subcommand -a run -d 'start a virtual machine with a network'
complete -c umlnet -f -n __umlnet_no_subcommand -a pump -d 'join two ends and move the frames between them'
complete -c umlnet -f -n __umlnet_no_subcommand -a remove -d 'delete devices of yours that stayed'
complete -c umlnet -f -n __umlnet_no_subcommand -a ls -d 'who holds which device and address on this host'
complete -c umlnet -f -n __umlnet_no_subcommand -a log -d 'who asked uml_net for what, and what came of it'
complete -c umlnet -f -n __umlnet_no_subcommand -a policy -d 'check the policy, and explain its decisions'
complete -c umlnet -f -n __umlnet_no_subcommand -a doctor -d 'say what keeps guests off the network'
complete -c umlnet -f -n __umlnet_no_subcommand -a help -d 'explain a subcommand'
complete -c umlnet -f -n __umlnet_no_subcommand -s h -l help -d 'explain'
complete -c umlnet -f -n __umlnet_no_subcommand -s V -l version -d 'print the version'
complete -c umlnet -f -n '__umlnet_subcommand help' -a 'run pump remove ls log policy doctor'

complete -c umlnet -n '__umlnet_subcommand run' -x -s g -l gateway -d 'a TAP device with this address of the host'
complete -c umlnet -n '__umlnet_subcommand run' -x -s n -l net -a 'tuntap,,, ethertap, tap tap:' -d 'a network'
complete -c umlnet -n '__umlnet_subcommand run' -x -l as -a 'tap stream dgram' -d 'what the command gets'
complete -c umlnet -n '__umlnet_subcommand run' -x -l device -d 'name of a new device'
complete -c umlnet -n '__umlnet_subcommand run' -x -l ip -d 'IPv4 address of the host on it'
complete -c umlnet -n '__umlnet_subcommand run' -x -l ip6 -d 'IPv6 address of the host on it'
complete -c umlnet -n '__umlnet_subcommand run' -x -l guest -d 'address of the guest'
complete -c umlnet -n '__umlnet_subcommand run' -x -l guest-mac -d 'MAC address of the guest'
complete -c umlnet -n '__umlnet_subcommand run' -x -l bridge -a '(__fish_print_interfaces)' -d 'as a port of this bridge'
complete -c umlnet -n '__umlnet_subcommand run' -l isolated -d 'apart from other isolated ports'
complete -c umlnet -n '__umlnet_subcommand run' -x -l mtu -d 'bytes of a packet'
complete -c umlnet -n '__umlnet_subcommand run' -x -l mac -d 'MAC address of the side of the host'
complete -c umlnet -n '__umlnet_subcommand run' -x -l queues -d 'how many queues'
complete -c umlnet -n '__umlnet_subcommand run' -l vnet-hdr -d 'a virtio-net header before each frame'
complete -c umlnet -n '__umlnet_subcommand run' -r -F -l netns -d 'network namespace'
complete -c umlnet -n '__umlnet_subcommand run' -l persist -d 'it stays until it is removed'
complete -c umlnet -n '__umlnet_subcommand run' -x -l owner -a '(__fish_complete_users)' -d 'who may attach to it by its name'
complete -c umlnet -n '__umlnet_subcommand run' -l sealed -d 'a socket in place of the TAP'
complete -c umlnet -n '__umlnet_subcommand run' -l anti-spoof -d 'no frame of the guest has another source'
complete -c umlnet -n '__umlnet_subcommand run' -a '(__fish_complete_subcommand --fcs-skip=2)'

complete -c umlnet -n '__umlnet_subcommand run pump' -x -s a -l address -d 'address of the guest'
complete -c umlnet -n '__umlnet_subcommand run pump' -r -F -s w -l pcap -d 'record all frames'
complete -c umlnet -n '__umlnet_subcommand run pump' -x -s s -l snaplen -d 'bytes of each frame to record'
complete -c umlnet -n '__umlnet_subcommand run pump' -s j -l json -d 'totals on stdout at the end'
complete -c umlnet -n '__umlnet_subcommand run pump remove' -s q -l quiet -d 'say nothing that is not an error'
complete -c umlnet -n '__umlnet_subcommand run pump remove' -x -s t -l timeout -d 'seconds for each call of uml_net'
complete -c umlnet -n '__umlnet_subcommand run pump remove' -r -F -l helper -d 'path of uml_net'
complete -c umlnet -n '__umlnet_subcommand run pump' -r -F -l pump-program -d 'path of umlnet-pump'
complete -c umlnet -n '__umlnet_subcommand run pump remove' -s h -l help -d 'explain'

complete -c umlnet -n '__umlnet_subcommand pump' -l no-sandbox -d 'move the frames in a thread of this process'
complete -c umlnet -n '__umlnet_subcommand pump' -a 'tuntap,,, ethertap, tap: stream: stream-listen: dgram: fd:'

complete -c umlnet -f -n '__umlnet_subcommand remove' -a '(__fish_print_interfaces)'

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

complete -c umlnet -f -n __umlnet_policy -a check -d 'what is wrong with the policy'
complete -c umlnet -f -n __umlnet_policy -a explain -d 'how a request is decided'
complete -c umlnet -f -n __umlnet_policy -s h -l help -d 'explain'
complete -c umlnet -n '__umlnet_policy check' -F
complete -c umlnet -n '__umlnet_policy check' -l strict -d 'warnings are errors'
complete -c umlnet -n '__umlnet_policy check explain' -x -l host-state -a 'live none' -d 'compare with the host as it is, or not'
complete -c umlnet -n '__umlnet_policy check explain' -s j -l json -d 'one JSON object'
complete -c umlnet -n '__umlnet_policy check explain' -s h -l help -d 'explain'
complete -c umlnet -f -n '__umlnet_policy explain' -a 'tuntap ethertap address bridge open remove session'
complete -c umlnet -n '__umlnet_policy explain' -x -l user -a '(__fish_complete_users)' -d 'who asks'
complete -c umlnet -n '__umlnet_policy explain' -x -l group -a '(__fish_complete_groups)' -d 'is in this group'
complete -c umlnet -n '__umlnet_policy explain' -r -F -l policy -d 'in place of the installed policy'
complete -c umlnet -n '__umlnet_policy explain' -x -l gateway -d 'address of the host on the device'
complete -c umlnet -n '__umlnet_policy explain' -x -l device -a '(__fish_print_interfaces)' -d 'name of the device'
complete -c umlnet -n '__umlnet_policy explain' -x -l address -d 'address of the guest'
complete -c umlnet -n '__umlnet_policy explain' -x -l netmask -d 'of the address'
complete -c umlnet -n '__umlnet_policy explain' -l del -d 'take the address back'
complete -c umlnet -n '__umlnet_policy explain' -x -l bridge -a '(__fish_print_interfaces)' -d 'name of the bridge'

complete -c umlnet -f -n '__umlnet_subcommand doctor'
complete -c umlnet -n '__umlnet_subcommand doctor' -r -F -l helper -d 'path of uml_net'
complete -c umlnet -n '__umlnet_subcommand doctor' -x -l lan -a '(__fish_print_interfaces)' -d 'device to the LAN that guests are to be seen in'
complete -c umlnet -n '__umlnet_subcommand doctor' -s q -l quiet -d 'only what is not right'
complete -c umlnet -n '__umlnet_subcommand doctor' -s j -l json -d 'one JSON object'
complete -c umlnet -n '__umlnet_subcommand doctor' -s h -l help -d 'explain'
