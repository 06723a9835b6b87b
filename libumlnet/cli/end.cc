#include "libumlnet/cli/end.h"

#include <sysexits.h>

#include <array>
#include <string_view>

#include "libumlnet/cli/fd_end.h"
#include "libumlnet/cli/network.h"
#include "libumlnet/cli/socket_end.h"

namespace umlnet::cli {
namespace {

class NetworkEnd : public End {
 public:
  explicit NetworkEnd(std::unique_ptr<Network> network) : network_(std::move(network)) {}

  bool takes_addresses() const override { return network_->takes_addresses(); }
  Outcome<void> add_address(const std::string& words) override { return network_->add_address(words); }
  Outcome<bool> open(const Signals&) override {
    if (auto opened = network_->open(); !opened) return std::unexpected(opened.error());
    return true;
  }
  Outcome<umlnet_end> end() override { return network_->end(); }
  std::string name() const override { return network_->device(); }
  Outcome<void> close() override { return network_->close(); }

 private:
  std::unique_ptr<Network> network_;
};

Outcome<std::unique_ptr<End>> network_end(const std::string& words, const HelperOptions& options) {
  auto network = Network::named(words, options);
  if (!network) return std::unexpected(network.error());
  return std::make_unique<NetworkEnd>(*std::move(network));
}

struct Kind {
  std::string_view prefix;
  Outcome<std::unique_ptr<End>> (*named)(const std::string& words, const std::string& behind_prefix);
};
constexpr std::array kKinds = {
    Kind{"stream:", connected_stream_end},
    Kind{"stream-listen:", listening_stream_end},
    Kind{"dgram:", datagram_end},
    Kind{"fd:", fd_end},
};

}  // namespace

Outcome<void> End::add_address(const std::string& words) {
  return trouble(EX_USAGE, "nobody can be told of the address " + words + " at this end");
}

Outcome<std::unique_ptr<End>> End::named(const std::string& words, const HelperOptions& options) {
  for (const auto& kind : kKinds)
    if (words.starts_with(kind.prefix)) return kind.named(words, words.substr(kind.prefix.size()));
  // A colon before the first comma is not of a MAC address.
  const auto mark = words.find_first_of(":,");
  if (mark != std::string::npos && words[mark] == ':' && !words.starts_with("tap:"))
    return malformed(
        words, "ends are tap:, stream:, stream-listen:, dgram:, fd:, or a setup string (tuntap,... or ethertap,...)");
  return network_end(words, options);
}

}  // namespace umlnet::cli
