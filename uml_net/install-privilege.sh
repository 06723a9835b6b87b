#!/bin/sh
# Run by `meson install`: gives the installed helper its privilege, and makes the places for policy and audit log, and
# beside the log the file in which requests are counted.
#   install-privilege.sh BINDIR/uml_net setuid|filecap|none GROUP POLICY_DIR AUDIT_LOG REFUSALS
# Members of GROUP may run the helper, and everybody may read it. The log is of GROUP-log, a group without members: with
# a file capability the helper is set-group-ID to it, and GROUP may run it by an access control list.
# A staged install (DESTDIR, for packages) only gets the mode: the rest is the package's matter.
set -eu
PATH=$PATH:/usr/sbin:/sbin  # which root does not have after a plain su
helper=$MESON_INSTALL_DESTDIR_PREFIX/$1 privilege=$2 group=$3 policy_dir=$4 audit_log=$5 refusals=$6
log_group=$group-log
case $1 in /*) helper=${DESTDIR:-}$1 ;; esac

say() { echo "uml_net: $*"; }

case $privilege in
  none) exit 0 ;;
  setuid) mode=4754 owner=root:$group log_mode=0640 ;;
  filecap) mode=2754 owner=root:$log_group log_mode=0660 acl=u::rwx,g::r--,g:$group:r-x,m::r-x,o::r-- ;;
esac
if [ -n "${DESTDIR:-}" ] || [ "$(id -u)" != 0 ]; then
  if [ -n "${DESTDIR:-}" ]; then chmod "$mode" "$helper"; fi
  say "not installed as root into place: make the groups $group and $log_group, and give $helper its privilege with"
  say "  chown $owner $helper && chmod $mode $helper"
  if [ "$privilege" = filecap ]; then say "  setfacl --set $acl $helper && setcap cap_net_admin=p $helper"; fi
  exit 0
fi

if [ "$privilege" = filecap ] && ! command -v setfacl >/dev/null; then
  say "setfacl is missing, which lets the group $group run it: install it (on Debian: apt-get install acl), and" >&2
  say "install uml_net again; or choose -Dprivilege=setuid" >&2
  exit 1
fi
for name in "$group" "$log_group"; do
  if ! getent group "$name" >/dev/null; then
    groupadd --system "$name"
    say "made the group $name"
  fi
done

chown "$owner" "$helper"
chmod "$mode" "$helper"
if [ "$privilege" = filecap ]; then
  setfacl --set "$acl" "$helper"
  setcap cap_net_admin=p "$helper"
  say "$helper has the file capability cap_net_admin=p; members of the group $group may run it: usermod -aG $group USER"
else
  say "$helper is set-user-ID root; members of the group $group may run it: usermod -aG $group USER"
fi

[ -d "$policy_dir" ] || install -d -m 0755 "$policy_dir"
# A directory that others use as well keeps its mode.
log_dir=$(dirname "$audit_log") log_name=$(basename "$audit_log")
others=$(ls -A "$log_dir" 2>/dev/null | grep -vxF "$(basename "$refusals")" | grep -vF "$log_name" || true)
[ -n "$others" ] || install -d -m 0750 -g "$log_group" "$log_dir"
for file in "$audit_log" "$refusals"; do [ -e "$file" ] || install -m "$log_mode" /dev/null "$file"; done
# An earlier installation may have given these to a group with members.
for file in "$audit_log" "$audit_log"[.-]* "$refusals"; do
  if [ -f "$file" ] && [ ! -L "$file" ]; then chown "root:$log_group" "$file" && chmod "$log_mode" "$file"; fi
done
case $(getent group "$log_group") in
  *:) ;;
  *) say "warning: the group $log_group has members, who can read the audit log or write to it" >&2 ;;
esac
if [ ! -e "$policy_dir/policy.json" ]; then
  say "there is no policy yet, so only root is served: write $policy_dir/policy.json, see umlnet-policy(5)"
fi
