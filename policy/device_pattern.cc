#include "policy/device_pattern.h"

#include <algorithm>
#include <cstddef>

#include "libumlnet/core/device_marks.h"

namespace umlnet::policy {
namespace {

constexpr std::size_t kMaxText = 64;  // bytes of a pattern

// A backslash is an escape in the shell and a plain byte in a name: refused, so that nobody has to guess.
bool may_stand(char c) { return c > ' ' && c <= '~' && c != '/' && c != ':' && c != '%' && c != '\\'; }

bool same_kind(char a, char b) {
  const auto both = [&](char low, char high) { return a >= low && a <= high && b >= low && b <= high; };
  return both('0', '9') || both('a', 'z') || both('A', 'Z');
}

// The bytes between `[` and `]`, without a `!` in front. A range is within digits, small or capital letters: [A-z]
// takes in punctuation, which hardly anybody means. `^` in front is `!` to some shells and a plain byte to others.
bool is_set(std::string_view set) {
  if (set.empty() || set.front() == '^') return false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (!may_stand(set[i]) || set[i] == '[') return false;
    const bool is_inner_dash = set[i] == '-' && i != 0 && i + 1 != set.size();
    if (is_inner_dash) return false;
    const bool is_range = i + 2 < set.size() && set[i + 1] == '-';
    if (!is_range) continue;
    if (!same_kind(set[i], set[i + 2]) || set[i] > set[i + 2]) return false;
    i += 2;
  }
  return true;
}

bool set_holds(std::string_view set, char c) {
  for (std::size_t i = 0; i < set.size(); ++i) {
    const bool is_range = i + 2 < set.size() && set[i + 1] == '-';
    if (is_range ? set[i] <= c && c <= set[i + 2] : set[i] == c) return true;
    if (is_range) i += 2;
  }
  return false;
}

// What stands for one byte of a name: a byte, `?` or a set in brackets; `size` is its length in the pattern.
struct Atom {
  std::string_view set;
  bool negated = false;
  bool in_brackets = false;
  std::size_t size = 1;
};

Atom atom_at(std::string_view pattern, std::size_t at) {
  if (pattern[at] != '[') return {.set = pattern.substr(at, 1)};
  const auto close = pattern.find(']', at);
  const bool negated = pattern[at + 1] == '!';
  const std::size_t first = at + (negated ? 2 : 1);
  return {.set = pattern.substr(first, close - first), .negated = negated, .in_brackets = true, .size = close + 1 - at};
}

bool stands_for(const Atom& atom, char c) {
  if (!atom.in_brackets) return atom.set == "?" || atom.set.front() == c;
  return set_holds(atom.set, c) != atom.negated;
}

}  // namespace

std::optional<DevicePattern> DevicePattern::parse(std::string_view text, std::size_t longest) {
  if (text.empty() || text.size() > kMaxText) return std::nullopt;
  std::size_t shortest = 0;  // bytes of the shortest name that matches
  for (std::size_t i = 0; i < text.size();) {
    if (!may_stand(text[i]) || text[i] == ']') return std::nullopt;
    if (text[i] == '*') {
      ++i;
      continue;
    }
    if (text[i] == '[') {
      // With neither a byte between nor an end, there is no set to look at.
      const auto close = text.find(']', i);
      if (close == std::string_view::npos || close == i + 1) return std::nullopt;
    }
    const auto atom = atom_at(text, i);
    if (atom.in_brackets && !is_set(atom.set)) return std::nullopt;
    i += atom.size;
    ++shortest;
  }
  if (shortest > longest) return std::nullopt;  // it would never match: a mistake, and in a deny rule a hole
  return DevicePattern(text);
}

std::optional<std::string> DevicePattern::example() const {
  // Plain bytes first: no name of theirs is "." or "..".
  std::string bytes = "0az";
  for (char c = '!'; c <= '~'; ++c) bytes += may_stand(c) ? std::string(1, c) : "";
  std::string name;
  for (std::size_t i = 0; i < text_.size();) {
    if (text_[i] == '*') {
      ++i;
      continue;
    }
    const auto atom = atom_at(text_, i);
    const auto fitting = std::ranges::find_if(bytes, [&](char c) { return stands_for(atom, c); });
    if (fitting == bytes.end()) return std::nullopt;
    name += *fitting;
    i += atom.size;
  }
  if (IfName::parse_existing(name)) return name;
  const auto longer = name + "0";  // a star may stand for that
  return IfName::parse_existing(longer) && matches(longer) ? std::optional(longer) : std::nullopt;
}

// Goes through the name once. Where it does not fit, the last star takes one byte more; what an earlier star took need
// never be looked at again, so the work is bounded by the product of the two lengths.
bool DevicePattern::matches(std::string_view name) const {
  const std::string_view pattern = text_;
  std::size_t p = 0, n = 0;
  std::size_t behind_star = std::string_view::npos, taken_to = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      behind_star = ++p;
      taken_to = n;
      continue;
    }
    if (p < pattern.size()) {
      const auto atom = atom_at(pattern, p);
      if (stands_for(atom, name[n])) {
        p += atom.size;
        ++n;
        continue;
      }
    }
    if (behind_star == std::string_view::npos) return false;
    p = behind_star;
    n = ++taken_to;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool match_any(const std::vector<DevicePattern>& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [&](const DevicePattern& pattern) { return pattern.matches(name); });
}

bool match_any(const std::vector<DevicePattern>& patterns, const rtnetlink::Link& device) {
  const auto matches = [&](const std::string& name) { return !is_mark(name) && match_any(patterns, name); };
  return matches(device.name) || std::ranges::any_of(device.alternative_names, matches);
}

}  // namespace umlnet::policy
