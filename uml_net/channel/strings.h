// Texts in a message between two processes of this program, each ended by a NUL byte, which none of them has within it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace umlnet {

// Adds `text` up to its first NUL byte.
inline void put_string(std::string& bytes, std::string_view text) {
  bytes += text.substr(0, text.find('\0'));
  bytes += '\0';
}

// Takes them out again, in the same order; empty ones where there are no more.
class Strings {
 public:
  explicit Strings(std::string_view bytes) : rest_(bytes) {}
  std::string next() {
    const auto end = std::min(rest_.find('\0'), rest_.size());
    std::string taken(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return taken;
  }
  std::vector<std::string> next(std::size_t number) {
    std::vector<std::string> taken;
    while (taken.size() < number && !rest_.empty()) taken.push_back(next());
    return taken;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace umlnet
