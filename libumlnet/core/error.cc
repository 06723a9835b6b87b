#include "libumlnet/core/error.h"

#include <sysexits.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace umlnet {
namespace {

struct Meaning {
  Code code;
  std::string_view name;
  int exit_status;
};

constexpr std::array<Meaning, 17> kMeanings = {{
    {Code::usage, "usage", EX_USAGE},
    {Code::version, "version", EX_USAGE},
    {Code::bad_value, "bad_value", EX_DATAERR},
    {Code::bad_channel, "bad_channel", EX_USAGE},
    {Code::denied, "denied", EX_NOPERM},
    {Code::no_such_device, "no_such_device", EX_NOINPUT},
    {Code::conflict, "conflict", EX_UNAVAILABLE},
    {Code::not_found, "not_found", EX_UNAVAILABLE},
    {Code::not_privileged, "not_privileged", EX_NOPERM},
    {Code::bad_policy, "bad_policy", EX_CONFIG},
    {Code::policy_changed, "policy_changed", EX_TEMPFAIL},
    {Code::audit, "audit", EX_CONFIG},
    {Code::kernel, "kernel", EX_OSERR},
    {Code::no_answer, "no_answer", EX_OSERR},
    {Code::reply, "reply", EX_IOERR},
    {Code::busy, "busy", EX_TEMPFAIL},
    {Code::bug, "bug", EX_SOFTWARE},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kMeanings.size(); ++i)
    if (static_cast<std::size_t>(kMeanings[i].code) != i) return false;
  return true;
}
static_assert(in_order(), "kMeanings is indexed by Code");

}  // namespace

int exit_status_of(Code code) { return kMeanings.at(static_cast<std::size_t>(code)).exit_status; }

std::string_view code_name(Code code) { return kMeanings.at(static_cast<std::size_t>(code)).name; }

std::optional<Code> parse_code(std::string_view name) {
  const auto* found = std::ranges::find(kMeanings, name, &Meaning::name);
  return found != kMeanings.end() ? std::optional(found->code) : std::nullopt;
}

// strerrorname_np and strerrordesc_np, unlike strerror, read no message catalogue.
std::string errno_name(int errnum) {
  const char* name = strerrorname_np(errnum);
  return name != nullptr ? name : "errno " + std::to_string(errnum);
}

std::optional<int> parse_errno(std::string_view name) {
  constexpr int kMost = 4095;  // MAX_ERRNO of linux/err.h
  for (int errnum = 1; errnum <= kMost; ++errnum)
    if (name == errno_name(errnum)) return errnum;
  return std::nullopt;
}

std::string Error::line() const {
  if (errnum == 0) return what;
  const char* description = strerrordesc_np(errnum);
  return what + ": " + (description != nullptr ? description : "unknown error") + " (" + errno_name(errnum) + ")";
}

std::string Error::text() const { return line() + "\n" + (advice.empty() ? "" : advice + "\n"); }

std::string Error::one_line() const {
  std::string text = line() + (advice.empty() ? "" : ". " + advice);
  std::ranges::replace(text, '\n', ' ');
  return text;
}

}  // namespace umlnet
