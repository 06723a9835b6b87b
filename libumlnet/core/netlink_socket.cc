#include "libumlnet/core/netlink_socket.h"

#include <linux/netlink.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>

namespace umlnet {

using rtnetlink::Bytes;
using rtnetlink::ByteSpan;
using rtnetlink::Message;

namespace {

// Longer than any datagram of a dump: 32 KiB, or as much as the device with most alternative names takes, which is
// below 64 KiB of names, counted as 132 bytes each.
constexpr std::size_t kBufferSize = 262144;
constexpr int kDumpTries = 20;

sockaddr_nl address(std::uint32_t groups) {
  sockaddr_nl address{};
  address.nl_family = kNetlinkFamily;
  address.nl_groups = groups;
  return address;
}

}  // namespace

Result<unique_fd> open_netlink(int protocol, const std::string& doing, std::uint32_t groups) {
  unique_fd fd(::socket(kNetlinkFamily, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return fail_errno(Code::kernel, errno, doing);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  const auto own = address(groups);
  if (groups != 0 && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    return fail_errno(Code::kernel, errno, doing);
  return fd;
}

// The buffer is not cleared: most of it is never touched, and costs nothing then.
NetlinkSocket::NetlinkSocket(unique_fd fd)
    : fd_(std::move(fd)), buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kBufferSize)) {}

Result<void> NetlinkSocket::send(const Bytes& request, const std::string& doing) {
  const auto kernel = address(0);
  ssize_t sent = -1;
  do {
    sent = ::sendto(fd_.get(), request.data(), request.size(), 0, reinterpret_cast<const sockaddr*>(&kernel),
                    sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail_errno(Code::kernel, errno, doing);
  return {};
}

Result<ByteSpan> NetlinkSocket::receive(const std::string& doing, int flags) {
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t size = ::recvfrom(fd_.get(), buffer_.get(), kBufferSize, MSG_TRUNC | flags,
                                    reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_errno(Code::kernel, errno, doing);
    if (from.nl_pid != 0) continue;  // another process wrote to our port
    if (static_cast<std::size_t>(size) > kBufferSize) return fail_errno(Code::kernel, EMSGSIZE, doing);
    return ByteSpan(buffer_.get(), static_cast<std::size_t>(size));
  }
}

Result<void> NetlinkSocket::get(const Bytes& request, const std::string& doing, const Take& take, Code lost) {
  if (auto sent = send(request, doing); !sent) return sent;
  for (;;) {
    const auto datagram = receive(doing);
    if (!datagram) return fail_errno(lost, datagram.error().errnum, doing);
    std::optional<int> answer;
    rtnetlink::for_each_message(*datagram, [&](const Message& message) {
      if (message.sequence != sequence_) return true;
      answer = rtnetlink::error_of(message);
      if (!answer) {
        take(message);
        answer = 0;
      }
      return false;
    });
    if (answer && *answer != 0) return fail_errno(Code::kernel, *answer, doing);
    if (answer) return {};
  }
}

Result<void> NetlinkSocket::dump(Bytes (*build)(std::uint32_t), const std::string& doing,
                                 const std::function<void()>& restart, const Take& take) {
  for (int tries = 0; tries < kDumpTries; ++tries) {
    restart();
    if (auto sent = send(build(next_sequence()), doing); !sent) return sent;
    // The socket makes one dump at a time: where reading the one before broke off, it is still under way (EBUSY), until
    // its rest has been read.
    bool done = false, interrupted = false, is_busy = false, other_done = false;
    while (!done && !(is_busy && other_done)) {
      const auto datagram = receive(doing);
      if (!datagram) return std::unexpected(datagram.error());
      std::optional<int> error;
      rtnetlink::for_each_message(*datagram, [&](const Message& message) {
        other_done |= message.sequence != sequence_ && message.type == NLMSG_DONE;
        if (message.sequence != sequence_) return true;
        interrupted |= (message.flags & NLM_F_DUMP_INTR) != 0;
        done |= message.type == NLMSG_DONE;
        if (const auto number = rtnetlink::error_of(message)) {
          error = number;
        } else if (!done) {
          take(message);
        }
        return true;
      });
      is_busy |= error == EBUSY;
      if (error && *error != 0 && !is_busy) return fail_errno(Code::kernel, *error, doing);
    }
    if (!interrupted && !is_busy) return {};
  }
  return fail(Code::kernel, doing + ": the kernel's tables change faster than they can be read",
              "Try again in a moment.");
}

}  // namespace umlnet
