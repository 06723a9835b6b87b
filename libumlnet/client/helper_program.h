// Where uml_net is.
#pragma once

#include <string>

#include "libumlnet/client/failure.h"

namespace umlnet::client {

// The path of the helper: `wanted` itself where it has a slash, else looked up in PATH. Where `wanted` is null: where
// the helper was installed with this library, else "uml_net" in PATH. UMLNET_NO_HELPER where there is none.
Outcome<std::string> find_helper(const char* wanted);

}  // namespace umlnet::client
