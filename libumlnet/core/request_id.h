// The id of one request or session: a random UUID (RFC 9562, version 4). It stands in the audit log and in the alias of
// the device that the request made, so that each leads to the other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace umlnet {

class RequestId {
 public:
  static constexpr std::size_t kTextSize = 36;

  explicit RequestId(std::array<std::uint8_t, 16> random);
  // Lower-case hexadecimal with hyphens, as str() writes it.
  static std::optional<RequestId> parse(std::string_view text);

  std::string str() const;
  bool operator==(const RequestId&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_;
};

}  // namespace umlnet
