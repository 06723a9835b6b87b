// umlnet run: opens the network and starts any VM manager with it.
#include <getopt.h>
#include <poll.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "libumlnet/cli/capture_file.h"
#include "libumlnet/cli/command.h"
#include "libumlnet/cli/network.h"
#include "libumlnet/cli/option_table.h"
#include "libumlnet/cli/pump_process.h"
#include "libumlnet/cli/restorer.h"
#include "libumlnet/cli/signals.h"
#include "libumlnet/cli/subcommand.h"
#include "libumlnet/core/json_text.h"

namespace umlnet::cli {
namespace {

constexpr char kHelp[] =
    R"(Usage: umlnet run [OPTION...] [--] COMMAND [ARGUMENT...]

Opens a network, starts COMMAND with it, and takes all back when COMMAND ends.
In the arguments, {fd} becomes the number of the file descriptor that COMMAND
gets, and {dev} the device's name on the host; where there are several
descriptors, {fds} becomes their numbers with ':' between them, and {fds,} those
with ','. All other braces stay.

  User-Mode Linux, a TAP device that uml_net makes:
    umlnet run --gateway 10.99.0.254 --address 10.99.0.1 -- \
      linux.uml mem=64M initrd=initrd.gz vec0:transport=fd,fd={fd},vec=0

  QEMU:
    umlnet run --gateway 10.99.0.254 --address 10.99.0.1 -- \
      qemu-system-x86_64 disk.img \
        -netdev tap,id=n0,fd={fd} -device virtio-net-pci,netdev=n0

  QEMU on a socket, so that it never holds the TAP, and all is on record:
    umlnet run --gateway 10.99.0.254 --address 10.99.0.1 \
               --as stream --pcap guest.pcapng -- \
      qemu-system-x86_64 disk.img -device virtio-net-pci,netdev=n0 \
        -netdev stream,id=n0,addr.type=fd,addr.str={fd}
  The same with datagrams: --as dgram, and
        -netdev dgram,id=n0,local.type=fd,local.str={fd}

  QEMU with two queues and a virtio-net header:
    umlnet run --gateway 10.99.0.254 --address 10.99.0.1 --queues 2 --vnet-hdr -- \
      qemu-system-x86_64 -smp 2 disk.img -netdev tap,id=n0,fds={fds},vhost=off \
        -device virtio-net-pci,netdev=n0,mq=on

  QEMU that never holds the TAP, with a guest that cannot lie about its address:
    umlnet run --ip6 fd00:99::1/64 --guest fd00:99::7 --sealed \
               --anti-spoof --guest-mac 52:54:00:12:34:56 -- \
      qemu-system-x86_64 disk.img -netdev dgram,id=n0,local.type=fd,local.str={fd} \
        -device virtio-net-pci,netdev=n0,mac=52:54:00:12:34:56

  crosvm and cloud-hypervisor want a virtio-net header:
    umlnet run --gateway 10.99.0.254 --address 10.99.0.1 --vnet-hdr -- \
      crosvm run --net tap-fd={fd} --block disk.img vmlinux
    umlnet run --bridge br0 --vnet-hdr -- \
      cloud-hypervisor --kernel vmlinux --disk path=disk.img \
        --net fd={fd},mac=52:54:00:00:00:01

