#include "libumlnet/core/protocol.h"

namespace umlnet {

std::string_view protocol_name(Protocol protocol) {
  switch (protocol) {
    case Protocol::uml4: return "uml/4";
    case Protocol::native5: return "native/5";
    case Protocol::qemu_bridge: return "qemu-bridge";
    case Protocol::none: break;
  }
  return "none";
}

}  // namespace umlnet
