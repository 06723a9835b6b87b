#include "uml_net/filters/filter.h"

#include <algorithm>
#include <vector>

#include "libumlnet/core/seccomp_filter.h"

namespace umlnet::filters {

Result<void> patch(const Filter& filter, std::span<sock_filter> program, std::span<const PatchedWord> words) {
  const auto refuse = [] { return fail(Code::bug, "the seccomp filter does not have the places that it should have"); };
  if (program.size() != filter.program.size()) return refuse();
  for (const auto& one : words) {
    const auto is_same = [&](const PatchedWord& other) {
      return other.word == one.word ||
             (other.value == one.value && (other.word == Word::upper_half) == (one.word == Word::upper_half));
    };
    if (std::ranges::count_if(words, is_same) != 1) return refuse();
    if (std::ranges::find(filter.places, one.word, &Place::word) == filter.places.end()) return refuse();
  }
  for (const auto& [word, instruction] : filter.places) {
    const auto known = std::ranges::find(words, word, &PatchedWord::word);
    if (known == words.end() || instruction >= program.size()) return refuse();
    sock_filter& comparison = program[instruction];
    if (comparison.code != (BPF_JMP | BPF_JEQ | BPF_K) || comparison.k != placeholder(word)) return refuse();
    comparison.k = known->value;
  }
  return {};
}

Result<void> enter(const Filter& filter, std::span<const PatchedWord> words) {
  if (words.empty() && filter.places.empty()) return enter_seccomp_filter(filter.program);
  std::vector<sock_filter> program(filter.program.begin(), filter.program.end());
  if (auto done = patch(filter, program, words); !done) return done;
  return enter_seccomp_filter(program);
}

}  // namespace umlnet::filters
