#include "libumlnet/core/traffic_control.h"

#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <bit>

#include "libumlnet/core/rtnetlink_message.h"

namespace umlnet::rtnetlink {
namespace {

constexpr std::string_view kClsact("clsact", sizeof "clsact");  // with the NUL
constexpr std::string_view kBpf("bpf", sizeof "bpf");

constexpr std::uint16_t network_order(std::uint16_t value) {
  return std::endian::native == std::endian::little ? static_cast<std::uint16_t>(value << 8 | value >> 8) : value;
}

tcmsg clsact_body(int ifindex) {
  tcmsg body{};
  body.tcm_ifindex = ifindex;
  body.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0U);
  body.tcm_parent = TC_H_CLSACT;
  return body;
}

}  // namespace

Bytes add_clsact(std::uint32_t sequence, int ifindex) {
  return Builder(RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence, clsact_body(ifindex))
      .attribute(TCA_KIND, kClsact)
      .done();
}

Bytes delete_clsact(std::uint32_t sequence, int ifindex) {
  return Builder(RTM_DELQDISC, NLM_F_ACK, sequence, clsact_body(ifindex)).done();
}

Bytes add_ingress_classifier(std::uint32_t sequence, int ifindex, std::span<const sock_filter> program) {
  tcmsg body{};
  body.tcm_ifindex = ifindex;
  body.tcm_handle = kClassifierHandle;
  body.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
  body.tcm_info = TC_H_MAKE(std::uint32_t{kClassifierPriority} << 16, network_order(ETH_P_ALL));
  const ByteSpan instructions(reinterpret_cast<const std::uint8_t*>(program.data()), program.size_bytes());
  return Builder(RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence, body)
      .attribute(TCA_KIND, kBpf)
      .nested(TCA_OPTIONS,
              [&](Builder& options) {
                options.attribute(TCA_BPF_OPS_LEN, static_cast<std::uint16_t>(program.size()))
                    .attribute(TCA_BPF_OPS, instructions)
                    .attribute(TCA_BPF_FLAGS, std::uint32_t{TCA_BPF_FLAG_ACT_DIRECT});
              })
      .done();
}

Bytes dump_qdiscs(std::uint32_t sequence) { return Builder(RTM_GETQDISC, NLM_F_DUMP, sequence, tcmsg{}).done(); }

std::optional<Qdisc> qdisc_of(const Message& message) {
  const auto body = read_struct<tcmsg>(message.payload);
  if (message.type != RTM_NEWQDISC || !body) return std::nullopt;
  const Attributes top(behind(message.payload, sizeof *body));
  Qdisc qdisc{.ifindex = body->tcm_ifindex, .kind = top.text(TCA_KIND)};
  const Attributes statistics = top.inside(TCA_STATS2);
  // 32 bits, and where they do not suffice the whole number beside them (gnet_stats_copy_basic() in
  // net/core/gen_stats.c).
  if (const auto basic = statistics.bytes(TCA_STATS_BASIC))
    if (const auto packets = basic->size() >= 12 ? read_struct<std::uint32_t>(basic->subspan(8)) : std::nullopt)
      qdisc.packets = *packets;
  if (const auto packets = statistics.number<std::uint64_t>(TCA_STATS_PKT64)) qdisc.packets = *packets;
  if (const auto queue = statistics.number<gnet_stats_queue>(TCA_STATS_QUEUE)) qdisc.dropped = queue->drops;
  return qdisc;
}

}  // namespace umlnet::rtnetlink
