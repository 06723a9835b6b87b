// A network of the host's, as --net and the ends of `umlnet pump` name it: what uml_net makes, or a TAP that is there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libumlnet/cli/device_options.h"
#include "libumlnet/cli/helper_options.h"
#include "libumlnet/cli/trouble.h"

namespace umlnet::cli {

class Network {
 public:
  // A setup string ("tuntap,,,10.0.0.254"), or tap:DEV[,vnet=10|12]. Looks at the words only.
  static Outcome<std::unique_ptr<Network>> named(const std::string& words, const HelperOptions& options);
  // A device that uml_net makes by its native protocol. Where `words` are not "tap", they are a setup string that says
  // more of it: the gateway, and the guest's MAC address. Nobody is asked before open().
  static Outcome<std::unique_ptr<Network>> asked_for(const std::string& words, DeviceOptions device,
                                                     const HelperOptions& options);
  virtual ~Network() = default;

  // It is made by uml_net, which can be told of the guest's addresses.
  virtual bool takes_addresses() const { return false; }
  // ADDR[/LEN] that the guest will have; LEN is 32 where it is not given. Before open().
  virtual Outcome<void> add_address(const std::string& words);
  virtual Outcome<void> open() = 0;
  // Addresses are withdrawn, then the device is closed. Once; the destructor does it where it was not done, silently.
  virtual Outcome<void> close() = 0;

  const std::string& words() const { return words_; }
  // The command could be given its descriptors: it is no session of ethertap.
  virtual bool is_for_commands() const { return true; }
  // How many there will be, known before open().
  virtual std::size_t fd_count() const { return 1; }
  virtual std::vector<int> fds() const = 0;
  // It stays without them: the command may attach to it by its name.
  virtual bool is_persistent() const { return false; }
  virtual std::string device() const = 0;
  // The name lives as long as this object.
  virtual Outcome<umlnet_end> end() = 0;

 protected:
  explicit Network(std::string words) : words_(std::move(words)) {}

 private:
  std::string words_;
};

}  // namespace umlnet::cli
