#include "libumlnet/client/helper.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "libumlnet/client/helper_program.h"
#include "libumlnet/client/helper_run.h"
#include "libumlnet/client/off_stdio.h"
#include "libumlnet/core/fd_passing.h"
#include "libumlnet/core/uml4_frames.h"

namespace umlnet::client {
namespace {

// Framed text from a pipe that ends with the helper: nothing where it said none, or what keeps to no form.
Outcome<std::string> read_framed_text(HelperRun& run, int fd, const Deadline& deadline) {
  std::array<std::uint8_t, sizeof(int)> head{};
  if (auto read = run.read(fd, head.data(), head.size(), deadline); !read) {
    if (read.error().code == UMLNET_CLOSED) return std::string();
    return std::unexpected(std::move(read.error()));
  }
  const auto length = uml4::decode_text_length(head);
  if (!length) return failed_by(UMLNET_PROTOCOL, length.error());
  std::string text(*length, '\0');
  if (auto read = run.read(fd, text.data(), text.size(), deadline); !read)
    return std::unexpected(std::move(read.error()));
  return uml4::decode_text(text);
}

}  // namespace

std::string in_words(AddressChange change, const IfName& device, const GuestAddress& address) {
  return change == AddressChange::add ? "add " + address.address.str() + " to " + device.str()
                                      : "delete " + address.address.str() + " from " + device.str();
}

Outcome<Helper> Helper::find(const char* wanted, int timeout_ms) {
  auto path = find_helper(wanted);
  if (!path) return std::unexpected(std::move(path.error()));
  return Helper(*std::move(path), timeout_ms);
}

Outcome<Helper::Tap> Helper::tuntap_up(std::optional<Ipv4> gateway) const {
  const std::string doing = "cannot get a TAP device";
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) return failed_errno(errno, doing);
  const unique_fd ours(pair[0]);
  unique_fd theirs(pair[1]);
  std::vector<std::string> words = {"4", "tuntap", "up"};
  if (gateway) words.push_back(gateway->str());
  auto run = HelperRun::start(path_, std::move(words), theirs.get());
  if (!run) return std::unexpected(std::move(run.error()));
  theirs.reset();

  const Deadline until = deadline();
  Message reply;
  if (run->wait(ours.get(), until) == HelperRun::Event::readable) {
    auto received = receive_with_fds(ours.get(), uml4::kMaxReply);
    if (received)
      reply = *std::move(received);
    else if (const int error = received.error().errnum; error != 0 && error != EAGAIN)
      return failed_by(UMLNET_SYSTEM, received.error());
    else if (error == 0)
      return failed(UMLNET_PROTOCOL, doing + ": " + received.error().line());
  }
  // A User-Mode Linux kernel waits for the helper's end as well, and like it this looks at the status only where there
  // is no device.
  if (!run->succeeded(until)) return std::unexpected(run->hung(doing));
  if (reply.fds.empty()) return std::unexpected(run->failure(UMLNET_REFUSED, doing, uml4::decode_text(reply.bytes)));
  if (reply.fds.size() > 1) return failed(UMLNET_PROTOCOL, doing + ": " + path_ + " sent more than one descriptor");
  auto tap = uml4::decode_tap_reply(reply.bytes);
  if (!tap) return failed(UMLNET_PROTOCOL, doing + ": " + tap.error().line());
  return Tap{.device = tap->device, .fd = off_stdio(std::move(reply.fds.front())), .text = std::move(tap->text)};
}

Outcome<std::string> Helper::change_address(AddressChange change, const IfName& device,
                                            const GuestAddress& address) const {
  const std::string doing = "cannot " + in_words(change, device, address);
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return failed_errno(errno, doing);
  const unique_fd ours(pipe[0]);
  unique_fd theirs(pipe[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  auto run = HelperRun::start(
      path_,
      {"4", change == AddressChange::add ? "add" : "del", device.str(), address.address.str(), address.netmask.str()},
      theirs.get());
  if (!run) return std::unexpected(std::move(run.error()));
  theirs.reset();

  const Deadline until = deadline();
  auto text = read_framed_text(*run, ours.get(), until);
  if (!text && text.error().code == UMLNET_TIMEOUT) return std::unexpected(run->hung(doing));
  const auto good = run->succeeded(until);
  if (!good) return std::unexpected(run->hung(doing));
  if (!text) return std::unexpected(run->failure(UMLNET_PROTOCOL, doing, text.error().message));
  if (!*good) return std::unexpected(run->failure(UMLNET_REFUSED, doing, *text));
  return *std::move(text);
}

}  // namespace umlnet::client
