// The protocols that the helper speaks.
#pragma once

#include <string_view>

namespace umlnet {

enum class Protocol {
  none,         // typed by a person, or not understood
  uml4,         // UML_NET_VERSION 4: what every User-Mode Linux kernel since 2002 speaks
  native5,      // this project's own: uml_net(8)
  qemu_bridge,  // that of QEMU's bridge helper: -netdev bridge, -netdev tap,helper=, and libvirt's session driver
};

std::string_view protocol_name(Protocol protocol);

}  // namespace umlnet
