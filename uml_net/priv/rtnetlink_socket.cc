#include "uml_net/priv/rtnetlink_socket.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <optional>

#include "uml_net/sys/capability.h"

namespace umlnet::priv {

using rtnetlink::Bytes;
using rtnetlink::ByteSpan;
using rtnetlink::Message;

namespace {

// Longer than any datagram of a dump: 32 KiB, or as much as the device with most alternative names takes, which is
// below 64 KiB of names, counted as 132 bytes each.
constexpr std::size_t kBufferSize = 262144;
constexpr int kDumpTries = 20;

}  // namespace

Result<RtnetlinkSocket> RtnetlinkSocket::open() {
  const auto raised = ScopedNetAdmin::raise();
  unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return fail_errno(Code::kernel, errno, "cannot open a socket to the kernel's network configuration");
  // With strict checks the kernel heeds the filters of a dump request instead of passing over them.
  const int on = 1;
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  return RtnetlinkSocket(std::move(fd));
}

// The buffer is not cleared: most of it is never touched, and costs nothing then.
RtnetlinkSocket::RtnetlinkSocket(unique_fd fd)
    : fd_(std::move(fd)), buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kBufferSize)) {}

Result<void> RtnetlinkSocket::send(const Bytes& request, const std::string& doing) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent = -1;
  do {
    sent = ::sendto(fd_.get(), request.data(), request.size(), 0, reinterpret_cast<const sockaddr*>(&kernel),
                    sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail_errno(Code::kernel, errno, doing);
  return {};
}

Result<ByteSpan> RtnetlinkSocket::receive(const std::string& doing) {
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t size =
        ::recvfrom(fd_.get(), buffer_.get(), kBufferSize, MSG_TRUNC, reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_errno(Code::kernel, errno, doing);
    if (from.nl_pid != 0) continue;  // another process wrote to our port
    if (static_cast<std::size_t>(size) > kBufferSize) return fail_errno(Code::kernel, EMSGSIZE, doing);
    return ByteSpan(buffer_.get(), static_cast<std::size_t>(size));
  }
}

Result<void> RtnetlinkSocket::change(const Bytes& request) {
  static const std::string doing = "a request to change the network failed";
  if (!grammar_.allows(request)) return fail(Code::bug, "a request to the kernel that this program never makes");
  if (auto sent = send(request, doing); !sent) return sent;
  for (;;) {
    const auto datagram = receive(doing);
    if (!datagram) return fail_errno(Code::no_answer, datagram.error().errnum, doing);
    std::optional<int> answer;
    rtnetlink::for_each_message(*datagram, [&](const Message& message) {
      if (message.sequence == sequence_) answer = rtnetlink::error_of(message);
      return !answer;
    });
    if (answer && *answer != 0) return fail_errno(Code::kernel, *answer, doing);
    if (answer) return {};
  }
}

Result<void> RtnetlinkSocket::get(const Bytes& request, const std::string& doing,
                                  const std::function<void(const Message&)>& take) {
  if (auto sent = send(request, doing); !sent) return sent;
  for (;;) {
    const auto datagram = receive(doing);
    if (!datagram) return std::unexpected(datagram.error());
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

Result<void> RtnetlinkSocket::dump(Bytes (*build)(std::uint32_t), const std::string& doing,
                                   const std::function<void()>& restart,
                                   const std::function<void(const Message&)>& take) {
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

}  // namespace umlnet::priv
