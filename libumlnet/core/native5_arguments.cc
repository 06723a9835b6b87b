#include "libumlnet/core/native5_arguments.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

#include "libumlnet/core/anti_spoof.h"
#include "libumlnet/core/fd_number.h"
#include "libumlnet/core/native5_words.h"
#include "libumlnet/core/open_options.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::native5 {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::string_view kDeviceNames =
    "A name has 1 to 15 printable characters, an alternative name up to 127, without space, '/', ':' and '%'.";

constexpr std::size_t kShown = 40;  // bytes of a word that a message repeats

std::optional<unsigned> parse_number(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_canonical = text == "0" || !text.starts_with('0');
  if (error != std::errc{} || end != text.data() + text.size() || !is_canonical) return std::nullopt;
  return number;
}

std::unexpected<Error> bad_value(std::string_view option, std::string_view value, std::string_view is_not,
                                 std::string advice) {
  return fail(Code::bad_value, std::string(option) + "=" + escaped(value, 40) + " is not " + std::string(is_not),
              std::move(advice));
}

// How a descriptor is named, which is all that a call and a record differ in.
using ParseFd = std::optional<int> (*)(std::string_view);

std::optional<int> parse_place(std::string_view text) {
  const auto number = parse_number(text);
  return number && *number < 256 ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

// One option with a value: what it makes of a request.
struct Reader {
  OpenInterface& request;
  ParseFd parse_fd;
};
using Read = Result<void> (*)(std::string_view option, std::string_view value, const Reader& reader);

// `parse` takes the name of a new device, or of one that is there.
Result<void> read_name(std::string_view option, std::string_view value,
                       std::optional<IfName> (*parse)(std::string_view), std::optional<IfName>& place) {
  place = parse(value);
  if (!place) return bad_value(option, value, "the name of a device", std::string(kDeviceNames));
  return {};
}

Result<void> read_mac(std::string_view option, std::string_view value, std::optional<MacAddress>& place) {
  place = MacAddress::parse(value);
  if (!place)
    return bad_value(option, value, "the MAC address of one interface",
                     "Write six hexadecimal numbers with colons, the first of them even, as in 52:54:00:12:34:56.");
  return {};
}

Result<void> read_guest_mac(std::string_view option, std::string_view value, std::vector<MacAddress>& place) {
  std::optional<MacAddress> mac;
  if (auto read = read_mac(option, value, mac); !read) return read;
  if (std::ranges::find(place, *mac) != place.end())
    return fail(Code::usage, std::string(option) + "=" + mac->str() + ": the address is given twice");
  if (place.size() == kMaxGuestMacs)
    return fail(Code::usage, "there are more than " + std::to_string(kMaxGuestMacs) + " options " +
                                 std::string(option) + "=, which is as many as a filter takes");
  place.push_back(*mac);
  return {};
}

Result<unsigned> number_in(std::string_view option, std::string_view value, unsigned least, unsigned most) {
  const auto number = parse_number(value);
  if (!number || *number < least || *number > most)
    return bad_value(option, value, "a number from " + std::to_string(least) + " to " + std::to_string(most),
                     "Write it in decimal digits.");
  return *number;
}

Result<void> read_number(Result<unsigned> number, auto& place) {
  if (!number) return std::unexpected(std::move(number.error()));
  place = *number;
  return {};
}

bool clash(const IpInterface& one, const IpInterface& other) { return one.address == other.address; }
bool clash(const IpRange& one, const IpRange& other) { return one.overlaps(other); }

template <class Item>
Result<void> read_one_more(std::string_view option, std::string_view value, std::optional<Item> item,
                           std::vector<Item>& place, std::string advice) {
  if (!item) return bad_value(option, value, "an IP address", std::move(advice));
  if (std::ranges::any_of(place, [&](const Item& other) { return clash(other, *item); }))
    return fail(Code::usage, std::string(option) + "=" + escaped(value, 50) + ": the address is given twice");
  if (place.size() == kMaxAddresses)
    return fail(Code::usage, "there are more than " + std::to_string(kMaxAddresses) + " options " +
                                 std::string(option) + "=, which is as many as one device can have");
  place.push_back(*std::move(item));
  return {};
}

constexpr std::pair<std::string_view, Read> kValues[] = {
    {"device", [](auto option, auto value,
                  const Reader& r) { return read_name(option, value, IfName::parse, r.request.device); }},
    {"address",
     [](auto option, auto value, const Reader& r) {
       return read_one_more(option, value, IpInterface::parse(value), r.request.addresses,
                            "Write an address and the length of its network's prefix, as in 10.99.0.254/24 or "
                            "fd00:99::1/64.");
     }},
    {"guest",
     [](auto option, auto value, const Reader& r) {
       auto guest = IpRange::parse(value);
       const bool is_v4 = guest && std::holds_alternative<Ipv4>(guest->first());
       if (guest && guest->length() < (is_v4 ? kMinGuestLength : kMinIpv6GuestLength)) guest.reset();
       return read_one_more(
           option, value, guest, r.request.guests,
           "Write an address, as in 10.50.0.7 or fd00:99::7, or a network behind the guest without bits "
           "to the right of its prefix, as in 10.50.7.64/29 or fd00:99:7::/48.");
     }},
    {"guest-mac",
     [](auto option, auto value, const Reader& r) { return read_guest_mac(option, value, r.request.guest_macs); }},
    {"bridge", [](auto option, auto value,
                  const Reader& r) { return read_name(option, value, IfName::parse_existing, r.request.bridge); }},
    {"mtu", [](auto option, auto value,
               const Reader& r) { return read_number(number_in(option, value, kMinMtu, kMaxMtu), r.request.mtu); }},
    {"mac", [](auto option, auto value, const Reader& r) { return read_mac(option, value, r.request.mac); }},
    {"queues", [](auto option, auto value,
                  const Reader& r) { return read_number(number_in(option, value, 1, kMaxQueues), r.request.queues); }},
    {"owner",
     [](auto option, auto value, const Reader& r) -> Result<void> {
       r.request.owner = DeviceOwner::parse(value);
       if (!r.request.owner)
         return bad_value(option, value, "the number of a user or a group",
                          "Write a uid, as in 1001, or a gid with a colon before it, as in :1001.");
       return {};
     }},
    {"netns",
     [](auto option, auto value, const Reader& r) -> Result<void> {
       r.request.netns = r.parse_fd(value);
       if (!r.request.netns)
         return bad_value(option, value, "the number of a descriptor",
                          "It is a decimal number: from 3 on for an inherited descriptor, from 0 on among those that "
                          "came with a session's record.");
       return {};
     }},
};

std::string all_options() {
  std::string text;
  for (const auto& [name, read] : kValues) text += std::string(name) + "=, ";
  for (const auto& [name, flag] : kFlags) text += std::string(name) + ", ";
  return text.substr(0, text.size() - 2);
}

Result<void> read_option(std::string_view word, std::vector<std::string_view>& seen, const Reader& reader) {
  const auto equals = word.find('=');
  const auto name = word.substr(0, equals);
  const auto once = [&]() -> Result<void> {
    if (std::ranges::find(seen, name) != seen.end())
      return fail(Code::usage, "the option " + std::string(name) + " is given twice");
    seen.push_back(name);
    return {};
  };
  if (equals == std::string_view::npos) {
    for (const auto& [flag, member] : kFlags)
      if (flag == name) {
        reader.request.*member = true;
        return once();
      }
  } else {
    for (const auto& [option, read] : kValues)
      if (option == name) {
        const bool is_list = name == "address" || name == "guest" || name == "guest-mac";
        if (auto first = is_list ? Result<void>() : once(); !first) return first;
        return read(name, word.substr(equals + 1), reader);
      }
  }
  return fail(Code::usage, in_quotes(word, kShown) + " is no option of \"open\"",
              "The options are " + all_options() + ".");
}

Result<Request> parse_open(Words words, ParseFd parse_fd) {
  OpenInterface request;
  std::vector<std::string_view> seen;
  for (const auto word : words)
    if (auto read = read_option(word, seen, {request, parse_fd}); !read)
      return std::unexpected(std::move(read.error()));
  if (auto fits = check_options(request); !fits) return std::unexpected(std::move(fits.error()));
  return request;
}

Result<Request> parse_remove(Words words) {
  constexpr std::string_view kDevice = "device=";
  if (words.size() != 1 || !words[0].starts_with(kDevice))
    return fail(Code::usage,
                "\"remove\" takes one word, device=NAME, and got " +
                    (words.size() == 1 ? in_quotes(words[0], kShown) : std::to_string(words.size())),
                "Name the device to delete.");
  const auto name = words[0].substr(kDevice.size());
  const auto device = IfName::parse_existing(name);
  if (!device) return bad_value("device", name, "the name of a device", std::string(kDeviceNames));
  return RemoveInterface{*device};
}

Result<Request> parse_request(Words words, ParseFd parse_fd) {
  const auto verb = words.empty() ? std::string_view() : words.front();
  if (verb == "open") return parse_open(words.subspan(1), parse_fd);
  if (verb == "remove") return parse_remove(words.subspan(1));
  if (verb == "reload")
    return fail(Code::usage, "\"reload\" is a record of a session, and takes no options",
                "A call of its own reads the policy anew by itself.");
  return fail(
      Code::usage, in_quotes(verb, kShown) + " is no request of the native protocol",
      "Known are: open [OPTION...]; remove device=NAME; session [events], as the first; and reload, within it.");
}

}  // namespace

