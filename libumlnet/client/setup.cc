#include "libumlnet/client/setup.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "libumlnet/client/transport_registry.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::client {
namespace {

constexpr std::size_t kMostFields = 4;

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> fields;
  for (;;) {
    const auto comma = text.find(',');
    fields.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return fields;
    text.remove_prefix(comma + 1);
  }
}

std::string known_transports() {
  std::string names;
  for (std::size_t i = 0; const TransportKind* kind = transport_number(i); ++i)
    names += (i > 0 ? ", " : "") + kind->name;
  return names;
}

void put(std::span<char> field, std::string_view text) {
  std::memcpy(field.data(), text.data(), std::min(text.size(), field.size() - 1));
}

}  // namespace

umlnet_setup Setup::as_c() const {
  umlnet_setup setup{};
  put(setup.transport, transport);
  if (device) put(setup.device, device->str());
  if (gateway) put(setup.gateway, gateway->str());
  if (mac) std::ranges::copy(mac->bytes(), setup.mac);
  setup.has_mac = mac ? 1 : 0;
  return setup;
}

Outcome<Setup> parse_setup(std::string_view text) {
  const auto wrong = [&](const std::string& why) {
    return failed(UMLNET_INVALID, "the setup string " + in_quotes(text) + ": " + why);
  };
  const auto fields = split(text);
  const auto field = [&](std::size_t i) { return i < fields.size() ? fields[i] : std::string_view{}; };

  const TransportKind* kind = find_transport(fields[0]);
  if (kind == nullptr) return wrong(in_quotes(fields[0]) + " is no transport; known are " + known_transports());
  const std::string form = kind->name + (kind->needs_device ? ",DEV[,MAC[,GATE]]" : "[,DEV[,MAC[,GATE]]]");
  if (fields.size() > kMostFields) return wrong("it has too many fields; the form is " + form);

  Setup setup{.transport = kind->name, .device = {}, .mac = {}, .gateway = {}};
  if (!field(1).empty()) {
    setup.device = IfName::parse(field(1));
    if (!setup.device)
      return wrong(in_quotes(field(1)) + " is not a device name (1 to 15 letters, digits and the like)");
  } else if (kind->needs_device) {
    return wrong("the device name is missing; the form is " + form);
  }
  if (!field(2).empty()) {
    setup.mac = MacAddress::parse(field(2));
    if (!setup.mac) return wrong(in_quotes(field(2)) + " is not the MAC address of an interface, as in fe:fd:0:0:0:1");
  }
  if (!field(3).empty()) {
    setup.gateway = Ipv4::parse(field(3));
    if (!setup.gateway)
      return wrong("the gateway " + in_quotes(field(3)) + " is not an IPv4 address, as in 10.0.0.254");
  }
  return setup;
}

}  // namespace umlnet::client

extern "C" umlnet_code umlnet_setup_parse(const char* text, umlnet_setup* setup, umlnet_error* error) {
  using namespace umlnet::client;
  return at_border(error, [&]() -> Outcome<void> {
    if (text == nullptr || setup == nullptr)
      return failed(UMLNET_INVALID, "umlnet_setup_parse() wants a text and room for what it says");
    const auto parsed = parse_setup(text);
    if (!parsed) return std::unexpected(parsed.error());
    *setup = parsed->as_c();
    return {};
  });
}
