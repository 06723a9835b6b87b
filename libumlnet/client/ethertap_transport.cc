#include "libumlnet/client/ethertap_transport.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

#include "libumlnet/client/helper_session.h"
#include "libumlnet/core/ethertap_frame.h"

namespace umlnet::client {
namespace {

using ethertap::kLongestFrame, ethertap::kPadding, ethertap::kShortestFrame;

class EthertapTransport : public Transport {
 public:
  EthertapTransport(IfName device, HelperSession session) : device_(std::move(device)), session_(std::move(session)) {}

  umlnet_code read(std::span<unsigned char> room, std::size_t& size) override {
    unsigned char padding[kPadding];
    iovec parts[] = {{.iov_base = padding, .iov_len = kPadding}, {.iov_base = room.data(), .iov_len = room.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    ssize_t taken = -1;
    do {
      taken = ::recvmsg(session_.data(), &message, MSG_DONTWAIT | MSG_TRUNC);
    } while (taken < 0 && errno == EINTR);
    // A datagram socket does not tell that its other end is gone; the control stream does.
    if (taken < 0) return errno == EAGAIN && !session_.is_over() ? UMLNET_AGAIN : UMLNET_CLOSED;
    if (taken == 0) return UMLNET_CLOSED;  // shut down at the other end: uml_net sends no empty datagram
    const auto datagram = static_cast<std::size_t>(taken);
    if (datagram < kPadding + kShortestFrame || datagram - kPadding > room.size()) return UMLNET_PROTOCOL;
    size = datagram - kPadding;
    return UMLNET_OK;
  }

  umlnet_code write(std::span<const unsigned char> frame) override {
    if (frame.size() < kShortestFrame || frame.size() > kLongestFrame) return UMLNET_PROTOCOL;
    unsigned char padding[kPadding] = {};
    iovec parts[] = {{.iov_base = padding, .iov_len = kPadding},
                     {.iov_base = const_cast<unsigned char*>(frame.data()), .iov_len = frame.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    ssize_t sent = -1;
    do {
      sent = ::sendmsg(session_.data(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) return UMLNET_OK;
    return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? UMLNET_AGAIN : UMLNET_CLOSED;
  }

  Outcome<std::string> change_address(AddressChange change, const GuestAddress& address) override {
    return session_.change_address(change, device_, address);
  }

  int fd() const override { return session_.data(); }
  std::string device() const override { return device_.str(); }
  umlnet_framing framing() const override { return UMLNET_ETHERTAP; }
  Outcome<void> close() override { return session_.close(); }

 private:
  IfName device_;
  HelperSession session_;
};

Outcome<std::unique_ptr<Transport>> open(const Setup& setup, const Options& options) {
  const auto helper = Helper::find(options.helper(), options.timeout_ms());
  if (!helper) return std::unexpected(helper.error());
  auto session = HelperSession::open(*helper, *setup.device, setup.gateway);
  if (!session) return std::unexpected(std::move(session.error()));
  options.note(session->text());
  return std::make_unique<EthertapTransport>(*setup.device, *std::move(session));
}

}  // namespace

TransportKind ethertap_transport() { return {.name = "ethertap", .needs_device = true, .open = open}; }

}  // namespace umlnet::client
