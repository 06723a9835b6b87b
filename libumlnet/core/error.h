// What can go wrong, as a closed list, and the one table of exit statuses.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace umlnet {

enum class Code : std::uint8_t {
  usage,           // the argument list is not one that the program knows
  version,         // a protocol version that is not spoken
  bad_value,       // an argument is not what its place asks for (an address, a device name, ...)
  bad_channel,     // the fd for the reply is not of the kind that the protocol wants
  denied,          // policy says no
  no_such_device,  // no such device, or not the caller's: the two are not told apart
  conflict,        // the kernel's state forbids it: an address in use, a name taken
  not_found,       // nothing there to take back
  not_privileged,  // the program was started without the privilege it needs
  bad_policy,      // the policy cannot be read or is not valid
  policy_changed,  // the policy is not the one that the session decides by
  audit,           // the audit record cannot be written
  kernel,          // a request to the kernel failed
  no_answer,       // a request went to the kernel and its answer was lost: it may have been done
  reply,           // the caller did not take the reply
  busy,            // another request of the same caller is under way, and does not end
  bug,             // should not happen
};

// One failure: what was being done to what, and why not (`what`); what to do about it (`advice`, may be empty);
// the kernel's error number (`errnum`, 0 where there is none); the line of a text that it is about (`at_line`, 0 where
// it is about none).
struct Error {
  Code code = Code::bug;
  int errnum = 0;
  std::string what;
  std::string advice;
  unsigned at_line = 0;

  // What and why not, on one line without newline: "cannot open /dev/net/tun: Permission denied (EACCES)".
  std::string line() const;
  // The same and the advice: plain lines for a person, each ending in newline.
  std::string text() const;
  // All of that on one line, without newline.
  std::string one_line() const;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string what, std::string advice = {}) {
  return std::unexpected(Error{code, 0, std::move(what), std::move(advice)});
}

inline std::unexpected<Error> fail_errno(Code code, int errnum, std::string what, std::string advice = {}) {
  return std::unexpected(Error{code, errnum, std::move(what), std::move(advice)});
}

// The exit status that stands for a code, of sysexits.h.
int exit_status_of(Code code);

// "no_such_device": what the native protocol calls a code, and the code back; nothing where it is none.
std::string_view code_name(Code code);
std::optional<Code> parse_code(std::string_view name);

// The name of an error number without its text ("EPERM"), or "errno 4711" for one the C library does not know.
std::string errno_name(int errnum);
// The number back; nothing for what is no such name.
std::optional<int> parse_errno(std::string_view name);

}  // namespace umlnet
