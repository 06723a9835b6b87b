#include "libumlnet/core/error.h"

#include <sysexits.h>

#include <array>
#include <cstring>

namespace umlnet {
namespace {

constexpr std::array<CodeMeaning, 14> kMeanings = {{
    {Code::usage, EX_USAGE, "usage"},
    {Code::version, EX_USAGE, "version"},
    {Code::bad_value, EX_DATAERR, "bad-value"},
    {Code::bad_channel, EX_USAGE, "bad-channel"},
    {Code::denied, EX_NOPERM, "denied"},
    {Code::no_such_device, EX_NOINPUT, "no-such-device"},
    {Code::conflict, EX_UNAVAILABLE, "conflict"},
    {Code::not_found, EX_UNAVAILABLE, "not-found"},
    {Code::not_privileged, EX_NOPERM, "not-privileged"},
    {Code::bad_policy, EX_CONFIG, "bad-policy"},
    {Code::audit, EX_CONFIG, "audit"},
    {Code::kernel, EX_OSERR, "kernel"},
    {Code::reply, EX_IOERR, "reply"},
    {Code::bug, EX_SOFTWARE, "bug"},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kMeanings.size(); ++i)
    if (static_cast<std::size_t>(kMeanings[i].code) != i) return false;
  return true;
}
static_assert(in_order(), "kMeanings is indexed by Code");

}  // namespace

const CodeMeaning& meaning(Code code) { return kMeanings.at(static_cast<std::size_t>(code)); }

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

}  // namespace umlnet
