// A transport: a way in which a guest's interface reaches the host. One kind is registered under a name; each open
// interface has one of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "libumlnet/client/failure.h"
#include "libumlnet/client/helper.h"
#include "libumlnet/core/ifname.h"
#include "libumlnet/core/ipv4.h"
#include "libumlnet/core/mac_address.h"

namespace umlnet::client {

// A setup string, understood.
struct Setup {
  std::string transport;
  std::optional<IfName> device;
  std::optional<MacAddress> mac;
  std::optional<Ipv4> gateway;

  umlnet_setup as_c() const;
};

// umlnet_options, copied.
class Options {
 public:
  explicit Options(const umlnet_options* options);

  const char* helper() const { return helper_ ? helper_->c_str() : nullptr; }
  int timeout_ms() const { return options_.timeout_ms; }
  // Tells the host program; nothing where `text` is empty.
  void note(const std::string& text) const;
  // As the C ABI has it; valid as long as this object.
  umlnet_options as_c() const;

 private:
  umlnet_options options_;
  std::optional<std::string> helper_;
};

// An open interface. Reading and writing: one frame, never blocking, the codes of umlnet_nic_read() and _write().
class Transport {
 public:
  virtual ~Transport() = default;
  virtual umlnet_code read(std::span<unsigned char> room, std::size_t& size) = 0;
  virtual umlnet_code write(std::span<const unsigned char> frame) = 0;
  // What the host says to it.
  virtual Outcome<std::string> change_address(AddressChange change, const GuestAddress& address) = 0;
  virtual int fd() const = 0;              // -1: none
  virtual std::string device() const = 0;  // "": none
  virtual umlnet_framing framing() const = 0;
  // An orderly end. The destructor does the rest.
  virtual Outcome<void> close() = 0;
};

struct TransportKind {
  std::string name;
  bool needs_device = false;
  std::function<Outcome<std::unique_ptr<Transport>>(const Setup&, const Options&)> open;
};

}  // namespace umlnet::client
