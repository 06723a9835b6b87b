// The argument list of QEMU's bridge helper, as QEMU (net/tap.c, net_bridge_run_helper) and libvirt's session driver
// put it together:
//
//   [--use-vnet] --fd=N --br=BRIDGE
//
// in any order; the last of a kind counts. N is a connected AF_UNIX stream socket.
#pragma once

#include <span>
#include <string_view>

#include "libumlnet/core/call.h"

namespace umlnet::qemu_bridge {

// Whether `arguments` are of this protocol, right or wrong: they begin with an option, and one of these is among them.
bool is_call(std::span<const std::string_view> arguments);

// To be asked where is_call().
Call parse_call(std::span<const std::string_view> arguments);

}  // namespace umlnet::qemu_bridge
