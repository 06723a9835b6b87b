// How a seccomp filter is written down: which system calls are allowed, and with which arguments. Anything else kills
// the process. For the generator, and for the tests; the helper has the programs that were made of it.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "uml_net/filters/filter.h"

namespace umlnet::filters {

// A number that an argument is compared with; one that a header of the system names says so. The generator runs on the
// build machine: what it writes holds the name against that header again, for the machine that the program is for.
struct Number {
  constexpr Number(std::integral auto number) : value(static_cast<std::uint64_t>(number)) {}
  constexpr Number(const char* its_name, std::uint64_t its_value) : value(its_value), name(its_name) {}
  std::uint64_t value;
  const char* name = nullptr;
};
#define UMLNET_NUMBER(name) Number(#name, static_cast<std::uint64_t>(name))

// One condition on an argument of a system call: (argument & mask) is (value & mask) for one of the values, or what is
// patched in for `word`.
struct Condition {
  unsigned argument;
  Number mask;
  std::vector<Number> values;
  std::optional<Word> word = {};
};

// Of an argument that the kernel takes as an int or an unsigned int, and whose upper half it ignores: a descriptor, a
// number of descriptors, a command, a signal, flags.
inline Condition is(unsigned argument, std::initializer_list<Number> values) { return {argument, UINT32_MAX, values}; }
inline Condition on_fd(std::initializer_list<Number> fds) { return is(0, fds); }
// Of an argument of 64 bits.
inline Condition is_null(unsigned argument) { return {argument, UINT64_MAX, {0}}; }
inline Condition is_long(unsigned argument, Number value) { return {argument, UINT64_MAX, {value}}; }
inline Condition has_no(unsigned argument, Number bits) { return {argument, bits, {0}}; }
inline Condition is_address(unsigned argument, Word of) { return {argument, UINT64_MAX, {}, of}; }
inline Condition is_patched_fd(Word fd) { return {0, UINT32_MAX, {}, fd}; }

// The system calls, by name, are allowed where all conditions hold, and each of them is about another argument. Where
// the machine has no such system call it is the one that its C library makes instead: ppoll without a signal mask for
// poll, readlinkat for readlink.
struct Rule {
  std::vector<std::string_view> calls;
  std::vector<Condition> conditions = {};
};

struct Table {
  std::string_view name;  // of the Filter, without its k
  std::vector<Rule> rules;
  std::vector<std::string_view> for_sanitizers = {};  // allowed besides in a build with sanitizers, with any arguments
};

// All filters of the helper.
std::vector<Table> tables();

}  // namespace umlnet::filters
