// A network of the host's, as --net and the ends of `umlnet pump` name it: what uml_net makes, or a TAP that is there.
#pragma once

#include <memory>
#include <string>

#include "libumlnet/cli/helper_options.h"
#include "libumlnet/cli/open_fd.h"
#include "libumlnet/cli/trouble.h"

namespace umlnet::cli {

class Network {
 public:
  // A setup string ("tuntap,,,10.0.0.254"), or tap:DEV[,vnet=10|12]. Looks at the words only.
  static Outcome<Network> named(const std::string& words, const HelperOptions& options);
  Network(Network&&) = default;

  // It is made by uml_net, which can be told of the guest's addresses.
  bool takes_addresses() const;
  // ADDR[/LEN] that the guest will have; LEN is 32 where it is not given. Before open().
  Outcome<void> add_address(const std::string& words);
  Outcome<void> open();
  // Addresses are withdrawn, then the device is closed. Once; the destructor does it where it was not done, silently.
  Outcome<void> close();

  const std::string& words() const { return words_; }
  // The command could be given it as a TAP: it is no session of ethertap.
  bool is_tap() const;
  int fd() const;
  std::string device() const;
  // The name lives as long as this object.
  Outcome<umlnet_end> end();

 private:
  struct FreeNic {
    void operator()(umlnet_nic* nic) const { umlnet_nic_free(nic); }
  };

  explicit Network(std::string words) : words_(std::move(words)) {}

  std::string words_;
  std::unique_ptr<umlnet_nic, FreeNic> nic_;
  // Of tap:DEV, where there is no nic_.
  std::string tap_device_;
  unsigned vnet_hdr_ = 0;
  OpenFd tap_;
};

}  // namespace umlnet::cli
