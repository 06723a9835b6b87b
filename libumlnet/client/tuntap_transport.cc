#include "libumlnet/client/tuntap_transport.h"

#include <fcntl.h>

#include "libumlnet/client/tap_frames.h"
#include "libumlnet/client/tun_attach.h"

namespace umlnet::client {
namespace {

class TapTransport : public Transport {
 public:
  TapTransport(IfName device, unique_fd fd, std::optional<Helper> helper)
      : device_(std::move(device)), fd_(std::move(fd)), helper_(std::move(helper)) {}

  umlnet_code read(std::span<unsigned char> room, std::size_t& size) override {
    return read_tap_frame(fd_.get(), room, size);
  }
  umlnet_code write(std::span<const unsigned char> frame) override { return write_tap_frame(fd_.get(), frame); }

  Outcome<std::string> change_address(AddressChange change, const GuestAddress& address) override {
    if (!helper_) return std::string();  // the administrator who made the device has seen to its routes
    return helper_->change_address(change, device_, address);
  }

  int fd() const override { return fd_.get(); }
  std::string device() const override { return device_.str(); }
  umlnet_framing framing() const override { return UMLNET_TAP; }
  Outcome<void> close() override { return {}; }

 private:
  IfName device_;
  unique_fd fd_;
  std::optional<Helper> helper_;
};

Outcome<std::unique_ptr<Transport>> open(const Setup& setup, const Options& options) {
  if (setup.device) {
    auto fd = attach_tap(*setup.device, 0);
    if (!fd) return std::unexpected(std::move(fd.error()));
    return std::make_unique<TapTransport>(*setup.device, *std::move(fd), std::nullopt);
  }
  auto helper = Helper::find(options.helper(), options.timeout_ms());
  if (!helper) return std::unexpected(std::move(helper.error()));
  auto tap = helper->tuntap_up(setup.gateway);
  if (!tap) return std::unexpected(std::move(tap.error()));
  ::fcntl(tap->fd.get(), F_SETFL, ::fcntl(tap->fd.get(), F_GETFL) | O_NONBLOCK);
  options.note(tap->text);
  return std::make_unique<TapTransport>(tap->device, std::move(tap->fd), *std::move(helper));
}

}  // namespace

TransportKind tuntap_transport() { return {.name = "tuntap", .needs_device = false, .open = open}; }

}  // namespace umlnet::client
