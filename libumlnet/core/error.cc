#include "libumlnet/core/error.h"

#include <sysexits.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace umlnet {
namespace {

struct Status {
  Code code;
  int exit_status;
};

constexpr std::array<Status, 15> kStatuses = {{
    {Code::usage, EX_USAGE},
    {Code::version, EX_USAGE},
    {Code::bad_value, EX_DATAERR},
    {Code::bad_channel, EX_USAGE},
    {Code::denied, EX_NOPERM},
    {Code::no_such_device, EX_NOINPUT},
    {Code::conflict, EX_UNAVAILABLE},
    {Code::not_found, EX_UNAVAILABLE},
    {Code::not_privileged, EX_NOPERM},
    {Code::bad_policy, EX_CONFIG},
    {Code::audit, EX_CONFIG},
    {Code::kernel, EX_OSERR},
    {Code::reply, EX_IOERR},
    {Code::busy, EX_TEMPFAIL},
    {Code::bug, EX_SOFTWARE},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kStatuses.size(); ++i)
    if (static_cast<std::size_t>(kStatuses[i].code) != i) return false;
  return true;
}
static_assert(in_order(), "kStatuses is indexed by Code");

}  // namespace

int exit_status_of(Code code) { return kStatuses.at(static_cast<std::size_t>(code)).exit_status; }

// strerrorname_np and strerrordesc_np, unlike strerror, read no message catalogue.
std::string errno_name(int errnum) {
  const char* name = strerrorname_np(errnum);
  return name != nullptr ? name : "errno " + std::to_string(errnum);
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
