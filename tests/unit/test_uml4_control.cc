#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "libumlnet/core/uml4_arguments.h"
#include "libumlnet/core/uml4_control.h"
#include "libumlnet/core/uml4_frames.h"

using namespace umlnet;
using namespace std::string_literals;

namespace {

std::vector<std::uint8_t> record(int what, std::array<std::uint8_t, 8> rest) {
  std::vector<std::uint8_t> bytes(uml4::kControlRecordSize);
  std::memcpy(bytes.data(), &what, sizeof what);
  std::ranges::copy(rest, bytes.begin() + sizeof what);
  return bytes;
}

const auto kAdd = record(0, {10, 99, 0, 1, 255, 255, 255, 0});
const auto kDelete = record(1, {10, 99, 0, 2, 255, 255, 0, 0});

}  // namespace

TEST_CASE("control record: 12 bytes, what in native order, address and netmask in network order") {
  const auto decoded = uml4::ControlRecord::decode(std::span<const std::uint8_t, 12>(kDelete));
  CHECK(decoded.what == 1);
  CHECK(decoded.address.str() == "10.99.0.2");
  CHECK(decoded.netmask.str() == "255.255.0.0");
}

TEST_CASE("control records come out whole, however the stream is cut") {
  std::vector<std::uint8_t> stream(2 * uml4::kControlRecordSize);
  std::ranges::copy(kAdd, stream.begin());
  std::ranges::copy(kDelete, stream.begin() + uml4::kControlRecordSize);
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    uml4::ControlRecordReader reader;
    std::vector<int> seen;
    for (std::size_t at = 0; at < stream.size();) {
      const auto room = reader.room();
      REQUIRE(!room.empty());
      const std::size_t size = std::min({piece, room.size(), stream.size() - at});
      std::copy_n(stream.begin() + static_cast<std::ptrdiff_t>(at), size, room.begin());
      reader.took(size);
      at += size;
      if (const auto whole = reader.take()) seen.push_back(whole->what);
    }
    CHECK(seen == std::vector{0, 1});
    CHECK_FALSE(reader.take());
  }
}

TEST_CASE("control records as requests") {
  const auto device = *IfName::parse("tap7");
  const auto request = [&](const std::vector<std::uint8_t>& bytes) {
    return uml4::request_of(uml4::ControlRecord::decode(std::span<const std::uint8_t, 12>(bytes)), device);
  };
  const auto add = request(kAdd);
  REQUIRE(add);
  REQUIRE(std::holds_alternative<AddAddress>(*add));
  CHECK(std::get<AddAddress>(*add).device.str() == "tap7");
  CHECK(std::get<AddAddress>(*add).address.str() == "10.99.0.1");
  CHECK(std::get<AddAddress>(*add).netmask.length() == 24);
  CHECK(std::holds_alternative<DeleteAddress>(*request(kDelete)));
  for (const int what : {2, -1, 256, 1 << 24}) CHECK_FALSE(request(record(what, {10, 99, 0, 1, 255, 255, 255, 0})));
  CHECK_FALSE(request(record(0, {10, 99, 0, 1, 255, 0, 255, 0})));
}

TEST_CASE("the opening of a control stream is a status byte and framed text") {
  CHECK(uml4::control_opening(true, "ok\n") == "\1"s + uml4::framed_text("ok\n"));
  CHECK(uml4::control_opening(false, "no\n") == "\0"s + uml4::framed_text("no\n"));
  CHECK(uml4::control_opening(true, std::string(5000, 'x')).size() <= 4096);
}

TEST_CASE("ethertap arguments") {
  const auto parse = [](std::vector<std::string_view> words) { return uml4::parse_call(words); };
  const auto good = parse({"ethertap", "tap7", "5", "10.99.0.254"});
  REQUIRE(good.request);
  CHECK(std::get<OpenEthertap>(*good.request).device.str() == "tap7");
  CHECK(std::get<OpenEthertap>(*good.request).gateway->str() == "10.99.0.254");
  CHECK(good.descriptor == 5);
  CHECK(good.reply == ReplyForm::control);
  CHECK(parse({"ethertap", "tap7", "5"}).request);
  for (const auto* fd : {"", "2", "0", "-1", "+5", "05", "5x", " 5", "0x5", "2147483648"}) {
    const auto bad = parse({"ethertap", "tap7", fd});
    CHECK_FALSE(bad.request);
    CHECK_FALSE(bad.descriptor);
    CHECK(bad.reply == ReplyForm::control);
  }
  CHECK_FALSE(parse({"ethertap"}).request);
  CHECK_FALSE(parse({"ethertap", "tap7"}).request);
  CHECK_FALSE(parse({"ethertap", "tap7", "5", "10.99.0.254", "more"}).request);
  CHECK_FALSE(parse({"ethertap", "tap%d", "5"}).request);
}
