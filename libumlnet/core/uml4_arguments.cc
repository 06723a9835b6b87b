#include "libumlnet/core/uml4_arguments.h"

#include <string>

#include "libumlnet/core/fd_number.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::uml4 {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::string_view kDeviceNames =
    "A device name has 1 to 15 printable characters, an alternative name up to 127, without space, '/', ':' and '%'.";

constexpr std::size_t kShown = 40;  // bytes of a word that a message repeats

Result<Ipv4> parse_address(std::string_view what, std::string_view word) {
  if (const auto address = Ipv4::parse(word)) return *address;
  return fail(Code::bad_value, std::string(what) + " " + in_quotes(word, kShown) + " is not an IPv4 address",
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
  const auto device = IfName::parse_existing(rest[0]);
  if (!device)
    return fail(Code::bad_value, in_quotes(rest[0], kShown) + " is not a device name", std::string(kDeviceNames));
  const auto address = parse_address("the guest's address", rest[1]);
  if (!address) return std::unexpected(address.error());
  const auto netmask = Ipv4Mask::parse(rest[2]);
  if (!netmask)
    return fail(Code::bad_value, "the netmask " + in_quotes(rest[2], kShown) + " is not an IPv4 netmask",
                "Write it as in 255.255.255.0: one bits on the left, zero bits on the right.");
  return AddOrDelete{.device = *device, .address = *address, .netmask = *netmask};
}

Result<int> parse_data_fd(std::string_view word) {
  if (const auto fd = parse_fd_number(word)) return *fd;
  return fail(Code::bad_value,
              "the data socket " + in_quotes(word, kShown) + " is not the number of an inherited descriptor",
              "Write a decimal number from 3 on: 0, 1 and 2 have other uses.");
}

Result<Request> parse_ethertap(Words rest) {
  const auto device = IfName::parse(rest[0]);
  if (!device)
    return fail(Code::bad_value, in_quotes(rest[0], kShown) + " is not a device name", std::string(kDeviceNames));
  OpenEthertap request{.device = *device, .gateway = std::nullopt};
  if (rest.size() > 2) {
    const auto gateway = parse_address("the gateway", rest[2]);
    if (!gateway) return std::unexpected(gateway.error());
    request.gateway = *gateway;
  }
  return request;
}

Call call(ReplyForm reply, std::string_view operation, Result<Request> request) {
  return {.protocol = Protocol::uml4, .reply = reply, .operation = operation, .request = std::move(request)};
}

Call parse_add_or_del(std::string_view word, Words rest) {
  if (word == "add") return call(ReplyForm::framed, "add", parse_address_change<AddAddress>(rest));
  return call(ReplyForm::framed, "del", parse_address_change<DeleteAddress>(rest));
}

// The data socket's number counts even where the rest is wrong: whoever closes descriptors must know which to leave.
Call parse_ethertap_call(Words rest) {
  if (rest.size() < 2 || rest.size() > 3)
    return call(ReplyForm::control, "ethertap",
                fail(Code::usage,
                     "\"4 ethertap\" takes a device name, the number of the data socket and at most a gateway "
                     "address, and got " +
                         std::to_string(rest.size()) + " words"));
  const auto data_fd = parse_data_fd(rest[1]);
  if (!data_fd) return call(ReplyForm::control, "ethertap", std::unexpected(data_fd.error()));
  Call ethertap = call(ReplyForm::control, "ethertap", parse_ethertap(rest));
  ethertap.descriptor = *data_fd;
  return ethertap;
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
                fail(Code::usage, in_quotes("4 tuntap " + std::string(word(1)), kShown) + " is not an operation",
                     "Known are: 4 tuntap up [GATE]; 4 tuntap add|del DEV ADDR NETMASK"));
  }
  if (word(0) == "ethertap") return parse_ethertap_call(words.subspan(1));
  if (word(0) == "slip" || word(0) == "slirp")
    return call(ReplyForm::text, {},
                fail(Code::usage, "the " + std::string(word(0)) + " transport is not served",
                     "Give the guest eth0=tuntap,,,GATE instead."));
  return call(ReplyForm::text, {},
              fail(Code::usage, in_quotes("4 " + std::string(word(0)), kShown) + " is not an operation",
                   "Known are: 4 tuntap up [GATE]; 4 add|del DEV ADDR NETMASK; 4 ethertap DEV DATA_FD [GATE]"));
}

}  // namespace umlnet::uml4
