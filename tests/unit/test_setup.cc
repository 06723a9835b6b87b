#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "libumlnet/client/setup.h"
#include "libumlnet/client/transport_registry.h"
#include "tests/unit/qemu_user.h"

using namespace umlnet;
using namespace umlnet::client;

namespace {

std::string why_not(std::string_view text) {
  const auto setup = parse_setup(text);
  REQUIRE_FALSE(setup);
  CHECK(setup.error().code == UMLNET_INVALID);
  CHECK(setup.error().message.find('\n') == std::string::npos);
  return setup.error().message;
}

}  // namespace

TEST_CASE("setup strings: an empty field is one that is not given") {
  for (const auto* text : {"tuntap", "tuntap,", "tuntap,,", "tuntap,,,"}) {
    const auto setup = parse_setup(text);
    REQUIRE(setup);
    CHECK(setup->transport == "tuntap");
    CHECK_FALSE(setup->device);
    CHECK_FALSE(setup->mac);
    CHECK_FALSE(setup->gateway);
  }
  const auto gateway_only = parse_setup("tuntap,,,10.0.0.254");
  REQUIRE(gateway_only);
  CHECK_FALSE(gateway_only->device);
  CHECK(gateway_only->gateway->str() == "10.0.0.254");
}

TEST_CASE("setup strings: all four fields") {
  const auto setup = parse_setup("tuntap,tap0,fe:fd:0:0:0:1,10.0.0.1");
  REQUIRE(setup);
  CHECK(setup->device->str() == "tap0");
  CHECK(setup->mac->str() == "fe:fd:00:00:00:01");
  CHECK(setup->gateway->str() == "10.0.0.1");
  const umlnet_setup c = setup->as_c();
  CHECK(c.transport == std::string("tuntap"));
  CHECK(c.device == std::string("tap0"));
  CHECK(c.gateway == std::string("10.0.0.1"));
  CHECK(c.has_mac == 1);
  CHECK(c.mac[5] == 1);
}

TEST_CASE("setup strings: ethertap needs a device name") {
  CHECK(parse_setup("ethertap,tap7"));
  CHECK(parse_setup("ethertap,tap7,,10.0.0.254"));
  for (const auto* text : {"ethertap", "ethertap,", "ethertap,,fe:fd:0:0:0:1", "ethertap,,,10.0.0.254"})
    CHECK(why_not(text).find("the device name is missing; the form is ethertap,DEV[,MAC[,GATE]]") != std::string::npos);
}

TEST_CASE("setup strings: what is wrong is said") {
  const struct {
    const char* text;
    const char* why;
  } cases[] = {
      {"", "\"\" is no transport; known are tuntap, ethertap"},
      {"slirp", "\"slirp\" is no transport"},
      {"Tuntap", "is no transport"},
      {"tuntap ", "is no transport"},
      {"tuntap,tap0,fe:fd:0:0:0:1,10.0.0.1,more", "too many fields"},
      {"tuntap,,,,", "too many fields"},
      {"tuntap,a name", "is not a device name"},
      {"tuntap,tap%d", "is not a device name"},
      {"tuntap,0123456789abcdef", "is not a device name"},
      {"tuntap,,fe:fd:0:0:0", "is not the MAC address"},
      {"tuntap,,fe:fd:0:0:0:1:2", "is not the MAC address"},
      {"tuntap,,01:00:5e:0:0:1", "is not the MAC address"},
      {"tuntap,,0:0:0:0:0:0", "is not the MAC address"},
      {"tuntap,,,10.0.0", "the gateway \"10.0.0\" is not an IPv4 address"},
      {"tuntap,,,10.0.0.256", "is not an IPv4 address"},
      {"tuntap,,,\x1b[31m", "the gateway \"\\x1b[31m\""},
  };
  for (const auto& [text, why] : cases) {
    CAPTURE(text);
    const auto said = why_not(text);
    CAPTURE(said);
    CHECK(said.find(why) != std::string::npos);
  }
}

