#include "libumlnet/core/fd_number.h"

#include <charconv>
#include <system_error>

namespace umlnet {

std::optional<int> parse_fd_number(std::string_view text) {
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (error != std::errc{} || end != text.data() + text.size() || fd <= 2 || text.starts_with('0')) return std::nullopt;
  return fd;
}

}  // namespace umlnet
