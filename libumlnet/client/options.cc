#include <algorithm>
#include <cstring>

#include "libumlnet/client/transport.h"

namespace umlnet::client {
namespace {

constexpr int kDefaultTimeout = 10'000;  // milliseconds

}  // namespace

Options::Options(const umlnet_options* options) : options_(UMLNET_OPTIONS_INIT) {
  // A program that was built with an earlier header knows fewer members.
  if (options != nullptr) std::memcpy(&options_, options, std::min(options->size, sizeof options_));
  options_.size = sizeof options_;
  if (options_.helper != nullptr) helper_ = options_.helper;
  if (options_.timeout_ms == 0) options_.timeout_ms = kDefaultTimeout;
}

void Options::note(const std::string& text) const {
  if (options_.note != nullptr && !text.empty()) options_.note(options_.user, text.c_str());
}

umlnet_options Options::as_c() const {
  umlnet_options options = options_;
  options.helper = helper();
  return options;
}

}  // namespace umlnet::client
