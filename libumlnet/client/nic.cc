// umlnet_nic: one network interface of a guest, and the addresses that the guest has on it.
#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>
#include <vector>

#include "libumlnet/client/setup.h"
#include "libumlnet/client/transport_registry.h"
#include "libumlnet/core/plain_text.h"

using namespace umlnet;
using namespace umlnet::client;

struct umlnet_nic {
  Setup setup;
  umlnet_setup c_setup;
  Options options;
  std::vector<GuestAddress> addresses;
  std::unique_ptr<Transport> transport;  // null: closed
  std::string device;
};

namespace {

// As User-Mode Linux says it.
constexpr char kSameAddress[] = "The tap IP address and the UML eth IP address must be different\n";

std::optional<Ipv4Mask> parse_netmask(std::string_view text) {
  if (auto mask = Ipv4Mask::parse(text)) return mask;
  unsigned length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc{} || end != text.data() + text.size() || length > 32 || text.size() > 2) return std::nullopt;
  return Ipv4Mask(length);
}

Outcome<GuestAddress> parse_guest_address(const char* address, const char* netmask) {
  const auto parsed = Ipv4::parse(address != nullptr ? address : "");
  if (!parsed)
    return failed(UMLNET_INVALID, "the guest's address " + in_quotes(address != nullptr ? address : "", 40) +
                                      " is not an IPv4 address, as in 10.0.0.1");
  const auto mask = parse_netmask(netmask != nullptr ? netmask : "");
  if (!mask)
    return failed(UMLNET_INVALID, "the netmask " + in_quotes(netmask != nullptr ? netmask : "", 40) +
                                      " is none: write 24, or 255.255.255.0");
  return GuestAddress{*parsed, *mask};
}

Outcome<void> announce(umlnet_nic& nic, const GuestAddress& address) {
  if (nic.setup.gateway == address.address) nic.options.note(kSameAddress);
  auto said = nic.transport->change_address(AddressChange::add, address);
  if (!said) return std::unexpected(std::move(said.error()));
  nic.options.note(*said);
  return {};
}

Outcome<void> withdraw(umlnet_nic& nic, const GuestAddress& address) {
  auto said = nic.transport->change_address(AddressChange::remove, address);
  if (!said) return std::unexpected(std::move(said.error()));
  nic.options.note(*said);
  return {};
}

// Withdraws the first `count` addresses, the last one first, and closes; the first failure of all.
Outcome<void> close_with(umlnet_nic& nic, std::size_t count) {
  Outcome<void> outcome;
  const auto keep_first = [&](Outcome<void> step) {
    if (!step && outcome) outcome = std::move(step);
  };
  while (count > 0) keep_first(withdraw(nic, nic.addresses[--count]));
  keep_first(nic.transport->close());
  nic.transport.reset();
  nic.device.clear();
  return outcome;
}

Outcome<void> open_nic(umlnet_nic& nic) {
  if (nic.transport) return failed(UMLNET_STATE, "the interface is open already");
  auto transport = find_transport(nic.setup.transport)->open(nic.setup, nic.options);
  if (!transport) return std::unexpected(std::move(transport.error()));
  nic.transport = *std::move(transport);
  nic.device = nic.transport->device();
  for (std::size_t i = 0; i < nic.addresses.size(); ++i) {
    auto announced = announce(nic, nic.addresses[i]);
    if (announced) continue;
    [[maybe_unused]] const auto closed = close_with(nic, i);  // the refusal is what the caller must know
    return announced;
  }
  return {};
}

std::unexpected<Failure> no_nic() { return failed(UMLNET_INVALID, "there is no interface: the umlnet_nic is NULL"); }

}  // namespace

extern "C" {

umlnet_code umlnet_nic_new(const char* setup, const umlnet_options* options, umlnet_nic** nic, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (setup == nullptr || nic == nullptr)
      return failed(UMLNET_INVALID, "umlnet_nic_new() wants a setup string, and a place for the interface");
    auto parsed = parse_setup(setup);
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    const auto c_setup = parsed->as_c();
    *nic = new umlnet_nic{*std::move(parsed), c_setup, Options(options), {}, {}, {}};
    return {};
  });
}

