#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "libumlnet/core/ethertap_frame.h"

using namespace umlnet;

TEST_CASE("ethertap frame: 2 bytes of padding, whatever they hold, then the frame") {
  std::vector<std::uint8_t> datagram(2 + 60);
  for (std::size_t i = 0; i < datagram.size(); ++i) datagram[i] = static_cast<std::uint8_t>(i + 1);
  const auto frame = ethertap::frame_of(datagram);
  REQUIRE(frame);
  CHECK(frame->size() == 60);
  CHECK(frame->data() == datagram.data() + 2);
  CHECK(std::ranges::count(ethertap::kZeroPadding, 0) == 2);
}

TEST_CASE("ethertap frame: 14 to 1,514 bytes") {
  for (const auto& [size, good] : {std::pair{0U, false},
                                   {1U, false},
                                   {2U, false},
                                   {2U + 13, false},
                                   {2U + 14, true},
                                   {2U + 1514, true},
                                   {2U + 1515, false}})
    CHECK(ethertap::frame_of(std::vector<std::uint8_t>(size)).has_value() == good);
  CHECK(ethertap::fit_of(13) == ethertap::Fit::too_short);
  CHECK(ethertap::fit_of(1515) == ethertap::Fit::too_long);
  CHECK(ethertap::kLongestDatagram == 1516);
}
