// Classic BPF as seccomp has it: what libseccomp uses of it.
#pragma once

#include <doctest/doctest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

using Program = std::vector<sock_filter>;

inline constexpr std::uint32_t kStuck = 0xdeadbeef;  // no SECCOMP_RET_*

// The action that the program returns for the call.
inline std::uint32_t run(const Program& program, const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const auto& line = program[at];
    switch (line.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (line.k + sizeof accumulator > sizeof data) return kStuck;
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + line.k, sizeof accumulator);
        break;
      case BPF_ALU | BPF_AND | BPF_K: accumulator &= line.k; break;
      case BPF_JMP | BPF_JA: at += line.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: at += accumulator == line.k ? line.jt : line.jf; break;
      case BPF_JMP | BPF_JGE | BPF_K: at += accumulator >= line.k ? line.jt : line.jf; break;
      case BPF_JMP | BPF_JGT | BPF_K: at += accumulator > line.k ? line.jt : line.jf; break;
      case BPF_RET | BPF_K: return line.k;
      default: FAIL("an instruction that seccomp programs are not known to have: " << line.code);
    }
  }
  return kStuck;
}