umlnet_code umlnet_nic_open(umlnet_nic* nic, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (nic == nullptr) return no_nic();
    return open_nic(*nic);
  });
}

umlnet_code umlnet_nic_close(umlnet_nic* nic, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (nic == nullptr) return no_nic();
    if (!nic->transport) return {};
    return close_with(*nic, nic->addresses.size());
  });
}

void umlnet_nic_free(umlnet_nic* nic) {
  if (nic != nullptr) umlnet_nic_close(nic, nullptr);
  delete nic;
}

umlnet_code umlnet_nic_add_address(umlnet_nic* nic, const char* address, const char* netmask, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (nic == nullptr) return no_nic();
    const auto parsed = parse_guest_address(address, netmask);
    if (!parsed) return std::unexpected(parsed.error());
    if (std::ranges::find(nic->addresses, *parsed) != nic->addresses.end()) return {};
    nic->addresses.reserve(nic->addresses.size() + 1);
    if (nic->transport)
      if (auto announced = announce(*nic, *parsed); !announced) return announced;
    nic->addresses.push_back(*parsed);
    return {};
  });
}

umlnet_code umlnet_nic_delete_address(umlnet_nic* nic, const char* address, const char* netmask, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (nic == nullptr) return no_nic();
    const auto parsed = parse_guest_address(address, netmask);
    if (!parsed) return std::unexpected(parsed.error());
    const auto found = std::ranges::find(nic->addresses, *parsed);
    if (found == nic->addresses.end()) return {};
    if (nic->transport)
      if (auto withdrawn = withdraw(*nic, *parsed); !withdrawn) return withdrawn;
    nic->addresses.erase(found);
    return {};
  });
}

int umlnet_nic_fd(const umlnet_nic* nic) { return nic != nullptr && nic->transport ? nic->transport->fd() : -1; }

const char* umlnet_nic_device(const umlnet_nic* nic) { return nic != nullptr ? nic->device.c_str() : ""; }

const umlnet_setup* umlnet_nic_setup(const umlnet_nic* nic) { return nic != nullptr ? &nic->c_setup : nullptr; }

umlnet_code umlnet_nic_read(umlnet_nic* nic, void* frame, size_t room, size_t* size) {
  if (nic == nullptr || frame == nullptr || size == nullptr) return UMLNET_INVALID;
  if (!nic->transport) return UMLNET_STATE;
  return nic->transport->read({static_cast<unsigned char*>(frame), room}, *size);
}

umlnet_code umlnet_nic_write(umlnet_nic* nic, const void* frame, size_t size) {
  if (nic == nullptr || frame == nullptr) return UMLNET_INVALID;
  if (!nic->transport) return UMLNET_STATE;
  return nic->transport->write({static_cast<const unsigned char*>(frame), size});
}

umlnet_code umlnet_end_of_nic(umlnet_nic* nic, umlnet_end* end, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (nic == nullptr || end == nullptr) return no_nic();
    if (!nic->transport)
      return failed(UMLNET_STATE, "the interface is closed, so that there is no end of it to pump from");
    umlnet_end filled = UMLNET_END_INIT;
    filled.framing = nic->transport->framing();
    filled.fd = nic->transport->fd();
    filled.name = nic->device.c_str();
    if (filled.framing == UMLNET_CALLBACK) {
      filled.read = [](void* user, void* frame, size_t room, size_t* size) {
        return umlnet_nic_read(static_cast<umlnet_nic*>(user), frame, room, size);
      };
      filled.write = [](void* user, const void* frame, size_t size) {
        return umlnet_nic_write(static_cast<umlnet_nic*>(user), frame, size);
      };
      filled.user = nic;
    }
    *end = filled;
    return {};
  });
}

const char* umlnet_version(void) { return UMLNET_LIBRARY_VERSION; }

}  // extern "C"
