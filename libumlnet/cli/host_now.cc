#include "libumlnet/cli/host_now.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "libumlnet/core/rtnetlink.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {
namespace {

using rtnetlink::Bytes;
using rtnetlink::Message;

constexpr std::size_t kBufferSize = 65536;  // the kernel never makes a datagram of a dump longer
constexpr int kTries = 20;
constexpr const char* kDoing = "cannot read the host's network state";

// Questions only: each is answered by records, and none is a request to change anything.
class Questions {
 public:
  static Result<Questions> open() {
    unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!fd) return fail_errno(Code::kernel, errno, kDoing);
    const int on = 1;
    ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    return Questions(std::move(fd));
  }

  // The records of a whole table, none of them from before a change that the kernel has told of.
  template <class Record>
  Result<void> dump(Bytes (*build)(std::uint32_t), std::optional<Record> (*decode)(const Message&),
                    std::vector<Record>& into) {
    for (int tries = 0; tries < kTries; ++tries) {
      into.clear();
      bool interrupted = false;
      const auto asked = ask(build(++sequence_), true, [&](const Message& message) {
        interrupted |= (message.flags & NLM_F_DUMP_INTR) != 0;
        if (auto record = decode(message)) into.push_back(*std::move(record));
      });
      if (!asked) return asked;
      if (!interrupted) return {};
    }
    return fail(Code::kernel, std::string(kDoing) + ": it changes faster than it can be read",
                "Try again in a moment.");
  }

  Result<void> settings(int which, rtnetlink::Ipv4Settings& into) {
    return ask(rtnetlink::get_ipv4_settings(++sequence_, which), false, [&](const Message& message) {
      if (const auto settings = rtnetlink::ipv4_settings_of(message)) into = *settings;
    });
  }

 private:
  explicit Questions(unique_fd fd) : fd_(std::move(fd)), buffer_(kBufferSize) {}

  template <class Take>
  Result<void> ask(const Bytes& request, bool is_dump, const Take& take) {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    if (::sendto(fd_.get(), request.data(), request.size(), 0, reinterpret_cast<const sockaddr*>(&kernel),
                 sizeof kernel) < 0)
      return fail_errno(Code::kernel, errno, kDoing);
    for (bool done = false; !done;) {
      const ssize_t size = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return fail_errno(Code::kernel, errno, kDoing);
      int error = 0;
      rtnetlink::for_each_message({buffer_.data(), static_cast<std::size_t>(size)}, [&](const Message& message) {
        if (message.sequence != sequence_) return true;
        if (const auto number = rtnetlink::error_of(message)) {
          error = *number;
          done = true;
        } else if (message.type == NLMSG_DONE) {
          done = true;
        } else {
          take(message);
          done |= !is_dump;
        }
        return true;
      });
      if (error != 0) return fail_errno(Code::kernel, error, kDoing);
    }
    return {};
  }

  unique_fd fd_;
  std::uint32_t sequence_ = 0;
  Bytes buffer_;
};

}  // namespace

Result<policy::HostState> read_host_now() {
  auto questions = Questions::open();
  if (!questions) return std::unexpected(questions.error());
  policy::HostState host;
  Result<void> done = questions->dump(rtnetlink::dump_proxy_entries, rtnetlink::proxy_entry_of, host.proxy_entries);
  // In this order, so that no proxy entry looks stale only because its route was not there yet.
  if (done) done = questions->dump(rtnetlink::dump_routes, rtnetlink::route_of, host.routes);
  if (done) done = questions->dump(rtnetlink::dump_links, rtnetlink::link_of, host.links);
  if (done) done = questions->dump(rtnetlink::dump_addresses, rtnetlink::address_of, host.addresses);
  if (done) done = questions->settings(rtnetlink::kAllDevices, host.all);
  if (done) done = questions->settings(rtnetlink::kDefaultDevice, host.default_device);
  if (!done) return std::unexpected(done.error());
  return host;
}

}  // namespace umlnet::cli
