#include "libumlnet/cli/network.h"

#include <sysexits.h>

#include "libumlnet/cli/vnet_header.h"
#include "libumlnet/cli/words.h"

namespace umlnet::cli {
namespace {

constexpr char kTapPrefix[] = "tap:";

}  // namespace

Outcome<Network> Network::named(const std::string& words, const HelperOptions& options) {
  Network network(words);
  if (words.starts_with(kTapPrefix)) {
    const auto fields = split(words.substr(sizeof kTapPrefix - 1), ',');
    network.tap_device_ = fields[0];
    if (fields[0].empty() || fields.size() > 2)
      return trouble(EX_DATAERR, "\"" + words + "\": the form is tap:DEV[,vnet=10|12]");
    if (fields.size() == 2) {
      const auto size = parse_vnet_header(fields[1]);
      if (!size) return trouble(EX_DATAERR, "\"" + words + "\": " + size.error());
      network.vnet_hdr_ = *size;
    }
    return network;
  }
  umlnet_error error;
  const umlnet_options for_library = options.for_library();
  umlnet_nic* nic = nullptr;
  if (umlnet_nic_new(words.c_str(), &for_library, &nic, &error) != UMLNET_OK) return trouble(error);
  network.nic_.reset(nic);
  return network;
}

bool Network::takes_addresses() const {
  return nic_ != nullptr && (!is_tap() || umlnet_nic_setup(nic_.get())->device[0] == '\0');
}

Outcome<void> Network::add_address(const std::string& words) {
  // The library would leave it out in silence.
  if (!takes_addresses())
    return trouble(EX_USAGE, "the address " + words + " cannot be announced for " + words_ +
                                 ": its device was there before, and who made it sees to its routes");
  const auto slash = words.find('/');
  const std::string address = words.substr(0, slash);
  const std::string length = slash == std::string::npos ? "32" : words.substr(slash + 1);
  umlnet_error error;
  if (umlnet_nic_add_address(nic_.get(), address.c_str(), length.c_str(), &error) != UMLNET_OK) return trouble(error);
  return {};
}

Outcome<void> Network::open() {
  umlnet_error error;
  if (nic_ != nullptr) {
    if (umlnet_nic_open(nic_.get(), &error) != UMLNET_OK) return trouble(error);
    return {};
  }
  int fd = -1;
  if (umlnet_tap_attach(tap_device_.c_str(), vnet_hdr_, &fd, &error) != UMLNET_OK) return trouble(error);
  tap_.reset(fd);
  return {};
}

Outcome<void> Network::close() {
  tap_.reset();
  if (nic_ == nullptr) return {};
  umlnet_error error;
  const auto closed = umlnet_nic_close(nic_.get(), &error);
  nic_.reset();
  if (closed != UMLNET_OK) return trouble(error);
  return {};
}

bool Network::is_tap() const {
  return nic_ == nullptr || std::string(umlnet_nic_setup(nic_.get())->transport) == "tuntap";
}

int Network::fd() const { return nic_ != nullptr ? umlnet_nic_fd(nic_.get()) : tap_.get(); }

std::string Network::device() const { return nic_ != nullptr ? umlnet_nic_device(nic_.get()) : tap_device_; }

Outcome<umlnet_end> Network::end() {
  umlnet_end end = UMLNET_END_INIT;
  if (nic_ != nullptr) {
    umlnet_error error;
    if (umlnet_end_of_nic(nic_.get(), &end, &error) != UMLNET_OK) return trouble(error);
    return end;
  }
  end.framing = UMLNET_TAP;
  end.fd = tap_.get();
  end.vnet_hdr = vnet_hdr_;
  end.offloads = offloads_of_tap(vnet_hdr_);
  end.name = tap_device_.c_str();
  return end;
}

}  // namespace umlnet::cli
