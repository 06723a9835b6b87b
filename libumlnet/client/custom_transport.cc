#include "libumlnet/client/custom_transport.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace umlnet::client {
namespace {

class CustomTransport : public Transport {
 public:
  CustomTransport(const umlnet_transport& functions, void* state) : functions_(functions), state_(state) {}
  ~CustomTransport() override { close_it(); }
  CustomTransport(const CustomTransport&) = delete;
  CustomTransport& operator=(const CustomTransport&) = delete;

  umlnet_code read(std::span<unsigned char> room, std::size_t& size) override {
    return functions_.read(state_, room.data(), room.size(), &size);
  }
  umlnet_code write(std::span<const unsigned char> frame) override {
    return functions_.write(state_, frame.data(), frame.size());
  }

  Outcome<std::string> change_address(AddressChange change, const GuestAddress& address) override {
    const auto function = change == AddressChange::add ? functions_.add_address : functions_.delete_address;
    if (function == nullptr) return std::string();
    umlnet_error error{};
    const auto code = function(state_, address.address.str().c_str(), address.netmask.str().c_str(), &error);
    if (code == UMLNET_OK) return std::string();
    return std::unexpected(failure(code, error));
  }

  int fd() const override { return functions_.fd != nullptr ? functions_.fd(state_) : -1; }
  std::string device() const override {
    const char* name = functions_.device != nullptr ? functions_.device(state_) : nullptr;
    return name != nullptr ? name : "";
  }
  umlnet_framing framing() const override { return UMLNET_CALLBACK; }
  Outcome<void> close() override {
    close_it();
    return {};
  }

  static Failure failure(umlnet_code code, const umlnet_error& error) {
    return {.code = code,
            .errnum = error.errnum,
            .exit_status = error.exit_status,
            .message = error.message,
            .helper = error.helper};
  }

 private:
  void close_it() {
    if (!closed_) functions_.close(state_);
    closed_ = true;
  }

  umlnet_transport functions_;
  void* state_;
  bool closed_ = false;
};

bool is_name(std::string_view name) {
  return !name.empty() && name.size() < sizeof umlnet_setup{}.transport &&
         std::ranges::all_of(
             name,
             [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '_';
             });
}

}  // namespace

Outcome<TransportKind> custom_transport(const umlnet_transport* transport) {
  if (transport == nullptr || transport->size < sizeof(umlnet_transport))
    return failed(UMLNET_INVALID,
                  "the transport's `size` is not sizeof(umlnet_transport): begin with UMLNET_TRANSPORT_INIT");
  if (transport->name == nullptr || !is_name(transport->name))
    return failed(UMLNET_INVALID, "a transport's name is 1 to 31 letters, digits, '-' or '_'");
  if (transport->open == nullptr || transport->read == nullptr || transport->write == nullptr ||
      transport->close == nullptr)
    return failed(UMLNET_INVALID,
                  std::string("the transport ") + transport->name + " must have open, read, write and close");
  TransportKind kind{.name = transport->name, .needs_device = transport->needs_device != 0, .open = {}};
  kind.open = [functions = *transport](const Setup& setup,
                                       const Options& options) -> Outcome<std::unique_ptr<Transport>> {
    const umlnet_setup c_setup = setup.as_c();
    const umlnet_options c_options = options.as_c();
    void* state = nullptr;
    umlnet_error error{};
    const auto code = functions.open(functions.user, &c_setup, &c_options, &state, &error);
    if (code != UMLNET_OK) return std::unexpected(CustomTransport::failure(code, error));
    return std::make_unique<CustomTransport>(functions, state);
  };
  return kind;
}

}  // namespace umlnet::client
