// virtio-net headers, as the ends of a pump name them.
#pragma once

#include <string>

#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/plain_text.h"
#include "umlnet/umlnet.h"

namespace umlnet::cli {

// "vnet=10" or "vnet=12", the field of `words`.
inline Outcome<unsigned> parse_vnet_header(const std::string& words, const std::string& field) {
  if (field == "vnet=10") return 10U;
  if (field == "vnet=12") return 12U;
  return malformed(words, in_quotes(field) + " is not vnet=10 or vnet=12, the bytes of the virtio-net header");
}

// What the kernel takes unfinished, on every version that runs this: UDP segmentation came with 6.2.
inline unsigned offloads_of_tap(unsigned vnet_hdr) {
  return vnet_hdr == 0 ? 0U : UMLNET_OFFLOAD_CSUM | UMLNET_OFFLOAD_TSO4 | UMLNET_OFFLOAD_TSO6 | UMLNET_OFFLOAD_ECN;
}

}  // namespace umlnet::cli
