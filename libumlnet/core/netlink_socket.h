// The one transport for netlink(7): requests to the kernel, its answers and its notices.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/rtnetlink.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

inline constexpr int kNetlinkFamily = AF_NETLINK;  // for seccomp filters

// A socket in the network namespace of the calling process, of `protocol` (NETLINK_ROUTE, ...), with strict checks: the
// kernel then heeds the filters of a dump request. With `groups`, the kernel sends it the notices of these multicast
// groups. Needs no privilege. Code::kernel with `doing` where there is none.
Result<unique_fd> open_netlink(int protocol, const std::string& doing, std::uint32_t groups = 0);

// In all of these, `doing` is what an error (Code::kernel) says.
class NetlinkSocket {
 public:
  using Take = std::function<void(const rtnetlink::Message&)>;

  // Owns `fd`, which open_netlink() opened.
  explicit NetlinkSocket(unique_fd fd);

  int fd() const { return fd_.get(); }

  // A number for the next request.
  std::uint32_t next_sequence() { return ++sequence_; }

  // The next datagram of the kernel; those of other processes are dropped. It stays good until the next call. `flags`
  // are of recv(2). Fails with EMSGSIZE where a datagram was too long, and is lost.
  Result<rtnetlink::ByteSpan> receive(const std::string& doing, int flags = 0);

  // Sends one request with the last number, and hands the record that answers it to `take`; an acknowledgement has
  // none. An error that the kernel answers with bears its number. `lost` is the code where the request was sent and its
  // answer cannot be received.
  Result<void> get(const rtnetlink::Bytes& request, const std::string& doing, const Take& take,
                   Code lost = Code::kernel);

  // Sends a dump request, made by `build` for a sequence number, and hands every record to `take`. Where the kernel
  // says that its tables changed in between, the dump is made again after `restart`; the error has no number where that
  // happens time and again.
  Result<void> dump(rtnetlink::Bytes (*build)(std::uint32_t), const std::string& doing,
                    const std::function<void()>& restart, const Take& take);

 private:
  Result<void> send(const rtnetlink::Bytes& request, const std::string& doing);

  unique_fd fd_;
  std::uint32_t sequence_ = 0;
  std::unique_ptr<std::uint8_t[]> buffer_;
};

}  // namespace umlnet
