# Completion of umlnet(1) for bash.

# umlnet policy, whose two subcommands have options of their own.
_umlnet_policy() {
  local check='--strict --host-state --json --help'
  local explain='--user --group --host-state --policy --gateway --device --address --netmask --del --bridge --json --help'
  local word=${COMP_WORDS[2]}
  if ((COMP_CWORD == 2)); then
    COMPREPLY=($(compgen -W 'check explain --help' -- "$cur"))
    return
  fi
  [[ $word == check || $word == explain ]] || return
  case $prev in
    --host-state) COMPREPLY=($(compgen -W 'live none' -- "$cur")) ;;
    --user) COMPREPLY=($(compgen -u -- "$cur")) ;;
    --group) COMPREPLY=($(compgen -g -- "$cur")) ;;
    --device | --bridge) COMPREPLY=($(compgen -W "$(cd /sys/class/net && echo *)" -- "$cur")) ;;
    --gateway | --address | --netmask) ;;
    --policy)
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$cur"))
      ;;
    *)
      if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "${!word}" -- "$cur"))
      elif [[ $word == explain ]]; then
        COMPREPLY=($(compgen -W 'tuntap ethertap address bridge open remove session' -- "$cur"))
      else
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
      fi
      ;;
  esac
}

_umlnet() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} subcommand=${COMP_WORDS[1]}
  local run='--gateway --net --address --pcap --as --snaplen --json --quiet --timeout --helper --pump-program --help
    --device --ip --ip6 --guest --guest-mac --bridge --isolated --mtu --mac --queues --vnet-hdr --netns --persist --owner --sealed
    --anti-spoof'
  local pump='--address --pcap --snaplen --json --quiet --no-sandbox --timeout --helper --pump-program --help'
  local remove='--quiet --timeout --helper --help'
  local doctor='--helper --lan --quiet --json --help'
  local ls='--json --dot --utc --help'
  local log='--since --user --device --id --denied --file --follow --stats --json --utc --help'
  COMPREPLY=()

  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W 'run pump remove ls log policy doctor help --help --version' -- "$cur"))
    return
  fi
  # Where readline takes --as=stream for three words.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi

  case $subcommand in
    help)
      ((COMP_CWORD == 2)) && COMPREPLY=($(compgen -W 'run pump remove ls log policy doctor' -- "$cur"))
      return
      ;;
    run)
      # Where the command begins, all that follows is the command's own.
      local at
      for ((at = 2; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
          --) ((at++)) && break ;;
          --gateway | --net | --address | --pcap | --as | --snaplen | --timeout | --helper | --pump-program | -[gnawst] | \
            --device | --ip | --ip6 | --guest | --guest-mac | --bridge | --mtu | --mac | --queues | --netns | \
            --owner)
            [[ ${COMP_WORDS[at + 1]} == = ]] && ((at++))
            ((at++))
            while [[ ${COMP_WORDS[at + 1]} == [:=] ]]; do ((at += 2)); done
            ;;
          -*) ;;
          *) break ;;
        esac
      done
      if ((at < COMP_CWORD)); then
        if declare -F _command_offset >/dev/null; then
          _command_offset "$at"
        else
          COMPREPLY=($(compgen -f -- "$cur"))
        fi
        return
      elif ((at == COMP_CWORD)) && [[ $prev == -- || ${cur:0:1} != - && $prev != -* && $prev != : ]]; then
        COMPREPLY=($(compgen -c -- "$cur"))
        return
      fi
      ;;
    ls | log)
      case $subcommand$prev in
        log--since | log-s) COMPREPLY=($(compgen -W 'today yesterday 10m 2h 7d' -- "$cur")) ;;
        log--user | log-u) COMPREPLY=($(compgen -u -- "$cur")) ;;
        log--file | log-F)
          compopt -o filenames 2>/dev/null
          COMPREPLY=($(compgen -f -- "$cur"))
          ;;
        log--device | log-d) COMPREPLY=($(compgen -W "$(cd /sys/class/net && echo *)" -- "$cur")) ;;
        log--id | log-i) ;;
        *) COMPREPLY=($(compgen -W "${!subcommand}" -- "$cur")) ;;
      esac
      return
      ;;
    pump) ;;
    remove)
      if [[ $cur != -* && $prev != --helper && $prev != --timeout && $prev != -t ]]; then
        COMPREPLY=($(compgen -W "$(cd /sys/class/net && echo *)" -- "$cur"))
        return
      fi
      ;;
    policy)
      _umlnet_policy
      return
      ;;
    doctor)
      if [[ $prev == --lan ]]; then
        COMPREPLY=($(compgen -W "$(cd /sys/class/net && echo *)" -- "$cur"))
        return
      fi
      [[ $cur == -* || $prev == --helper ]] || return
      ;;
    *) return ;;
  esac

  case $prev in
    --as) COMPREPLY=($(compgen -W 'tap stream dgram' -- "$cur")) ;;
    --net | -n)
      compopt -o nospace 2>/dev/null
      COMPREPLY=($(compgen -W 'tuntap,,, ethertap, tap tap:' -- "$cur"))
      ;;
    --bridge) COMPREPLY=($(compgen -W "$(cd /sys/class/net && echo *)" -- "$cur")) ;;
    --pcap | --netns | --helper | --pump-program | -w)
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$cur"))
      ;;
    --gateway | --address | --snaplen | --timeout | -[gast] | \
      --device | --ip | --ip6 | --guest | --guest-mac | --mtu | --mac | --queues) ;;
      --owner) COMPREPLY=($(compgen -u -- "$cur")) ;;
    *)
      if [[ $subcommand == pump && ($cur == : || $prev == :) ]]; then
        # The path of stream:PATH and the like.
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "${cur#:}"))
      elif [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "${!subcommand}" -- "$cur"))
      elif [[ $subcommand == pump ]]; then
        compopt -o nospace 2>/dev/null
        COMPREPLY=($(compgen -W 'tuntap,,, ethertap, tap: stream: stream-listen: dgram: fd:' -- "$cur"))
      else
        COMPREPLY=($(compgen -c -- "$cur"))
      fi
      ;;
  esac
}

complete -F _umlnet umlnet
