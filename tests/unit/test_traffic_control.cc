// The requests byte for byte, as a little-endian machine sends them, and the records as a kernel does.
#include <doctest/doctest.h>

#include <linux/filter.h>
#include <linux/pkt_cls.h>

#include <array>

#include "libumlnet/core/traffic_control.h"
#include "rtnetlink_records.h"

using namespace umlnet;
using rtnetlink::Bytes;
using test::read_one;

TEST_CASE("traffic control: the place for classifiers") {
  CHECK(rtnetlink::add_clsact(1, 5) == Bytes{48,   0,    0,    0,    36,  0,   0x05, 0x06, 1,   0,   0,   0,
                                             0,    0,    0,    0,                                               //
                                             0,    0,    0,    0,    5,   0,   0,    0,    0,   0,   255, 255,  //
                                             0xf1, 0xff, 0xff, 0xff, 0,   0,   0,    0,                         //
                                             11,   0,    1,    0,    'c', 'l', 's',  'a',  'c', 't', 0,   0});
  CHECK(rtnetlink::delete_clsact(1, 5) == Bytes{36,   0,    0,    0,    37, 0, 0x05, 0, 1, 0, 0,   0,   0, 0, 0, 0,  //
                                                0,    0,    0,    0,    5,  0, 0,    0, 0, 0, 255, 255,              //
                                                0xf1, 0xff, 0xff, 0xff, 0,  0, 0,    0});
}

TEST_CASE("traffic control: a classic-BPF program at the ingress") {
  constexpr auto kProgram =
      std::to_array<sock_filter>({{BPF_LD | BPF_W | BPF_LEN, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 2}});
  CHECK(rtnetlink::add_ingress_classifier(1, 5, kProgram) ==
        Bytes{84,   0,    0,    0,    44,   0,   0x05, 0x06, 1, 0, 0, 0, 0, 0, 0, 0,              //
              0,    0,    0,    0,    5,    0,   0,    0,    1, 0, 0, 0,                          //
              0xf2, 0xff, 0xff, 0xff, 0,    3,   1,    0,                                         //
              8,    0,    1,    0,    'b',  'p', 'f',  0,                                         //
              40,   0,    2,    0x80, 6,    0,   4,    0,    2, 0, 0, 0,                          //
              20,   0,    5,    0,    0x80, 0,   0,    0,    0, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0,  //
              8,    0,    8,    0,    1,    0,   0,    0});
}

TEST_CASE("traffic control: what was counted") {
  const Bytes record{96,   0,    0,    0,    36,  0,   0,   0,   1,   0,   0,   0,   0, 0, 0, 0,              //
                     0,    0,    0,    0,    5,   0,   0,   0,   0,   0,   255, 255,                          //
                     0xf1, 0xff, 0xff, 0xff, 1,   0,   0,   0,                                                //
                     11,   0,    1,    0,    'c', 'l', 's', 'a', 'c', 't', 0,   0,                            //
                     48,   0,    7,    0,                                                                     //
                     20,   0,    1,    0,    0,   1,   0,   0,   0,   0,   0,   0,   3, 1, 0, 0, 0, 0, 0, 0,  //
                     24,   0,    3,    0,    0,   0,   0,   0,   0,   0,   0,   0,   2, 1, 0, 0, 0, 0, 0, 0,
                     0,    0,    0,    0};
  const auto qdisc = read_one(record, rtnetlink::qdisc_of);
  REQUIRE(qdisc);
  CHECK(qdisc->ifindex == 5);
  CHECK(qdisc->kind == "clsact");
  CHECK(qdisc->packets == 0x103);
  CHECK(qdisc->dropped == 0x102);
  for (std::size_t size = 16; size < 36; ++size) {
    Bytes cut(record.begin(), record.begin() + std::ptrdiff_t(size));
    cut[0] = static_cast<std::uint8_t>(size);
    CHECK(!read_one(cut, rtnetlink::qdisc_of));
  }
}
