#include "libumlnet/core/device_tag.h"

#include <charconv>

namespace umlnet {
namespace {

constexpr std::string_view kProgram = "uml_net uid=";
constexpr std::string_view kId = " id=";

}  // namespace

std::string DeviceTag::str() const {
  return std::string(kProgram) + std::to_string(uid) + std::string(kId) + id.str() + " " + request;
}

std::optional<DeviceTag> DeviceTag::parse(std::string_view alias) {
  if (!alias.starts_with(kProgram)) return std::nullopt;
  alias.remove_prefix(kProgram.size());
  uid_t uid = 0;
  const auto [end, error] = std::from_chars(alias.data(), alias.data() + alias.size(), uid);
  if (error != std::errc{}) return std::nullopt;
  alias.remove_prefix(static_cast<std::size_t>(end - alias.data()));
  if (!alias.starts_with(kId)) return std::nullopt;
  alias.remove_prefix(kId.size());
  const auto id = RequestId::parse(alias.substr(0, RequestId::kTextSize));
  if (!id || alias.size() <= RequestId::kTextSize || alias[RequestId::kTextSize] != ' ') return std::nullopt;
  return DeviceTag{.uid = uid, .id = *id, .request = std::string(alias.substr(RequestId::kTextSize + 1))};
}

}  // namespace umlnet
