#include "libumlnet/cli/terminal.h"

#include <sys/ioctl.h>

namespace umlnet::cli {

std::size_t terminal_width(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (width != 0 && text.size() > width) {
    const auto space = text.substr(0, width + 1).rfind(' ');
    const bool breaks = space != std::string_view::npos && space != 0;
    lines.emplace_back(text.substr(0, breaks ? space : width));
    text.remove_prefix(breaks ? space + 1 : width);
  }
  lines.emplace_back(text);
  return lines;
}

}  // namespace umlnet::cli
