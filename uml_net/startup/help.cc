#include "uml_net/startup/help.h"

#include <sysexits.h>
#include <unistd.h>

#include <string>

#include "policy/location.h"

namespace umlnet {
namespace {

constexpr std::string_view kHelp =
    "uml_net gives virtual machines a network interface on this host. VM managers start it:\n"
    "\n"
    "  uml_net 4 tuntap up [GATE]            make a TAP device, with GATE/32 on the host's side\n"
    "  uml_net 4 add DEV ADDR NETMASK        route the guest's ADDR to DEV, and publish it on the LAN\n"
    "  uml_net 4 del DEV ADDR NETMASK        take that back\n"
    "  uml_net 4 ethertap DEV DATA_FD [GATE] make the TAP device DEV, and move its frames through socket DATA_FD\n"
    "  uml_net [--use-vnet] --fd=N --br=BR   make a TAP device on the bridge BR, and hand it over through socket N\n"
    "\n"
    "  uml_net 5 open [OPTION...]            make a TAP device with all that the options ask for (below)\n"
    "  uml_net 5 remove device=NAME          delete a device that was made for you\n"
    "  uml_net 5 session                     take requests like the two above until the socket is closed\n"
    "\n"
    "The first wants a connected AF_UNIX datagram socket as fd 1, the next two a pipe, ethertap a stream socket.\n"
    "--fd and --br are QEMU's bridge helper: -netdev bridge,br=BR,helper=PATH\n"
    "The options of 5 open: device= address= guest= guest-mac= bridge= isolated mtu= mac= queues= vnet-hdr netns=\n"
    "persist owner= sealed anti-spoof. Its answer is one JSON object with the descriptors, on the AF_UNIX socket that "
    "is fd "
    "1.\n"
    "\n"
    "For people:\n"
    "\n"
    "  uml_net gc                            remove what guests that are gone left behind\n"
    "  uml_net --version | --help\n"
    "\n"
    "A User-Mode Linux guest calls it by itself:   linux.uml ... eth0=tuntap,,,10.99.0.254\n"
    "More in uml_net(8).\n";

bool is_version(std::string_view word) { return word == "--version"; }

}  // namespace

bool is_help(std::string_view word) { return word == "--help" || word == "-h" || is_version(word); }

int print_help(std::string_view word) {
  std::string text(kHelp);
  if (is_version(word))
    text =
        std::string("uml_net ") + UMLNET_VERSION +
        ", speaks UML protocol version 4, the native protocol version 5 and QEMU's bridge-helper protocol\npolicy: " +
        policy::kPolicyFile + " and " + policy::kPolicyDirectory + "/*.json\naudit log: " + policy::kAuditLog + "\n";
  return ::write(STDOUT_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : EX_IOERR;
}

}  // namespace umlnet
