#include "libumlnet/cli/network.h"

#include <sysexits.h>

#include "libumlnet/cli/vnet_header.h"
#include "libumlnet/cli/words.h"

namespace umlnet::cli {
namespace {

constexpr char kTapPrefix[] = "tap:";

// By a setup string: an interface of the library's.
class SetupNetwork : public Network {
 public:
  static Outcome<std::unique_ptr<Network>> named(const std::string& words, const HelperOptions& options) {
    auto network = std::make_unique<SetupNetwork>(words);
    umlnet_error error;
    const umlnet_options for_library = options.for_library();
    umlnet_nic* nic = nullptr;
    if (umlnet_nic_new(words.c_str(), &for_library, &nic, &error) != UMLNET_OK) return trouble(error);
    network->nic_.reset(nic);
    return network;
  }
  explicit SetupNetwork(const std::string& words) : Network(words) {}

  bool takes_addresses() const override {
    return !is_for_commands() || umlnet_nic_setup(nic_.get())->device[0] == '\0';
  }
  Outcome<void> add_address(const std::string& words) override {
    // The library would leave it out in silence.
    if (!takes_addresses()) return Network::add_address(words);
    const auto slash = words.find('/');
    const std::string address = words.substr(0, slash);
    const std::string length = slash == std::string::npos ? "32" : words.substr(slash + 1);
    umlnet_error error;
    if (umlnet_nic_add_address(nic_.get(), address.c_str(), length.c_str(), &error) != UMLNET_OK) return trouble(error);
    return {};
  }
  Outcome<void> open() override {
    umlnet_error error;
    if (umlnet_nic_open(nic_.get(), &error) != UMLNET_OK) return trouble(error);
    return {};
  }
  Outcome<void> close() override {
    if (nic_ == nullptr) return {};
    umlnet_error error;
    const auto closed = umlnet_nic_close(nic_.get(), &error);
    nic_.reset();
    if (closed != UMLNET_OK) return trouble(error);
    return {};
  }

  bool is_for_commands() const override { return std::string(umlnet_nic_setup(nic_.get())->transport) == "tuntap"; }
  std::vector<int> fds() const override { return {umlnet_nic_fd(nic_.get())}; }
  std::string device() const override { return umlnet_nic_device(nic_.get()); }
  Outcome<umlnet_end> end() override {
    umlnet_end end = UMLNET_END_INIT;
    umlnet_error error;
    if (umlnet_end_of_nic(nic_.get(), &end, &error) != UMLNET_OK) return trouble(error);
    return end;
  }

 private:
  struct Free {
    void operator()(umlnet_nic* nic) const { umlnet_nic_free(nic); }
  };
  std::unique_ptr<umlnet_nic, Free> nic_;
};

// tap:DEV
class AttachedTap : public Network {
 public:
  static Outcome<std::unique_ptr<Network>> named(const std::string& words) {
    auto network = std::make_unique<AttachedTap>(words);
    const auto fields = split(words.substr(sizeof kTapPrefix - 1), ',');
    network->device_ = fields[0];
    if (fields[0].empty() || fields.size() > 2) return malformed(words, "the form is tap:DEV[,vnet=10|12]");
    if (fields.size() == 2) {
      const auto size = parse_vnet_header(words, fields[1]);
      if (!size) return std::unexpected(size.error());
      network->vnet_hdr_ = *size;
    }
    return network;
  }
  explicit AttachedTap(const std::string& words) : Network(words) {}

  Outcome<void> open() override {
    umlnet_error error;
    int fd = -1;
    if (umlnet_tap_attach(device_.c_str(), vnet_hdr_, &fd, &error) != UMLNET_OK) return trouble(error);
    fd_.reset(fd);
    return {};
  }
  Outcome<void> close() override {
    fd_.reset();
    return {};
  }
  std::vector<int> fds() const override { return {fd_.get()}; }
  std::string device() const override { return device_; }
  Outcome<umlnet_end> end() override {
    umlnet_end end = UMLNET_END_INIT;
    end.framing = UMLNET_TAP;
    end.fd = fd_.get();
    end.vnet_hdr = vnet_hdr_;
    end.offloads = offloads_of_tap(vnet_hdr_);
    end.name = device_.c_str();
    return end;
  }

 private:
  std::string device_;
  unsigned vnet_hdr_ = 0;
  unique_fd fd_;
};

}  // namespace

Outcome<void> Network::add_address(const std::string& words) {
  return trouble(EX_USAGE, "the address " + words + " cannot be announced for " + words_ +
                               ": its device was there before, and who made it sees to its routes");
}

Outcome<std::unique_ptr<Network>> Network::named(const std::string& words, const HelperOptions& options) {
  return words.starts_with(kTapPrefix) ? AttachedTap::named(words) : SetupNetwork::named(words, options);
}

}  // namespace umlnet::cli
