#include "libumlnet/core/device_tag.h"

#include <charconv>
#include <system_error>

#include "libumlnet/core/timestamp.h"

namespace umlnet {
namespace {

constexpr std::string_view kProgram = "uml_net uid=";
constexpr std::string_view kId = " id=";
constexpr std::string_view kSince = "since=";
constexpr std::string_view kPersistent = "persistent ";
constexpr std::string_view kOwner = "owner=";
constexpr std::string_view kCut = " ...";

// `words` in at most `room` bytes, cut between two words.
std::string cut(std::string_view words, std::size_t room) {
  if (words.size() <= room) return std::string(words);
  const auto space = words.rfind(' ', room - kCut.size());
  return std::string(words.substr(0, space == std::string_view::npos ? room - kCut.size() : space)) + std::string(kCut);
}

}  // namespace

std::string DeviceTag::str() const {
  std::string text = std::string(kProgram) + std::to_string(uid) + std::string(kId) + id.str() + " ";
  if (since) text += std::string(kSince) + rfc3339(*since) + " ";
  if (persistent) text += kPersistent;
  if (owner) text += std::string(kOwner) + owner->str() + " ";
  return text + cut(request, kMaxSize - text.size());
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
  alias.remove_prefix(RequestId::kTextSize + 1);
  DeviceTag tag{.uid = uid, .id = *id, .since = std::nullopt, .request = {}};
  if (alias.starts_with(kSince)) {
    const auto space = alias.find(' ');
    const auto time = parse_rfc3339(alias.substr(kSince.size(), space - kSince.size()));
    if (space == std::string_view::npos || !time) return std::nullopt;
    tag.since = std::chrono::floor<std::chrono::seconds>(*time);
    alias.remove_prefix(space + 1);
  }
  tag.persistent = alias.starts_with(kPersistent);
  if (tag.persistent) alias.remove_prefix(kPersistent.size());
  if (alias.starts_with(kOwner)) {
    const auto space = alias.find(' ');
    tag.owner = DeviceOwner::parse(alias.substr(kOwner.size(), space - kOwner.size()));
    if (space == std::string_view::npos || !tag.owner) return std::nullopt;
    alias.remove_prefix(space + 1);
  }
  tag.request = alias;
  return tag;
}

}  // namespace umlnet
