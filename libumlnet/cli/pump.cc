// umlnet pump: joins two ends, and moves the frames between them.
#include <getopt.h>
#include <poll.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "libumlnet/cli/capture_file.h"
#include "libumlnet/cli/end.h"
#include "libumlnet/cli/option_table.h"
#include "libumlnet/cli/pump_process.h"
#include "libumlnet/cli/rate_display.h"
#include "libumlnet/cli/subcommand.h"
#include "libumlnet/cli/words.h"
#include "libumlnet/core/json_text.h"

namespace umlnet::cli {
namespace {

constexpr char kHelp[] =
    R"(Usage: umlnet pump [OPTION...] A B

Joins two ends: what comes out of A goes into B, and the other way round, until
an end is gone or Ctrl-C. The frames pass a sandboxed process. On a terminal a
line on stderr shows how fast.

  A QEMU that listens, on a TAP device that uml_net makes:
    qemu-system-x86_64 disk.img -device virtio-net-pci,netdev=n0 \
      -netdev stream,id=n0,server=on,addr.type=unix,addr.path=/tmp/guest
    umlnet pump --address 10.99.0.1 tuntap,,,10.99.0.254 stream:/tmp/guest

  One with datagrams:
    qemu-system-x86_64 disk.img -device virtio-net-pci,netdev=n0 \
      -netdev dgram,id=n0,local.type=unix,local.path=/tmp/q,remote.type=unix,remote.path=/tmp/u
    umlnet pump tuntap,,,10.99.0.254 dgram:/tmp/u,/tmp/q