  Two networks; the second is {fd1} and {dev1}:
    umlnet run -g 10.98.0.254 -a 10.98.0.1 -g 10.99.0.254 -a 10.99.0.1 -- \
      linux.uml ... vec0:transport=fd,fd={fd},vec=0 vec1:transport=fd,fd={fd1},vec=0

Networks. Without any, a TAP device without an address of the host's.
  -g, --gateway ADDR         a TAP device, ADDR on the host's side; short for
                             --net tuntap,,,ADDR
  -n, --net NET              tuntap[,DEV[,MAC[,GATE]]], ethertap,DEV[,MAC[,GATE]],
                             tap:DEV[,vnet=10|12], which is there, or tap: a new
                             one, as the options below say
Of the network before them; in front of all networks, of the first:
  -a, --address ADDR[/LEN]   the guest has this address: the host is to reach it
                             there, and the LANs that agree with it in LEN bits
                             (32: none). May be given again
  -w, --pcap FILE            record all frames, for Wireshark (--as stream, dgram)
Likewise, of a TAP device that uml_net makes:
      --device NAME          its name; else the kernel chooses
      --ip ADDR[/LEN]        an address of the host's on it. May be given again
      --ip6 ADDR[/LEN]       likewise, of IPv6
      --guest ADDR[/LEN]     an address of the guest's, or a network behind it, IPv4
                             or IPv6: routed to it, and published where policy
                             says. May be given again
      --queues N             with N queues, and so many descriptors: {fds}
      --vnet-hdr             with a virtio-net header before each frame
      --bridge NAME          as a port of that bridge
      --isolated             that exchanges no frames with other isolated ports
      --mtu BYTES            68 to 65521
      --mac MAC              of the host's side
      --netns PID|PATH       in the network namespace of that process, or behind
                             PATH; its user namespace must be one of yours
      --anti-spoof           no frame that the guest sends has another source than
                             --guest-mac and --guest
      --guest-mac MAC        the guest's MAC address. May be given again
      --sealed               COMMAND gets a socket, one frame a packet (QEMU's
                             dgram); a process without privilege keeps the TAP
      --persist              it stays when COMMAND ends, until umlnet remove;
                             COMMAND may attach to it by --device's name
      --owner USER|:GROUP    who may attach to it then, instead of you
For all:
      --as tap|stream|dgram  what COMMAND gets: the TAP (default), or QEMU's
                             stream or datagram socket to a sandboxed process
                             that moves the frames
  -s, --snaplen BYTES        record no more than that of each frame
  -j, --json                 when all is over, a line on stdout says how it went
  -q, --quiet                say nothing that is not an error
  -t, --timeout SECONDS      for each call of uml_net (default 10)
      --helper PATH          uml_net, where it is not where it was installed
      --pump-program PATH    umlnet-pump, likewise
  -h, --help                 this text

Exit status: COMMAND's, or 128 + the signal that killed it. Where COMMAND is not
started: 64 usage, 65 no such setup or address, 69 no helper, 70 sandbox, 71 the
kernel failed, 75 timeout, 76 protocol, 77 refused, 126 COMMAND cannot be
executed, 127 COMMAND not found; or what uml_net(8) exits with.
)";

enum class As { tap, stream, dgram };

// One network, from the host to the command.
struct Nic {
  explicit Nic(std::unique_ptr<Network> of) : network(std::move(of)) {}

  std::unique_ptr<Network> network;
  std::string pcap;
  // Not with --as tap. Declared so that the pump ends before what it works on.
  unique_fd capture, ours, theirs;
  std::optional<PumpProcess> pump = {};
};

struct Options {
  HelperOptions helper;
  PumpOptions pump;
  As as = As::tap;
  bool json = false;
  std::vector<Nic> nics;
  std::vector<char*> command;
};

constexpr char kShort[] = "+:g:n:a:w:s:jqt:h";
enum : int { kAs = kOwnOptions };
constexpr option kLong[] = {
    {"gateway", required_argument, nullptr, 'g'}, {"net", required_argument, nullptr, 'n'},
    {"address", required_argument, nullptr, 'a'}, {"pcap", required_argument, nullptr, 'w'},
    {"as", required_argument, nullptr, kAs},      {"json", no_argument, nullptr, 'j'},
    {"help", no_argument, nullptr, 'h'},
};

// Of one network, while the options are read.
struct Wanted {
  std::string net;
  std::vector<std::string> addresses;
  std::string pcap;
  DeviceOptions device;

