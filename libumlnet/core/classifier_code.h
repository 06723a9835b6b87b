// An assembler for classifiers: classic BPF in direct-action mode, which the kernel runs on each frame that a device
// receives (traffic_control.h). Every part falls through to the next one unless it passes or drops the frame.
#pragma once

#include <linux/filter.h>
#include <linux/pkt_cls.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace umlnet::classifier {

using Code = std::vector<sock_filter>;

constexpr sock_filter statement(unsigned code, std::uint32_t k) {
  return {.code = static_cast<std::uint16_t>(code), .jt = 0, .jf = 0, .k = k};
}

constexpr Code operator+(Code first, const Code& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// Loads, at an offset from the MAC header. A load outside the frame ends the program with 0 (TC_ACT_OK), which passes
// the frame: check the size first.
constexpr Code byte_at(std::uint32_t at) { return {statement(BPF_LD | BPF_B | BPF_ABS, at)}; }
constexpr Code half_at(std::uint32_t at) { return {statement(BPF_LD | BPF_H | BPF_ABS, at)}; }
constexpr Code word_at(std::uint32_t at) { return {statement(BPF_LD | BPF_W | BPF_ABS, at)}; }
constexpr Code size() { return {statement(BPF_LD | BPF_W | BPF_LEN, 0)}; }
constexpr Code masked(std::uint32_t mask) { return {statement(BPF_ALU | BPF_AND | BPF_K, mask)}; }

constexpr Code pass() { return {statement(BPF_RET | BPF_K, static_cast<std::uint32_t>(TC_ACT_UNSPEC))}; }
constexpr Code drop() { return {statement(BPF_RET | BPF_K, TC_ACT_SHOT)}; }

// Conditions reach 255 instructions far, so each is a jump around a jump, which reaches everywhere.
constexpr Code jump_over(const Code& code) {
  if (code.empty()) return {};
  return {statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(code.size()))};
}
// Runs `then` where what was loaded last is `value`; goes on behind it otherwise.
constexpr Code when(std::uint32_t value, const Code& then) {
  return Code{{.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 1, .jf = 0, .k = value}} + jump_over(then) + then;
}
constexpr Code when_any_of(std::span<const std::uint32_t> values, const Code& then) {
  // Each value jumps to `then`, which stands behind the last and a jump around it.
  Code code;
  auto left = static_cast<std::uint8_t>(values.size());
  for (const auto value : values)
    code.push_back({.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = left--, .jf = 0, .k = value});
  return std::move(code) + jump_over(then) + then;
}
constexpr Code when_any_of(std::initializer_list<std::uint32_t> values, const Code& then) {
  return when_any_of(std::span(values.begin(), values.size()), then);
}
constexpr Code drop_unless(std::uint32_t value) {
  return Code{{.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 1, .jf = 0, .k = value}} + drop();
}
constexpr Code drop_below(std::uint32_t frame_size) {
  return size() + Code{{.code = BPF_JMP | BPF_JGE | BPF_K, .jt = 1, .jf = 0, .k = frame_size}} + drop();
}

}  // namespace umlnet::classifier
