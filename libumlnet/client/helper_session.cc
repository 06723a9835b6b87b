#include "libumlnet/client/helper_session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "libumlnet/client/off_stdio.h"
#include "libumlnet/core/uml4_control.h"
#include "libumlnet/core/uml4_frames.h"

namespace umlnet::client {

Outcome<std::string> HelperSession::read_text(const Deadline& deadline) {
  std::array<std::uint8_t, sizeof(int)> head{};
  if (auto read = run_.read(control_.get(), head.data(), head.size(), deadline); !read)
    return std::unexpected(std::move(read.error()));
  const auto length = uml4::decode_text_length(head);
  if (!length) return failed_by(UMLNET_PROTOCOL, length.error());
  std::string text(*length, '\0');
  if (auto read = run_.read(control_.get(), text.data(), text.size(), deadline); !read)
    return std::unexpected(std::move(read.error()));
  return uml4::decode_text(text);
}

Outcome<HelperSession> HelperSession::open(const Helper& helper, const IfName& device, std::optional<Ipv4> gateway) {
  const std::string doing = "cannot open an ethertap session on " + device.str();
  int control[2], data[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0) return failed_errno(errno, doing);
  unique_fd our_control(control[0]), their_control(control[1]);
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, data) != 0) return failed_errno(errno, doing);
  unique_fd our_data(data[0]), their_data(data[1]);
  // Only ours: O_NONBLOCK is of the end, not of the pair.
  for (const int fd : {our_control.get(), our_data.get()}) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  std::vector<std::string> words = {"4", "ethertap", device.str(), "3"};
  if (gateway) words.push_back(gateway->str());
  auto run = HelperRun::start(helper.path(), std::move(words), their_control.get(), their_data.get());
  if (!run) return std::unexpected(std::move(run.error()));
  their_control.reset();
  their_data.reset();

  HelperSession session(helper, *std::move(run), off_stdio(std::move(our_control)), off_stdio(std::move(our_data)));
  const Deadline until = helper.deadline();
  char granted = 0;
  auto read = session.run_.read(session.control_.get(), &granted, 1, until);
  auto text = read ? session.read_text(until) : std::unexpected(read.error());
  if (!text && text.error().code == UMLNET_TIMEOUT) return std::unexpected(session.run_.hung(doing));
  if (text && granted == 1) {
    session.text_ = *std::move(text);
    return session;
  }
  const auto code = text || text.error().code == UMLNET_CLOSED ? UMLNET_REFUSED : UMLNET_PROTOCOL;
  session.control_.reset();
  session.data_.reset();
  if (!session.run_.succeeded(until)) return std::unexpected(session.run_.hung(doing));
  return std::unexpected(session.run_.failure(code, doing, text ? *text : text.error().message));
}

bool HelperSession::is_over() const {
  pollfd poll{.fd = control_.get(), .events = POLLRDHUP, .revents = 0};
  return !control_ || (::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
}

Outcome<std::string> HelperSession::change_address(AddressChange change, const IfName& device,
                                                   const GuestAddress& address) {
  const std::string doing = "cannot " + in_words(change, device, address);
  const uml4::ControlRecord record{
      .what = change == AddressChange::add ? uml4::ControlRecord::kAdd : uml4::ControlRecord::kDelete,
      .address = address.address,
      .netmask = Ipv4(address.netmask.value())};
  const auto bytes = record.encode();
  if (!control_) return std::unexpected(ended(UMLNET_CLOSED, doing, {}));
  // Twelve bytes on a stream that waits for the answer to each of them: they fit.
  if (::send(control_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) !=
      static_cast<ssize_t>(bytes.size()))
    return std::unexpected(ended(UMLNET_CLOSED, doing, {}));
  auto text = read_text(helper_.deadline());
  if (!text) {
    if (text.error().code == UMLNET_TIMEOUT) {
      control_.reset();  // an answer that comes later would be taken for the next one's
      return std::unexpected(run_.hung(doing));
    }
    return std::unexpected(ended(text.error().code, doing, text.error().message));
  }
  if (text->starts_with("uml_net: ")) return std::unexpected(run_.failure(UMLNET_REFUSED, doing, *text));
  return *std::move(text);
}

Failure HelperSession::ended(umlnet_code code, const std::string& doing, const std::string& why) {
  control_.reset();
  if (!run_.succeeded(helper_.deadline())) return run_.hung(doing);
  return run_.failure(code, doing, why);
}

Outcome<void> HelperSession::close() {
  for (unique_fd* fd : {&control_, &data_}) {
    if (*fd) ::shutdown(fd->get(), SHUT_RDWR);
    fd->reset();
  }
  const std::string doing = "cannot end the ethertap session in order";
  const auto good = run_.succeeded(helper_.deadline());
  if (!good) return std::unexpected(run_.hung(doing));
  if (!*good) return std::unexpected(run_.failure(UMLNET_SYSTEM, doing));
  return {};
}

}  // namespace umlnet::client
