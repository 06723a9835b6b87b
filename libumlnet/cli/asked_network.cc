// Network::asked_for(): a device of the native protocol.
#include <sysexits.h>

#include <array>
#include <cstddef>
#include <cstdio>

#include "libumlnet/cli/network.h"

namespace umlnet::cli {
namespace {

class AskedNetwork : public Network {
 public:
  AskedNetwork(const std::string& words, DeviceOptions device, const HelperOptions& options)
      : Network(words), wanted_(std::move(device)), options_(options) {}

  bool takes_addresses() const override { return true; }
  Outcome<void> add_address(const std::string& words) override {
    if (words.find('/') != std::string::npos)
      return trouble(EX_USAGE, "the address " + words + " has a length, and with " + what_asks() +
                                   " it is published where policy and the host's routes say: write it without");
    wanted_.add_guest(words);
    return {};
  }
  Outcome<void> open() override {
    umlnet_error error;
    const umlnet_options for_library = options_.for_library();
    umlnet_device* device = nullptr;
    const auto code = wanted_.with_request([&](const umlnet_device_request& request) {
      return umlnet_device_open(&request, &for_library, &device, &error);
    });
    if (code != UMLNET_OK) return trouble(error);
    device_.reset(device);
    return {};
  }
  Outcome<void> close() override {
    device_.reset();
    return {};
  }

  std::size_t fd_count() const override { return wanted_.fd_count(); }
  std::vector<int> fds() const override {
    std::vector<int> fds(umlnet_device_describe(device_.get())->fd_count);
    for (std::size_t i = 0; i < fds.size(); ++i) fds[i] = umlnet_device_fd(device_.get(), i);
    return fds;
  }
  bool is_persistent() const override { return wanted_.is_persistent(); }
  std::string device() const override { return umlnet_device_describe(device_.get())->name; }
  Outcome<umlnet_end> end() override {
    umlnet_end end = UMLNET_END_INIT;
    umlnet_error error;
    if (umlnet_end_of_device(device_.get(), &end, &error) != UMLNET_OK) return trouble(error);
    return end;
  }

 private:
  struct Free {
    void operator()(umlnet_device* device) const { umlnet_device_free(device); }
  };
  // For messages: what makes it a device of the native protocol.
  std::string what_asks() const { return wanted_.first().empty() ? "--net " + words() : wanted_.first(); }

  DeviceOptions wanted_;
  const HelperOptions& options_;
  std::unique_ptr<umlnet_device, Free> device_;
};

}  // namespace

Outcome<std::unique_ptr<Network>> Network::asked_for(const std::string& words, DeviceOptions device,
                                                     const HelperOptions& options) {
  if (words == "tap") return std::make_unique<AskedNetwork>(words, std::move(device), options);
  const auto not_new = [&] {
    return misuse(device.first() + " asks uml_net for a new device, and " + words +
                  " is another network: take --gateway or --net tap");
  };
  if (!words.starts_with("tuntap")) return not_new();
  umlnet_setup setup;
  umlnet_error error;
  if (umlnet_setup_parse(words.c_str(), &setup, &error) != UMLNET_OK) return trouble(error);
  if (std::string(setup.transport) != "tuntap" || setup.device[0] != '\0') return not_new();
  if (setup.gateway[0] != '\0') device.add_host_address(setup.gateway);
  if (setup.has_mac != 0) {
    std::array<char, 18> mac;
    std::snprintf(mac.data(), mac.size(), "%02x:%02x:%02x:%02x:%02x:%02x", setup.mac[0], setup.mac[1], setup.mac[2],
                  setup.mac[3], setup.mac[4], setup.mac[5]);
    device.add_guest_mac(mac.data());
  }
  return std::make_unique<AskedNetwork>(words, std::move(device), options);
}

}  // namespace umlnet::cli
