#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "libumlnet/cli/network_managers.h"

namespace umlnet::cli {
namespace {

TEST_CASE("NetworkManager: which configurations leave tap devices alone") {
  struct Case {
    std::vector<std::string> files;
    bool leaves;
  };
  const Case cases[] = {
      {{}, false},
      {{"[main]\nplugins=ifupdown,keyfile\n[ifupdown]\nmanaged=false\n"}, false},
      {{"[keyfile]\nunmanaged-devices=interface-name:tap*\n"}, true},
      {{"[keyfile]\nunmanaged-devices = interface-name:eth0;interface-name:tap*\n"}, true},
      {{"[keyfile]\nunmanaged-devices=interface-name:=tap0\n"}, true},
      {{"[keyfile]\nunmanaged-devices=interface-name:eth*\n"}, false},
      {{"[keyfile]\n# unmanaged-devices=interface-name:tap*\n"}, false},
      {{"[main]\nunmanaged-devices=interface-name:tap*\n"}, false},
      {{"[keyfile]\nunmanaged-devices=type:tun\n"}, true},
      {{"[keyfile]\nunmanaged-devices=*,except:type:wifi\n"}, true},
      {{"[keyfile]\nunmanaged-devices=*,except:interface-name:tap*\n"}, false},
      {{"[keyfile]\nunmanaged-devices=interface-name:tap*\n", "[keyfile]\nunmanaged-devices=interface-name:x\n"},
       false},
      {{"[keyfile]\nunmanaged-devices=interface-name:x\n", "[keyfile]\nunmanaged-devices+=interface-name:tap*\n"},
       true},
      {{"[keyfile]\nunmanaged-devices=interface-name:tap*\n", "[keyfile]\nunmanaged-devices-=interface-name:tap*\n"},
       false},
      {{"[device-tap]\nmatch-device=interface-name:tap*\nmanaged=0\n"}, true},
      {{"[device-tap]\nmatch-device=interface-name:tap*\nmanaged=1\n"}, false},
      {{"[device-eth]\nmatch-device=interface-name:eth*\nmanaged=0\n"}, false},
      {{"[device]\nmanaged=false\n"}, true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.files.empty() ? "" : c.files.back());
    CHECK(network_manager_leaves_taps(c.files) == c.leaves);
  }
}

TEST_CASE("networkd: which files speak of tap devices") {
  using enum NetworkFile;
  struct Case {
    const char* text;
    NetworkFile expected;
  };
  const Case cases[] = {
      {"", of_others},
      {"[Network]\nDHCP=yes\n", of_others},
      {"[Match]\nName=en*\n[Network]\nDHCP=yes\n", of_others},
      {"[Match]\nName=*\n[Network]\nDHCP=yes\n", takes_over},
      {"[Match]\nName=en* tap*\n[Network]\nDHCP=yes\n", takes_over},
      {"[Match]\nName=!en*\n", takes_over},
      {"[Match]\nName=!tap*\n", of_others},
      {"[Match]\nName=tap*\n[Link]\nUnmanaged=yes\n", leaves_alone},
      {"[Match]\nName=tap*\n[Link]\nUnmanaged=no\n", takes_over},
      {"[Match]\nDriver=tun\n", takes_over},
      {"[Match]\nKind=tun\n[Link]\nUnmanaged=true\n", leaves_alone},
      {"[Match]\nType=ether\n[Network]\nDHCP=yes\n", takes_over},
      {"[Match]\nType=wlan\n", of_others},
      {"[Match]\nName=*\nMACAddress=52:54:00:00:00:01\n", of_others},
      {"[Match]\nName=*\nPath=pci-*\n", of_others},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(what_of_taps(c.text) == c.expected);
  }
}

}  // namespace
}  // namespace umlnet::cli
