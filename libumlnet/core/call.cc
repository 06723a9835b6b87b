#include "libumlnet/core/call.h"

#include <algorithm>
#include <string>

#include "libumlnet/core/native5_arguments.h"
#include "libumlnet/core/plain_text.h"
#include "libumlnet/core/qemu_bridge_arguments.h"
#include "libumlnet/core/uml4_arguments.h"

namespace umlnet {
namespace {

using Words = std::span<const std::string_view>;

Call not_understood(Error error) { return {.request = std::unexpected(std::move(error))}; }

Call parse_gc(Words rest) {
  if (!rest.empty()) return not_understood({Code::usage, 0, "uml_net gc takes no arguments", "Call it as: uml_net gc"});
  return {.operation = "gc", .request = CollectGarbage{}};
}

struct FirstWord {
  std::string_view word;
  Call (*parse)(Words rest);
};
constexpr FirstWord kFirstWords[] = {
    {"4", uml4::parse_call},
    {"5", native5::parse_call},
    {"gc", parse_gc},
};

bool looks_like_version(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

int exit_status_of(ReplyForm form, const Error& error) {
  return form == ReplyForm::bridge ? 1 : exit_status_of(error.code);
}

Call parse_call(Words arguments) {
  if (qemu_bridge::is_call(arguments)) return qemu_bridge::parse_call(arguments);
  if (arguments.empty())
    return not_understood({Code::usage, 0, "uml_net was called without arguments",
                           "It is started by VM managers; people find its uses with: uml_net --help"});
  const auto first = arguments.front();
  for (const auto& [word, parse] : kFirstWords)
    if (word == first) return parse(arguments.subspan(1));
  if (looks_like_version(first))
    return not_understood({Code::version, 0,
                           "protocol version " + escaped(first, 20) + " is not spoken here; versions 4 and 5 are",
                           first.size() == 1 && first.front() < '4'
                               ? "Versions 0 to 3 are unsafe by design: use a User-Mode Linux kernel of 2002 or later."
                               : "The caller is newer than this uml_net: install a uml_net that speaks its version."});
  return not_understood({Code::usage, 0, in_quotes(first, 40) + " is neither a protocol version nor a command",
                         "uml_net speaks the protocol versions 4 and 5; its uses are listed by: uml_net --help"});
}

}  // namespace umlnet
