// rtnetlink messages about traffic control as bytes (tc(8), tc-bpf(8), linux/pkt_cls.h): a classic-BPF program that the
// kernel runs on each frame that a device receives - of a TAP: on each that comes from the guest - before a bridge or
// the host's own stack sees it.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "libumlnet/core/rtnetlink.h"

namespace umlnet::rtnetlink {

// The classifier's place on the device. There is no other unless an administrator adds one: those of a lower priority
// come first, and the frames that the program lets pass go on to those of a higher.
inline constexpr std::uint16_t kClassifierPriority = 1;
inline constexpr std::uint32_t kClassifierHandle = 1;

// The classifier decides by what the program returns (direct action): TC_ACT_SHOT drops and counts the frame,
// TC_ACT_UNSPEC
// (-1) hands it on. A load outside the frame ends the program with 0, TC_ACT_OK: the frame passes. Program offsets
// count from the MAC header; a VLAN tag has been taken out of the frame by then (SKF_AD_VLAN_TAG_PRESENT). The device
// has to have the queueing discipline first. Fails with EEXIST where there is one already.
Bytes add_clsact(std::uint32_t sequence, int ifindex);
Bytes delete_clsact(std::uint32_t sequence, int ifindex);  // and what classifiers it has
// At most BPF_MAXINSNS (4,096) instructions. The kernel checks the program: EINVAL. CAP_NET_ADMIN is enough, since it
// is classic BPF. Needs CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS, which distributions have as modules: ENOENT
// without.
Bytes add_ingress_classifier(std::uint32_t sequence, int ifindex, std::span<const sock_filter> program);

// A queueing discipline of a device, and what it counted since it was added.
struct Qdisc {
  int ifindex = 0;
  std::string kind;           // "clsact", ...
  std::uint64_t packets = 0;  // of clsact: frames that a classifier looked at (super-frames by their segments)
  std::uint32_t dropped = 0;  // of clsact: frames that a classifier dropped; starts again from 0 behind 2^32-1
};

// Of all devices. Reading needs no privilege. A request for one device's is no way: the kernel does not always answer
// it.
Bytes dump_qdiscs(std::uint32_t sequence);

std::optional<Qdisc> qdisc_of(const Message& message);

}  // namespace umlnet::rtnetlink
