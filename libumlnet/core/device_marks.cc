#include "libumlnet/core/device_marks.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "libumlnet/core/colon_field.h"

namespace umlnet {
namespace {

constexpr std::string_view kPrefix = "umlnet:";
constexpr std::string_view kGuest = "umlnet:guest:", kHost = "umlnet:host:", kForwarding = "umlnet:forwarding:";
constexpr std::size_t kLongestName = 127;  // bytes

// A device's name has no colon, and an IPv6 address comes last.
std::optional<unsigned> take_number(std::string_view& text) {
  const auto word = take_field(text);
  unsigned number = 0;
  if (!word || word->empty()) return std::nullopt;
  const auto [end, error] = std::from_chars(word->data(), word->data() + word->size(), number);
  return error == std::errc{} && end == word->data() + word->size() ? std::optional(number) : std::nullopt;
}

std::optional<GuestMark> guest_in(std::string_view text) {
  const auto published = take_number(text), forwarded = take_number(text);
  if (!published || !forwarded) return std::nullopt;
  std::vector<std::string> on, from;
  for (unsigned i = 0; i < *published + *forwarded; ++i) {
    const auto lan = take_field(text);
    if (!lan) return std::nullopt;
    (i < *published ? on : from).emplace_back(*lan);
  }
  const auto comma = text.find(',');
  const auto guest = IpRange::parse(text.substr(0, comma));
  const auto via = comma != std::string_view::npos ? parse_ip_address(text.substr(comma + 1)) : std::nullopt;
  if (!guest || (comma != std::string_view::npos && !via)) return std::nullopt;
  return GuestMark{*guest, std::move(on), std::move(from), via};
}

std::optional<IpInterface> host_address_in(std::string_view text) {
  const auto length = take_number(text);
  const auto id = length ? take_field(text) : std::nullopt;
  return id ? IpInterface::parse(std::string(text) + "/" + std::to_string(*length)) : std::nullopt;
}

std::string name_of(const GuestMark& mark) {
  std::string name = std::string(kGuest) + std::to_string(mark.published_on.size()) + ":" +
                     std::to_string(mark.forwarded_from.size()) + ":";
  for (const auto* lans : {&mark.published_on, &mark.forwarded_from})
    for (const auto& lan : *lans) name += lan + ":";
  return name + mark.guest.compact() + (mark.via ? "," + to_string(*mark.via) : "");
}

void append(std::vector<std::string>& lans, std::vector<std::string>&& more) {
  std::ranges::move(more, std::back_inserter(lans));
}

}  // namespace

std::vector<std::string> names_of(const GuestMark& mark) {
  if (name_of(mark).size() <= kLongestName) return {name_of(mark)};
  // One LAN each, which always fits.
  std::vector<std::string> names;
  for (const auto& lan : mark.published_on) names.push_back(name_of({mark.guest, {lan}, {}, mark.via}));
  for (const auto& lan : mark.forwarded_from) names.push_back(name_of({mark.guest, {}, {lan}, mark.via}));
  return names;
}

std::string name_of_host_address(const IpInterface& address, std::string_view id) {
  return std::string(kHost) + std::to_string(address.prefix_length) + ":" + std::string(id) + ":" +
         to_string(address.address);
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
      if (known == marks.guests.end()) {
        marks.guests.push_back(*std::move(mark));
      } else {
        append(known->published_on, std::move(mark->published_on));
        append(known->forwarded_from, std::move(mark->forwarded_from));
      }
    } else if (name.starts_with(kHost)) {
      if (const auto address = host_address_in(name.substr(kHost.size()))) marks.host_addresses.push_back(*address);
    } else if (name == name_of_forwarding(ifindex)) {
      marks.forwarding = true;
    }
  }
  return marks;
}

std::optional<IpRange> guest_of_mark(std::string_view name) {
  if (!name.starts_with(kGuest)) return std::nullopt;
  const auto mark = guest_in(name.substr(kGuest.size()));
  return mark ? std::optional(mark->guest) : std::nullopt;
}

}  // namespace umlnet