Call parse_call(Words words) {
  Call call{.protocol = Protocol::native5, .reply = ReplyForm::json, .request = fail(Code::bug, "not parsed")};
  const auto verb = words.empty() ? std::string_view() : words.front();
  for (const std::string_view known : {"open", "remove", "session"})
    if (verb == known) call.operation = known;
  if (verb == "session") {
    const auto options = words.subspan(1);
    call.request = OpenSession{.events = !options.empty()};
    if (options.size() > 1 || (options.size() == 1 && options[0] != "events"))
      call.request = fail(Code::usage, "\"session\" takes one option, events", "All others go with each request.");
    return call;
  }
  call.request = parse_request(words, parse_fd_number);
  if (call.request)
    if (const auto* open = std::get_if<OpenInterface>(&*call.request)) call.descriptor = open->netns;
  return call;
}

Result<Request> parse_record(std::string_view record) {
  if (record.empty() || record.back() != '\0')
    return fail(Code::usage, "a session's record is not whole: each of its words ends in a NUL byte");
  std::vector<std::string_view> words;
  while (!record.empty()) {
    const auto end = record.find('\0');
    words.push_back(record.substr(0, end));
    record.remove_prefix(end + 1);
  }
  return parse_request(words, parse_place);
}

}  // namespace umlnet::native5
