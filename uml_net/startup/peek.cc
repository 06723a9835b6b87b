#include "uml_net/startup/peek.h"

#include <string_view>

#include "libumlnet/core/fd_number.h"
#include "uml_net/startup/help.h"

namespace umlnet {

// The grammar is that of uml4_arguments.h, native5_arguments.h and qemu_bridge_arguments.h.
Peek peek(int argc, const char* const* argv) {
  const auto word = [&](int i) { return i < argc ? std::string_view(argv[i]) : std::string_view(); };
  const bool is_uml4 = word(1) == "4", is_native5 = word(1) == "5", is_bridge = word(1).starts_with("--");
  const bool is_open = is_native5 && word(2) == "open";
  Peek peek{.is_ethertap = is_uml4 && word(2) == "ethertap",
            .is_session = is_native5 && word(2) == "session",
            .may_publish = (is_uml4 && (word(2) == "add" || word(2) == "ethertap")) ||
                           (is_uml4 && word(2) == "tuntap" && word(3) == "add") ||
                           (is_native5 && (is_open || word(2) == "session")),
            .is_help = argc == 2 && is_help(word(1))};
  std::string_view number = peek.is_ethertap ? word(4) : std::string_view();
  for (int i = 1; i < argc; ++i) {
    constexpr std::string_view kNetns = "netns=", kSocket = "--fd=", kQueues = "queues=";
    if (is_open && word(i).starts_with(kNetns)) {
      number = word(i).substr(kNetns.size());
      peek.may_publish = false;  // on LANs of another namespace
    }
    peek.is_bridge |=
        is_bridge && (word(i).starts_with(kSocket) || word(i).starts_with("--br=") || word(i) == "--use-vnet");
    if (is_bridge && word(i).starts_with(kSocket)) number = word(i).substr(kSocket.size());
    peek.has_several_queues |= is_open && word(i).starts_with(kQueues);
  }
  peek.descriptor = parse_fd_number(number).value_or(-1);
  return peek;
}

}  // namespace umlnet