  bool is_of_native_protocol() const { return net == "tap" || !device.first().empty(); }
};

Outcome<void> check(const Options& options) {
  bool recorded = false;
  for (const auto& nic : options.nics) {
    recorded |= !nic.pcap.empty();
    if (options.as != As::tap && nic.network->fd_count() > 1)
      return misuse("--as stream and --as dgram are one socket, and --queues asks for several descriptors");
    if (options.as == As::tap && !nic.network->is_for_commands())
      return trouble(EX_USAGE,
                     nic.network->words() +
                         " is a session with uml_net, which keeps the TAP: the command cannot have it. Give it "
                         "a socket: --as stream or --as dgram; or take --net tuntap");
  }
  if (recorded && options.as == As::tap)
    return trouble(
        EX_USAGE,
        "--pcap records what passes the process between the network and the command, and with --as tap there "
        "is none: add --as stream or --as dgram");
  if (options.pump.snaplen != 0 && !recorded) return misuse("--snaplen is of a --pcap, and there is none");
  return {};
}

// Nothing: the help was asked for.
Outcome<std::unique_ptr<Options>> parse(int argc, char** argv) {
  auto parsed = std::make_unique<Options>();  // networks know of its `helper`, so that it never moves
  Options& options = *parsed;
  // The first takes what is said before any network is.
  std::vector<Wanted> wanted(1);
  bool named = false;
  const auto add_net = [&](std::string net) {
    if (named) wanted.emplace_back();
    named = true;
    wanted.back().net = std::move(net);
  };
  const auto table = option_table({kLong, HelperOptions::table(), PumpOptions::table(), DeviceOptions::table()});
  for (int letter = 0; (letter = ::getopt_long(argc, argv, kShort, table.data(), nullptr)) != -1;) {
    const std::string value = ::optarg != nullptr ? ::optarg : "";
    const auto taken = taken_by(letter, value, options.helper, options.pump, wanted.back().device);
    if (!taken) return std::unexpected(taken.error());
    if (*taken) continue;
    switch (letter) {
      case 'g': add_net("tuntap,,," + value); break;
      case 'n': add_net(value); break;
      case 'a': wanted.back().addresses.push_back(value); break;
      case 'w':
        if (value == "-") return misuse("--pcap - is stdout, and that is the command's: name a file");
        if (!wanted.back().pcap.empty()) return misuse("two --pcap for one network");
        wanted.back().pcap = value;
        break;
      case kAs:
        if (value == "tap")
          options.as = As::tap;
        else if (value == "stream")
          options.as = As::stream;
        else if (value == "dgram")
          options.as = As::dgram;
        else
          return misuse("--as " + value + ": it is tap, stream or dgram");
        break;
      case 'j': options.json = true; break;
      case 'h': return nullptr;
      default: return bad_option(letter, argv);
    }
  }
  options.command.assign(argv + ::optind, argv + argc);
  if (options.command.empty()) return misuse("there is no command to start");
  if (!named) wanted.back().net = "tuntap";
  for (auto& one : wanted) {
    auto network = one.is_of_native_protocol() ? Network::asked_for(one.net, std::move(one.device), options.helper)
                                               : Network::named(one.net, options.helper);
    if (!network) return std::unexpected(network.error());
    for (const auto& address : one.addresses)
      if (auto added = (*network)->add_address(address); !added) return std::unexpected(added.error());
    options.nics.emplace_back(*std::move(network)).pcap = one.pcap;
  }
  if (auto checked = check(options); !checked) return std::unexpected(checked.error());
  // Said before anything is opened.
  std::vector<Given> nothing_yet;
  nothing_yet.reserve(options.nics.size());
  for (const auto& nic : options.nics) nothing_yet.push_back({std::vector<int>(nic.network->fd_count(), -1), {}});
  if (auto filled = fill_in(options.command, nothing_yet); !filled) return std::unexpected(filled.error());
  return parsed;
}

// Opens the network, and what stands between it and the command. The descriptors that the command gets.
Outcome<std::vector<int>> open(Nic& nic, const Options& options, const Signals& signals) {
  if (!nic.pcap.empty()) {
    auto file = open_capture_file(nic.pcap, signals);
    if (!file) return std::unexpected(file.error());
    nic.capture = *std::move(file);
  }
  if (auto opened = nic.network->open(); !opened) return std::unexpected(opened.error());
  if (options.as == As::tap) return nic.network->fds();

  const bool stream = options.as == As::stream;
  int pair[2];
  if (::socketpair(AF_UNIX, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0, pair) != 0)
    return trouble_errno(EX_OSERR, "cannot make a socket for the command", errno);
  nic.ours.reset(pair[0]);
  nic.theirs.reset(pair[1]);
  const auto a = nic.network->end();
  if (!a) return std::unexpected(a.error());
  umlnet_end b = UMLNET_END_INIT;
  b.framing = stream ? UMLNET_STREAM : UMLNET_DGRAM;
  b.fd = nic.ours.get();
  PumpOptions pump_options = options.pump;
  pump_options.capture = nic.capture.get();
  auto pump = PumpProcess::start(*a, nic.network->device(), b, "command", pump_options);
  if (!pump) return std::unexpected(pump.error());
  nic.pump.emplace(*std::move(pump));
  nic.ours.reset();
  return std::vector<int>{nic.theirs.get()};
}

// Tells what the command may not notice: a network of its is gone. Where the command has closed its end, that is told a
// moment later: most often it is about to end.
class EndOfPumps {
 public:
  explicit EndOfPumps(std::vector<Nic>& nics) : nics_(nics), seen_(nics.size()) {}

  void add_to(std::vector<pollfd>& polls) const {
    for (std::size_t i = 0; i < nics_.size(); ++i)
      if (nics_[i].pump && !seen_[i]) polls.push_back({.fd = nics_[i].pump->fd(), .events = POLLIN, .revents = 0});
  }

  int timeout_ms() const { return closed_by_command_.empty() ? -1 : kMoment; }

