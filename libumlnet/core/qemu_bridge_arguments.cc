#include "libumlnet/core/qemu_bridge_arguments.h"

#include <algorithm>
#include <optional>
#include <string>

#include "libumlnet/core/fd_number.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::qemu_bridge {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::string_view kVnet = "--use-vnet";
constexpr std::string_view kSocket = "--fd=";
constexpr std::string_view kBridge = "--br=";
constexpr std::string_view kForManagers =
    "QEMU and libvirt put the options there by themselves: -netdev bridge,br=BRIDGE,helper=PATH.";

bool is_own(std::string_view word) { return word == kVnet || word.starts_with(kSocket) || word.starts_with(kBridge); }

constexpr std::size_t kShown = 40;  // bytes of a word that a message repeats

struct Options {
  std::optional<std::string_view> socket, bridge;
  bool vnet = false;
};

Result<Options> parse_options(Words arguments) {
  Options options;
  for (const auto word : arguments) {
    if (word == kVnet)
      options.vnet = true;
    else if (word.starts_with(kSocket))
      options.socket = word.substr(kSocket.size());
    else if (word.starts_with(kBridge))
      options.bridge = word.substr(kBridge.size());
    else
      return fail(Code::usage, in_quotes(word, kShown) + " is no option of the bridge helper's protocol",
                  "The options are --use-vnet, --fd=N and --br=BRIDGE.");
  }
  if (!options.socket)
    return fail(Code::usage, "--fd=N is missing, the socket for the answer", std::string(kForManagers));
  if (!options.bridge)
    return fail(Code::usage, "--br=BRIDGE is missing, the bridge to put the device on", std::string(kForManagers));
  return options;
}

}  // namespace

bool is_call(Words arguments) {
  return !arguments.empty() && arguments.front().starts_with("--") && std::ranges::any_of(arguments, is_own);
}

Call parse_call(Words arguments) {
  Call call{.protocol = Protocol::qemu_bridge,
            .reply = ReplyForm::bridge,
            .operation = "bridge",
            .request = fail(Code::bug, "not parsed")};
  const auto options = parse_options(arguments);
  if (!options) {
    call.request = std::unexpected(options.error());
    return call;
  }
  const auto socket = parse_fd_number(*options->socket);
  const auto bridge = IfName::parse_existing(*options->bridge);
  if (!socket)
    call.request =
        fail(Code::bad_value, "--fd=" + escaped(*options->socket, 40) + " is not the number of an inherited descriptor",
             "It is a decimal number from 3 on: 0, 1 and 2 have other uses.");
  else if (!bridge)
    call.request = fail(Code::bad_value, in_quotes(*options->bridge, kShown) + " is not the name of a bridge",
                        "A name has 1 to 15 printable characters, an alternative name up to 127, without space, "
                        "'/', ':' and '%': name another with br=BRIDGE.");
  else
    call.request = MakeBridgedTap{.bridge = *bridge, .virtio_headers = options->vnet};
  call.descriptor = socket;
  return call;
}

}  // namespace umlnet::qemu_bridge
