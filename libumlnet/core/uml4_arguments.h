// The argument lists of the UML protocol, version 4, as User-Mode Linux kernels put them together
// (arch/um/os-Linux/drivers/tuntap_user.c and arch/um/os-Linux/helper.c's callers of "uml_net").
#pragma once

#include <span>
#include <string_view>

#include "libumlnet/core/call.h"

namespace umlnet::uml4 {

// `words` is what stands behind the "4":
//   tuntap up [GATE]
//   add|del DEV ADDR NETMASK
//   tuntap add|del DEV ADDR NETMASK     the older spelling
Call parse_call(std::span<const std::string_view> words);

}  // namespace umlnet::uml4
