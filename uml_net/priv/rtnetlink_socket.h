// The helper's rtnetlink sockets: what the transport does not have is what needs CAP_NET_ADMIN.
#pragma once

#include <utility>

#include "libumlnet/core/netlink_socket.h"
#include "uml_net/priv/message_grammar.h"

namespace umlnet::priv {

class RtnetlinkSocket : public NetlinkSocket {
 public:
  // The kernel lets a change through only where CAP_NET_ADMIN was in effect when the socket was opened, and is in
  // effect again when the message is sent (netlink_net_capable() in net/netlink/af_netlink.c). So the capability is in
  // effect while it is opened, where the process has it; reading needs none. The descriptor gets the number `number`.
  static Result<RtnetlinkSocket> open(int number);
  // One that somebody opened in the caller's other network namespace: open_rtnetlink_in().
  static RtnetlinkSocket adopt(unique_fd fd) { return RtnetlinkSocket(std::move(fd)); }

  // What change() holds each request to.
  MessageGrammar& grammar() { return grammar_; }

  // Sends one request and waits for its acknowledgement. Code::bug for one that grammar() does not allow. An error
  // bears the kernel's number; what was being done is for the caller to say. Code::no_answer where it was sent, and
  // what came of it is not known.
  Result<void> change(const rtnetlink::Bytes& request);

 private:
  using NetlinkSocket::NetlinkSocket;
  MessageGrammar grammar_;
};

}  // namespace umlnet::priv
