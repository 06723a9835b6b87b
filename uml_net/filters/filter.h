// A seccomp filter that libseccomp made when the helper was built (generate.cc), and entering it.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "libumlnet/core/error.h"

namespace umlnet::filters {

// A word that is known at run time only, and which the program compares with half of an argument: with the lower half
// of an address, or with the number of a descriptor. Every address that a filter pins shares its upper half with the
// others of that filter.
enum class Word : std::uint8_t {
  upper_half,
  tun_path,
  tun_how,
  log_path,
  log_how,
  policy_root,
  policy_directory,
  root_how,
  directory_how,
  file_how,
  locked_file,
  journal
};

// What the program has in a word's place until patch() puts the word there: no address, descriptor or flag.
constexpr std::uint32_t placeholder(Word word) { return 0xb5e7'c300U + static_cast<std::uint32_t>(word); }

// One instruction of a program that compares with a word.
struct Place {
  Word word;
  std::uint16_t instruction;
};

struct Filter {
  std::span<const sock_filter> program;
  std::span<const Place> places = {};
};

struct PatchedWord {
  Word word;
  std::uint32_t value;
};

// Puts the words into `program`, a copy of the filter's. Code::bug where a place has no word, a word no place, or two
// words one value, where an instruction is not the comparison that it should be, or where `program` has another size:
// then the program is of no use.
Result<void> patch(const Filter& filter, std::span<sock_filter> program, std::span<const PatchedWord> words);

// Puts the calling thread, and all processes that it starts, under the filter for good. Sets no_new_privs. What the
// filter does not allow kills the process (SIGSYS). Needs no privilege. Code::kernel where the kernel refuses,
// Code::bug where patch() fails: then there is no filter.
Result<void> enter(const Filter& filter, std::span<const PatchedWord> words = {});

}  // namespace umlnet::filters
