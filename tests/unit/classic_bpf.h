// Classic BPF as the kernel runs it on a packet (Documentation/networking/filter.rst), as far as our programs use it.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

#include "libumlnet/core/network_order.h"

namespace umlnet {

// What the program returns. A load outside the frame ends it with 0. Throws where the kernel would not take the
// program, or this does not know the instruction.
inline std::uint32_t run_classic_bpf(std::span<const sock_filter> program, std::span<const std::uint8_t> frame,
                                     bool vlan_tag_present) {
  std::uint32_t a = 0, x = 0;
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& at = program[pc];
    const auto holds = [&](std::size_t bytes) { return at.k <= frame.size() && bytes <= frame.size() - at.k; };
    switch (at.code) {
      case BPF_LD | BPF_B | BPF_ABS:
        if (at.k == static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)) {
          a = vlan_tag_present ? 1 : 0;
          break;
        }
        if (!holds(1)) return 0;
        a = frame[at.k];
        break;
      case BPF_LD | BPF_H | BPF_ABS:
        if (!holds(2)) return 0;
        a = get_be16(frame, at.k);
        break;
      case BPF_LD | BPF_W | BPF_ABS:
        if (!holds(4)) return 0;
        a = get_be32(frame, at.k);
        break;
      case BPF_LD | BPF_W | BPF_LEN: a = static_cast<std::uint32_t>(frame.size()); break;
      case BPF_LD | BPF_B | BPF_IND: {
        const std::size_t place = std::size_t{x} + at.k;
        if (place >= frame.size()) return 0;
        a = frame[place];
        break;
      }
      case BPF_LD | BPF_H | BPF_IND: {
        const std::size_t place = std::size_t{x} + at.k;
        if (place + 1 >= frame.size()) return 0;
        a = get_be16(frame, place);
        break;
      }
      case BPF_LDX | BPF_B | BPF_MSH:
        if (!holds(1)) return 0;
        x = 4U * (frame[at.k] & 0xfU);
        break;
      case BPF_MISC | BPF_TAX: x = a; break;
      case BPF_MISC | BPF_TXA: a = x; break;
      case BPF_ALU | BPF_ADD | BPF_K: a += at.k; break;
      case BPF_ALU | BPF_AND | BPF_K: a &= at.k; break;
      case BPF_JMP | BPF_JA: pc += at.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: pc += a == at.k ? at.jt : at.jf; break;
      case BPF_JMP | BPF_JGE | BPF_K: pc += a >= at.k ? at.jt : at.jf; break;
      case BPF_JMP | BPF_JGE | BPF_X: pc += a >= x ? at.jt : at.jf; break;
      case BPF_RET | BPF_K: return at.k;
      default: throw std::runtime_error("an instruction that no program of ours has");
    }
  }
  throw std::runtime_error("the program runs over its end");
}

}  // namespace umlnet
