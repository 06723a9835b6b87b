#include "libumlnet/core/uml4_arguments.h"

#include <string>

#include "libumlnet/core/plain_text.h"

namespace umlnet::uml4 {
namespace {

using Words = std::span<const std::string_view>;

std::string quoted(std::string_view word) { return "\"" + escaped(word, 40) + "\""; }

Result<Ipv4> parse_address(std::string_view what, std::string_view word) {
  if (const auto address = Ipv4::parse(word)) return *address;
  return fail(Code::bad_value, std::string(what) + " " + quoted(word) + " is not an IPv4 address",
              "Write four decimal numbers with dots between them, as in 10.99.0.254.");
}

Result<Request> parse_up(Words rest) {
  if (rest.size() > 1)
    return fail(Code::usage,
                "\"4 tuntap up\" takes one gateway address at most, and got " + std::to_string(rest.size()) + " words");
  if (rest.empty()) return MakeTap{};
  const auto gateway = parse_address("the gateway", rest[0]);
  if (!gateway) return std::unexpected(gateway.error());
  return MakeTap{.gateway = *gateway};
}

template <class AddOrDelete>
Result<Request> parse_address_change(Words rest) {
  if (rest.size() != 3)
    return fail(Code::usage, "\"4 add\" and \"4 del\" take a device, an address and a netmask, and got " +
                                 std::to_string(rest.size()) + " words");
  const auto device = IfName::parse(rest[0]);
  if (!device)
    return fail(Code::bad_value, quoted(rest[0]) + " is not a device name",
                "A device name has 1 to 15 printable characters, without space, '/', ':' and '%'.");
  const auto address = parse_address("the guest's address", rest[1]);
  if (!address) return std::unexpected(address.error());
  const auto netmask = Ipv4Mask::parse(rest[2]);
  if (!netmask)
    return fail(Code::bad_value, "the netmask " + quoted(rest[2]) + " is not an IPv4 netmask",
                "Write it as in 255.255.255.0: one bits on the left, zero bits on the right.");
  return AddOrDelete{.device = *device, .address = *address, .netmask = *netmask};
}

Call call(ReplyForm reply, std::string_view operation, Result<Request> request) {
  return {.protocol = Protocol::uml4, .reply = reply, .operation = operation, .request = std::move(request)};
}

Call parse_add_or_del(std::string_view word, Words rest) {
  if (word == "add") return call(ReplyForm::framed, "add", parse_address_change<AddAddress>(rest));
  return call(ReplyForm::framed, "del", parse_address_change<DeleteAddress>(rest));
}

bool is_add_or_del(std::string_view word) { return word == "add" || word == "del"; }

}  // namespace

Call parse_call(Words words) {
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string_view{}; };
  if (is_add_or_del(word(0))) return parse_add_or_del(word(0), words.subspan(1));
  if (word(0) == "tuntap") {
    if (is_add_or_del(word(1))) return parse_add_or_del(word(1), words.subspan(2));
    if (word(1) == "up") return call(ReplyForm::datagram, "tuntap", parse_up(words.subspan(2)));
    return call(ReplyForm::text, "tuntap",
                fail(Code::usage, "\"4 tuntap " + escaped(word(1), 20) + "\" is not an operation",
                     "Known are: 4 tuntap up [GATE]; 4 tuntap add|del DEV ADDR NETMASK"));
  }
  if (word(0) == "slip" || word(0) == "slirp")
    return call(ReplyForm::text, {},
                fail(Code::usage, "the " + std::string(word(0)) + " transport is not served",
                     "Give the guest eth0=tuntap,,,GATE instead."));
  return call(ReplyForm::text, {},
              fail(Code::usage, "\"4 " + escaped(word(0), 20) + "\" is not an operation",
                   "Known are: 4 tuntap up [GATE]; 4 add|del DEV ADDR NETMASK"));
}

}  // namespace umlnet::uml4
