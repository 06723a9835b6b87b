// The native protocol, version 5, from a request to its words: the other way round than native5_arguments.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libumlnet/core/request.h"

namespace umlnet::native5 {

// The options without a value.
inline constexpr std::pair<std::string_view, bool OpenInterface::*> kFlags[] = {
    {"isolated", &OpenInterface::isolated},     {"vnet-hdr", &OpenInterface::virtio_headers},
    {"persist", &OpenInterface::persistent},    {"sealed", &OpenInterface::sealed},
    {"anti-spoof", &OpenInterface::anti_spoof},
};

// The words of a request: what the parsers understand again as the same.
std::vector<std::string> words_of(const OpenInterface& request);
std::vector<std::string> words_of(const RemoveInterface& request);
// The same as one record.
std::string to_record(std::span<const std::string> words);

}  // namespace umlnet::native5
