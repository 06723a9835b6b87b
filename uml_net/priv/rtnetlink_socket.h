// One rtnetlink socket: requests out, acknowledgements and records back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "libumlnet/core/error.h"
#include "libumlnet/core/rtnetlink.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/priv/message_grammar.h"

namespace umlnet::priv {

class RtnetlinkSocket {
 public:
  // The kernel lets a change through only where CAP_NET_ADMIN was in effect when the socket was opened, and is in
  // effect again when the message is sent (netlink_net_capable() in net/netlink/af_netlink.c). So the capability is in
  // effect during this call, where the process has it; reading needs none.
  static Result<RtnetlinkSocket> open();
  // One that somebody opened in the caller's other network namespace, with strict checks: open_rtnetlink_in().
  static RtnetlinkSocket adopt(unique_fd fd) { return RtnetlinkSocket(std::move(fd)); }

  int fd() const { return fd_.get(); }

  // A number for the next message.
  std::uint32_t next_sequence() { return ++sequence_; }

  // What change() holds each request to.
  MessageGrammar& grammar() { return grammar_; }

  // Sends one request and waits for its acknowledgement. Code::bug for one that grammar() does not allow. An error
  // bears the kernel's number; what was being done is for the caller to say. Code::no_answer where it was sent, and
  // what came of it is not known.
  Result<void> change(const rtnetlink::Bytes& request);

  // Sends one request that is answered by one record, and hands the record to `take`. `doing` is what an error says.
  Result<void> get(const rtnetlink::Bytes& request, const std::string& doing,
                   const std::function<void(const rtnetlink::Message&)>& take);

  // Sends a dump request, made by `build` for a sequence number, and hands every record to `take`. Where the kernel
  // says that its tables changed in between, the dump is made again after `restart`.
  Result<void> dump(rtnetlink::Bytes (*build)(std::uint32_t), const std::string& doing,
                    const std::function<void()>& restart, const std::function<void(const rtnetlink::Message&)>& take);

 private:
  explicit RtnetlinkSocket(unique_fd fd);
  Result<void> send(const rtnetlink::Bytes& request, const std::string& doing);
  Result<rtnetlink::ByteSpan> receive(const std::string& doing);

  unique_fd fd_;
  std::uint32_t sequence_ = 0;
  MessageGrammar grammar_;
  std::unique_ptr<std::uint8_t[]> buffer_;
};

}  // namespace umlnet::priv