TEST_CASE("transports: registered once, found by name, and there for good") {
  CHECK(umlnet_transport_name(0) == std::string("tuntap"));
  CHECK(umlnet_transport_name(1) == std::string("ethertap"));

  umlnet_transport mine = UMLNET_TRANSPORT_INIT;
  umlnet_error error;
  CHECK(umlnet_transport_register(&mine, &error) == UMLNET_INVALID);  // no name
  mine.name = "mine";
  CHECK(umlnet_transport_register(&mine, &error) == UMLNET_INVALID);  // no functions

  static std::vector<std::string> calls;
  static std::string frame;
  mine.user = &calls;
  mine.needs_device = 1;
  mine.open = [](void* user, const umlnet_setup* setup, const umlnet_options* options, void** state,
                 umlnet_error* why) {
    calls.push_back(std::string("open ") + setup->device);
    CHECK(user == &calls);
    CHECK(options->timeout_ms == 1234);
    *state = &frame;
    return setup->device == std::string("bad") ? umlnet_error_set(why, UMLNET_REFUSED, 5, "not that one") : UMLNET_OK;
  };
  mine.read = [](void* state, void* to, size_t room, size_t* size) {
    CHECK(state == &frame);
    if (frame.empty()) return UMLNET_AGAIN;
    REQUIRE(room >= frame.size());
    *size = frame.copy(static_cast<char*>(to), room);
    frame.clear();
    return UMLNET_OK;
  };
  mine.write = [](void*, const void* from, size_t size) {
    frame.assign(static_cast<const char*>(from), size);
    return UMLNET_OK;
  };
  mine.close = [](void*) { calls.emplace_back("close"); };
  mine.add_address = [](void*, const char* address, const char* netmask, umlnet_error*) {
    calls.push_back(std::string("add ") + address + " " + netmask);
    return UMLNET_OK;
  };
  REQUIRE(umlnet_transport_register(&mine, &error) == UMLNET_OK);
  CHECK(umlnet_transport_register(&mine, &error) == UMLNET_STATE);
  CHECK(umlnet_transport_name(2) == std::string("mine"));
  CHECK(umlnet_transport_name(3) == nullptr);

  umlnet_options options = UMLNET_OPTIONS_INIT;
  options.timeout_ms = 1234;
  umlnet_nic* nic = nullptr;
  CHECK(umlnet_nic_new("mine", &options, &nic, &error) == UMLNET_INVALID);  // it needs a device name
  REQUIRE(umlnet_nic_new("mine,bad", &options, &nic, &error) == UMLNET_OK);
  CHECK(umlnet_nic_open(nic, &error) == UMLNET_REFUSED);
  CHECK(error.message == std::string("not that one"));
  CHECK(error.errnum == 5);
  umlnet_nic_free(nic);

  calls.clear();
  REQUIRE(umlnet_nic_new("mine,dev", &options, &nic, &error) == UMLNET_OK);
  CHECK(umlnet_nic_add_address(nic, "10.0.0.1", "24", &error) == UMLNET_OK);
  CHECK(calls.empty());
  CHECK(umlnet_nic_open(nic, &error) == UMLNET_OK);
  CHECK(umlnet_nic_fd(nic) == -1);
  CHECK(umlnet_nic_device(nic) == std::string());
  char buffer[64];
  size_t size = 0;
  CHECK(umlnet_nic_read(nic, buffer, sizeof buffer, &size) == UMLNET_AGAIN);
  CHECK(umlnet_nic_write(nic, "a frame", 7) == UMLNET_OK);
  CHECK(umlnet_nic_read(nic, buffer, sizeof buffer, &size) == UMLNET_OK);
  CHECK(std::string(buffer, size) == "a frame");
  umlnet_nic_free(nic);
  CHECK(calls == std::vector<std::string>{"open dev", "add 10.0.0.1 255.255.255.0", "close"});
}

TEST_CASE("an options structure from an earlier header") {
  if (skip_without_shared_memory()) return;  // umlnet_nic_open() starts a watched process
  struct Earlier {
    size_t size;
    const char* helper;
  } earlier{sizeof(Earlier), "/nowhere/uml_net"};
  umlnet_nic* nic = nullptr;
  umlnet_error error;
  REQUIRE(umlnet_nic_new("tuntap", reinterpret_cast<const umlnet_options*>(&earlier), &nic, &error) == UMLNET_OK);
  CHECK(umlnet_nic_open(nic, &error) == UMLNET_NO_HELPER);
  umlnet_nic_free(nic);
}

TEST_CASE("errors and names of codes") {
  CHECK(umlnet_error_set(nullptr, UMLNET_CLOSED, 0, "x") == UMLNET_CLOSED);
  umlnet_error error;
  umlnet_error_set(&error, UMLNET_SYSTEM, 2, std::string(5000, 'x').c_str());
  CHECK(std::string(error.message).size() == sizeof error.message - 1);
  CHECK(error.exit_status == -1);
  for (int code = UMLNET_OK; code <= UMLNET_MEMORY; ++code)
    CHECK(std::string(umlnet_code_name(static_cast<umlnet_code>(code))).starts_with("UMLNET_"));
  CHECK(umlnet_code_name(static_cast<umlnet_code>(99)) == std::string("unknown"));
}
