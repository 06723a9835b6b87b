#include "libumlnet/client/helper_program.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "libumlnet/client/installed.h"

namespace umlnet::client {
namespace {

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::optional<std::string> in_path(std::string_view name) {
  const char* path = ::secure_getenv("PATH");
  std::string_view rest = path != nullptr ? path : "";
  while (!rest.empty()) {
    const auto directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    // An empty part means the current directory; a privileged helper is not looked for there.
    if (!directory.starts_with('/')) continue;
    std::string candidate = std::string(directory) + "/" + std::string(name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

}  // namespace

Outcome<std::string> find_helper(const char* wanted) {
  std::string name = wanted != nullptr ? wanted : "";
  if (name.find('/') != std::string::npos) return name;
  if (name.empty() && is_there(kInstalledHelper)) return std::string(kInstalledHelper);
  const std::string looked_up = name.empty() ? "uml_net" : name;
  if (auto found = in_path(looked_up)) return *std::move(found);
  return failed(UMLNET_NO_HELPER,
                "cannot find the helper " + looked_up + ": it is " +
                    (name.empty() ? "neither " + std::string(kInstalledHelper) + " nor in PATH" : "not in PATH") +
                    ". Install uml_net, or say where it is.");
}

}  // namespace umlnet::client
