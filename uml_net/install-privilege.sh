#!/bin/sh
# Run by `meson install`: gives the installed helper its privilege, and makes the places for policy and audit log, and
# beside the log the file in which refused requests are counted.
#   install-privilege.sh BINDIR/uml_net setuid|filecap|none GROUP POLICY_DIR AUDIT_LOG REFUSALS
# A staged install (DESTDIR, for packages) only gets the mode: owner, group and capability are the package's matter.
set -eu
PATH=$PATH:/usr/sbin:/sbin  # which root does not have after a plain su
helper=$MESON_INSTALL_DESTDIR_PREFIX/$1 privilege=$2 group=$3 policy_dir=$4 audit_log=$5 refusals=$6
case $1 in /*) helper=${DESTDIR:-}$1 ;; esac

say() { echo "uml_net: $*"; }

if [ "$privilege" = none ]; then exit 0; fi
if [ -n "${DESTDIR:-}" ] || [ "$(id -u)" != 0 ]; then
  case $privilege in
    setuid) mode=4750 ;;
    filecap) mode=2755 ;;
  esac
  if [ -n "${DESTDIR:-}" ]; then chmod "$mode" "$helper"; fi
  say "not installed as root into place: give $helper its privilege with"
  say "  chown root:$group $helper && chmod $mode $helper"
  if [ "$privilege" = filecap ]; then say "  setcap cap_net_admin=p $helper"; fi
  exit 0
fi

if ! getent group "$group" >/dev/null; then
  groupadd --system "$group"
  say "made the group $group"
fi
log_dir=$(dirname "$audit_log")
install -d -m 0755 "$policy_dir"
case $privilege in
  setuid)
    chown "root:$group" "$helper"
    chmod 4750 "$helper"
    install -d -m 0750 "$log_dir"
    for file in "$audit_log" "$refusals"; do [ -e "$file" ] || install -m 0640 /dev/null "$file"; done
    say "$helper is set-user-ID root; members of the group $group may run it: usermod -aG $group USER"
    ;;
  filecap)
    chown "root:$group" "$helper"
    chmod 2755 "$helper"
    setcap cap_net_admin=p "$helper"
    install -d -m 0750 -g "$group" "$log_dir"
    for file in "$audit_log" "$refusals"; do [ -e "$file" ] || install -m 0660 -g "$group" /dev/null "$file"; done
    say "$helper has the file capability cap_net_admin=p; everybody may run it, and policy says who may do what"
    ;;
esac
if [ ! -e "$policy_dir/policy.json" ]; then
  say "there is no policy yet, so only root is served: write $policy_dir/policy.json, see umlnet-policy(5)"
fi