  void look(bool moment_is_over) {
    if (moment_is_over) {
      std::fputs(closed_by_command_.c_str(), stderr);
      closed_by_command_.clear();
    }
    for (std::size_t i = 0; i < nics_.size(); ++i) {
      if (!nics_[i].pump || seen_[i]) continue;
      pollfd poll{.fd = nics_[i].pump->fd(), .events = POLLIN, .revents = 0};
      if (::poll(&poll, 1, 0) != 1) continue;
      seen_[i] = true;
      const auto& totals = nics_[i].pump->stop();
      if (totals.ended == Totals::Ended::b_gone)
        closed_by_command_ += "umlnet run: the command has closed its end of " + totals.a + "\n";
      else if (totals.ended == Totals::Ended::a_gone)
        std::fprintf(stderr, "umlnet run: %s is gone; the command goes on without it\n", totals.a.c_str());
      else
        std::fprintf(stderr, "umlnet run: %s; the command goes on without %s\n", totals.error.c_str(),
                     totals.a.c_str());
    }
  }

 private:
  static constexpr int kMoment = 500;  // milliseconds

  std::vector<Nic>& nics_;
  std::vector<bool> seen_;
  std::string closed_by_command_;
};

int attend(const Command& command, const Signals& signals, Restorer& restorer, std::vector<Nic>& nics) {
  EndOfPumps pumps(nics);
  for (;;) {
    std::vector<pollfd> polls = {{.fd = command.fd(), .events = POLLIN, .revents = 0},
                                 {.fd = signals.fd(), .events = POLLIN, .revents = 0},
                                 {.fd = restorer.fd(), .events = POLLIN, .revents = 0}};
    pumps.add_to(polls);
    const int patience = restorer.patience();
    const int ready = ::poll(polls.data(), polls.size(), patience >= 0 ? patience : pumps.timeout_ms());
    if (ready < 0 && errno != EINTR) break;
    if (ready > 0 && polls[0].revents != 0) break;
    while (const auto signal = signals.next())
      if (auto passed = command.pass_on(*signal); !passed) tell("run", passed.error());
    restorer.look(ready);
    pumps.look(ready == 0);
  }
  return command.wait();
}

// All of it, but for closing the networks.
int run(Options& options, const Signals& signals) {
  std::vector<Given> given;
  for (auto& nic : options.nics) {
    auto fds = open(nic, options, signals);
    if (!fds) return tell("run", fds.error());
    given.push_back({*std::move(fds), nic.network->device()});
  }
  // A signal that came in the meantime.
  while (const auto signal = signals.next())
    if (asks_to_end(*signal)) return 128 + static_cast<int>(signal->ssi_signo);

  auto filled = fill_in(options.command, given);
  if (!filled) return tell("run", filled.error());
  std::vector<int> fds;
  for (std::size_t i = 0; i < given.size(); ++i) {
    Nic& nic = options.nics[i];
    // The command attaches to it by its name, or nobody does now: it must be free for that.
    if (nic.network->is_persistent() && options.as == As::tap && !filled->gets_fds[i]) {
      if (auto closed = nic.network->close(); !closed) return tell("run", closed.error());
      continue;
    }
    fds.insert(fds.end(), given[i].fds.begin(), given[i].fds.end());
    if (!filled->named[i] && !options.helper.quiet)
      std::fprintf(stderr, "umlnet run: warning: the command has no {fd%s} in it, so it does not get %s\n",
                   i == 0 ? "" : std::to_string(i).c_str(), given[i].device.c_str());
  }
  Restorer restorer(options.helper.helper);  // before the command runs: it hears of all that happens from then on
  const auto command = Command::start(std::move(filled->words), fds, signals);
  if (!command) return tell("run", command.error());
  for (auto& nic : options.nics) nic.theirs.reset();  // or its end would not show
  return attend(*command, signals, restorer, options.nics);
}

void print_json(std::vector<Nic>& nics, int status) {
  nlohmann::ordered_json json = {{"status", status}, {"pumps", nlohmann::ordered_json::array()}};
  for (auto& nic : nics)
    if (nic.pump) json["pumps"].push_back(as_json(nic.pump->stop()));
  std::puts(json_text(json).c_str());
}

int run_main(int argc, char** argv) {
  auto parsed = parse(argc, argv);
  if (!parsed) return tell("run", parsed.error());
  if (!*parsed) {
    std::fputs(kHelp, stdout);
    return EX_OK;
  }
  Options& options = **parsed;
  const auto signals = Signals::catch_all({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH});
  if (!signals) return tell("run", signals.error());
  const int status = run(options, *signals);
  // In order: what moves frames first, then the networks, the last one first.
  for (auto& nic : options.nics)
    if (nic.pump) nic.pump->stop();
  for (std::size_t i = options.nics.size(); i-- > 0;)
    if (auto closed = options.nics[i].network->close(); !closed) tell("run", closed.error());
  if (options.json) print_json(options.nics, status);
  return status;
}

}  // namespace

const Subcommand kRun = {"run", "start a virtual machine with a network", kHelp, run_main};

}  // namespace umlnet::cli
