#include "uml_net/priv/rtnetlink_socket.h"

#include <linux/netlink.h>

#include <string>

#include "uml_net/sys/capability.h"
#include "uml_net/sys/keep_fds.h"

namespace umlnet::priv {

Result<RtnetlinkSocket> RtnetlinkSocket::open(int number) {
  auto fd = [] {
    const auto raised = ScopedNetAdmin::raise();
    return open_netlink(NETLINK_ROUTE, "cannot open a socket to the kernel's network configuration");
  }();
  if (fd) fd = give_number(*std::move(fd), number);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return RtnetlinkSocket(*std::move(fd));
}

Result<void> RtnetlinkSocket::change(const rtnetlink::Bytes& request) {
  static const std::string doing = "a request to change the network failed";
  if (!grammar_.allows(request)) return fail(Code::bug, "a request to the kernel that this program never makes");
  return get(request, doing, [](const rtnetlink::Message&) {}, Code::no_answer);
}

}  // namespace umlnet::priv
