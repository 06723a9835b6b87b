// Which messages to the kernel's network configuration the program may send: a closed grammar, apart from the code that
// makes them. What a flaw there would have sent is refused here.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "libumlnet/core/rtnetlink.h"

namespace umlnet::priv {

class MessageGrammar {
 public:
  // Whether a name is that of a device on which the policy publishes guests.
  using IsLan = std::function<bool(std::string_view name)>;
  void set_lans(IsLan is_lan) { is_lan_ = std::move(is_lan); }
  const IsLan& lans() const { return is_lan_; }

  // The kernel's devices as they have just been read. A TAP is the toolkit's own by its alias, which takes
  // CAP_NET_ADMIN to change. What its marks name is a LAN as well: it was granted before.
  void look_at(std::span<const rtnetlink::Link> links);

  // A device that this process has just made, and found again by its descriptor. It is the only one that may move to
  // another network namespace, as long as it has not been read since.
  void take_new(int ifindex);

  // Whether the bytes are one message, of a form that this program has, to a device on which it may be:
  //
  //   own devices       alias, group, MTU, MAC, bridge, isolation, up; no link-local address; addresses; routes by
  //   kProtocol
  //                     in the main table; the classifier; marks; forwarding and proxy ARP; deletion
  //   a new device      besides: another network namespace, and the name there
  //   LANs              proxy entries, forwarding, the mark of that
  //   any other device  only what takes such a thing off again
  //   session groups    deletion
  bool allows(rtnetlink::ByteSpan message) const;

 private:
  struct Known {
    int ifindex = 0;
    bool is_own = false, is_new = false, is_lan = false, is_bridge = false;
  };
  const Known* known(int ifindex) const;
  bool is_own(std::int64_t ifindex) const;
  bool allows_link(rtnetlink::ByteSpan body) const;
  bool allows_settings(rtnetlink::ByteSpan families, const Known& device) const;
  bool allows_property(rtnetlink::ByteSpan body, bool on) const;
  bool allows_deletion(rtnetlink::ByteSpan body) const;
  bool allows_route(rtnetlink::ByteSpan body) const;
  bool allows_proxy(rtnetlink::ByteSpan body, bool on) const;

  IsLan is_lan_;
  std::vector<Known> devices_;  // by ifindex
};

}  // namespace umlnet::priv