  A cable between two QEMUs, and Wireshark on it:
    umlnet pump --pcap - stream:/tmp/one stream:/tmp/two | wireshark -k -i -

Ends:
  tuntap[,DEV[,MAC[,GATE]]]  a TAP device of uml_net's, or DEV, which is there
  ethertap,DEV[,MAC[,GATE]]  a session with uml_net, which keeps the TAP
  tap:DEV[,vnet=10|12]       the TAP device DEV, which is there, with a
                             virtio-net header of that many bytes
  stream:PATH                a stream socket that somebody listens on
  stream-listen:PATH         the same, and this side listens, for one connection
  dgram:LOCAL,REMOTE         datagram sockets: ours, and the other side's
  fd:N,KIND[,vnet=10|12]     an inherited descriptor; KIND is tap, stream, dgram
                             or ethertap

Options:
  -a, --address ADDR[/LEN]   the guest has this address: uml_net is to tell the
                             host (LEN: 32). May be given again
  -w, --pcap FILE            record all frames, for Wireshark; - is stdout
  -s, --snaplen BYTES        record no more than that of each frame
  -j, --json                 at the end, all counters on one line on stdout
  -q, --quiet                say nothing that is not an error
      --no-sandbox           move the frames in a thread of this process, for
                             debuggers and profilers
  -t, --timeout SECONDS      for each call of uml_net (default 10)
      --helper PATH          uml_net, where it is not where it was installed
      --pump-program PATH    umlnet-pump, likewise
  -h, --help                 this text

Exit status: 0 where an end was closed, or a signal said so; 64 usage, 65 no such
end or address, 66 no such descriptor, 69 nobody there, 70 sandbox, 71 the kernel
failed, 73 a file cannot be made, 75 timeout, 76 protocol, 77 refused; or what
uml_net(8) exits with.
)";

struct Options {
  HelperOptions helper;
  PumpOptions pump;
  std::string pcap;
  bool json = false;
  std::unique_ptr<End> a, b;
};

constexpr char kShort[] = ":a:w:s:jqt:h";
enum : int { kNoSandbox = kOwnOptions };
constexpr option kLong[] = {
    {"address", required_argument, nullptr, 'a'},
    {"pcap", required_argument, nullptr, 'w'},
    {"json", no_argument, nullptr, 'j'},
    {"help", no_argument, nullptr, 'h'},
    {"no-sandbox", no_argument, nullptr, kNoSandbox},
};

Outcome<void> check(const Options& options) {
  if (options.pump.snaplen != 0 && options.pcap.empty()) return misuse("--snaplen is of a --pcap, and there is none");
  if (options.pcap != "-") return {};
  if (options.json) return misuse("--pcap - and --json would both write to stdout");
  if (::isatty(STDOUT_FILENO) != 0) return misuse("--pcap - writes binary data, and stdout is a terminal");
  return {};
}

// Nothing: the help was asked for.
Outcome<std::optional<Options>> parse(int argc, char** argv) {
  Options options;
  std::vector<std::string> addresses;
  const auto table = option_table({kLong, HelperOptions::table(), PumpOptions::table()});
  for (int letter = 0; (letter = ::getopt_long(argc, argv, kShort, table.data(), nullptr)) != -1;) {
    const std::string value = ::optarg != nullptr ? ::optarg : "";
    const auto taken = taken_by(letter, value, options.helper, options.pump);
    if (!taken) return std::unexpected(taken.error());
    if (*taken) continue;
    switch (letter) {
      case 'a': addresses.push_back(value); break;
      case 'w': options.pcap = value; break;
      case 'j': options.json = true; break;
      case kNoSandbox: options.pump.sandbox = false; break;
      case 'h': return std::nullopt;
      default: return bad_option(letter, argv);
    }
  }
  if (argc - ::optind != 2)
    return misuse("a pump has two ends, and " + std::to_string(argc - ::optind) + " were named");
  for (auto* end : {&options.a, &options.b}) {
    auto named = End::named(argv[::optind++], options.helper);
    if (!named) return std::unexpected(named.error());
    *end = *std::move(named);
  }
  for (const auto& address : addresses) {
    End& end = options.a->takes_addresses() || !options.b->takes_addresses() ? *options.a : *options.b;
    if (auto added = end.add_address(address); !added) return std::unexpected(added.error());
  }
  if (auto checked = check(options); !checked) return std::unexpected(checked.error());
  return options;
}

// Until the pump has ended, or a signal says so.
void attend(const PumpProcess& pump, const Signals& signals, bool shown) {
  RateDisplay display(shown);
  for (;;) {
    pollfd polls[2] = {{.fd = pump.fd(), .events = POLLIN, .revents = 0},
                       {.fd = signals.fd(), .events = POLLIN, .revents = 0}};
    if (::poll(polls, 2, display.timeout_ms()) < 0 && errno != EINTR) return;
    if (polls[0].revents != 0) return;
    while (const auto signal = signals.next())
      if (asks_to_end(*signal)) return;
    display.show(pump.counters());
  }
}

const char* why(Totals::Ended ended) {
  switch (ended) {
    case Totals::Ended::stopped: return "stopped";
    case Totals::Ended::a_gone: return "the first end is gone";
    case Totals::Ended::b_gone: return "the second end is gone";
    case Totals::Ended::failed: break;
  }
  return "failed";
}

// All of it, but for closing the ends.
int pump(Options& options, const Signals& signals) {
  unique_fd capture;
  if (options.pcap == "-") {
    options.pump.capture = STDOUT_FILENO;
  } else if (!options.pcap.empty()) {
    auto file = open_capture_file(options.pcap, signals);
    if (!file && file.error().text.empty()) return EX_OK;  // a signal said so
    if (!file) return tell("pump", file.error());
    capture = *std::move(file);
    options.pump.capture = capture.get();
  }
  for (auto* end : {options.a.get(), options.b.get()}) {
    const auto opened = end->open(signals);
    if (!opened) return tell("pump", opened.error());
    if (!*opened) return EX_OK;
  }
  const auto a = options.a->end(), b = options.b->end();
  if (!a) return tell("pump", a.error());
  if (!b) return tell("pump", b.error());
  auto process = PumpProcess::start(*a, options.a->name(), *b, options.b->name(), options.pump);
  if (!process) return tell("pump", process.error());

  const bool quiet = options.helper.quiet;
  attend(*process, signals, !quiet && ::isatty(STDERR_FILENO) != 0);
  const Totals& totals = process->stop();
  if (!totals.error.empty()) tell("pump", {EX_SOFTWARE, totals.error});
  if (!quiet)
    std::fprintf(stderr, "umlnet pump: %s after %.1f s. %s\n", why(totals.ended), totals.seconds,
                 in_words(totals).c_str());
  if (options.json) std::puts(json_text(as_json(totals)).c_str());
  return process->exit_status();
}

int pump_main(int argc, char** argv) {
  auto parsed = parse(argc, argv);
  if (!parsed) return tell("pump", parsed.error());
  if (!*parsed) {
    std::fputs(kHelp, stdout);
    return EX_OK;
  }
  Options& options = **parsed;
  const auto signals = Signals::catch_all({SIGINT, SIGTERM, SIGHUP, SIGQUIT});
  if (!signals) return tell("pump", signals.error());
  int status = pump(options, *signals);
  for (auto* end : {options.b.get(), options.a.get()})
    if (auto closed = end->close(); !closed) {
      const int failed = tell("pump", closed.error());
      if (status == EX_OK) status = failed;
    }
  return status;
}

}  // namespace

const Subcommand kPump = {"pump", "join two ends and move the frames between them", kHelp, pump_main};

}  // namespace umlnet::cli
