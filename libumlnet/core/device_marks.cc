#include "libumlnet/core/device_marks.h"

#include <algorithm>
#include <charconv>

namespace umlnet {
namespace {

constexpr std::string_view kPrefix = "umlnet:";
constexpr std::string_view kGuest = "umlnet:guest:", kHost = "umlnet:host:", kForwarding = "umlnet:forwarding:";
constexpr std::size_t kLongestName = 127;  // bytes

// Takes what is before the next colon off the front. A device's name has none, an IPv6 address comes last.
std::optional<std::string_view> take_word(std::string_view& text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto word = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  return word;
}

std::optional<unsigned> take_number(std::string_view& text) {
  const auto word = take_word(text);
  unsigned number = 0;
  if (!word || word->empty()) return std::nullopt;
  const auto [end, error] = std::from_chars(word->data(), word->data() + word->size(), number);
  return error == std::errc{} && end == word->data() + word->size() ? std::optional(number) : std::nullopt;
}

std::optional<GuestMark> guest_in(std::string_view text) {
  const auto count = take_number(text);
  if (!count) return std::nullopt;
  GuestMark mark{};
  for (unsigned i = 0; i < *count; ++i) {
    const auto lan = take_word(text);
    if (!lan) return std::nullopt;
    mark.lans.emplace_back(*lan);
  }
  const auto guest = parse_ip_address(text);
  if (!guest) return std::nullopt;
  mark.guest = *guest;
  return mark;
}

std::optional<IpInterface> host_address_in(std::string_view text) {
  const auto length = take_number(text);
  return length ? IpInterface::parse(std::string(text) + "/" + std::to_string(*length)) : std::nullopt;
}

std::string name_of(const IpAddress& guest, std::span<const std::string> lans) {
  std::string name = std::string(kGuest) + std::to_string(lans.size()) + ":";
  for (const auto& lan : lans) name += lan + ":";
  return name + to_string(guest);
}

}  // namespace

std::vector<std::string> names_of(const GuestMark& mark) {
  std::vector<std::string> names;
  std::span<const std::string> lans = mark.lans;
  do {
    std::size_t count = lans.size();
    while (count > 1 && name_of(mark.guest, lans.first(count)).size() > kLongestName) --count;
    names.push_back(name_of(mark.guest, lans.first(count)));
    lans = lans.subspan(count);
  } while (!lans.empty());
  return names;
}

std::string name_of_host_address(const IpInterface& address) {
  return std::string(kHost) + std::to_string(address.prefix_length) + ":" + to_string(address.address);
}

std::string name_of_forwarding(int ifindex) { return std::string(kForwarding) + std::to_string(ifindex); }

bool is_mark(std::string_view name) { return name.starts_with(kPrefix); }

DeviceMarks marks_of(int ifindex, std::span<const std::string> alternative_names) {
  DeviceMarks marks;
  for (const std::string_view name : alternative_names) {
    if (name.starts_with(kGuest)) {
      auto mark = guest_in(name.substr(kGuest.size()));
      if (!mark) continue;
      const auto known = std::ranges::find(marks.guests, mark->guest, &GuestMark::guest);
      if (known == marks.guests.end())
        marks.guests.push_back(*std::move(mark));
      else
        known->lans.insert(known->lans.end(), mark->lans.begin(), mark->lans.end());
    } else if (name.starts_with(kHost)) {
      if (const auto address = host_address_in(name.substr(kHost.size()))) marks.host_addresses.push_back(*address);
    } else if (name == name_of_forwarding(ifindex)) {
      marks.forwarding = true;
    }
  }
  return marks;
}

}  // namespace umlnet
