#include "libumlnet/cli/trouble.h"

#include <getopt.h>
#include <sysexits.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

struct Meaning {
  umlnet_code code;
  int status;
  const char* advice;
};
constexpr Meaning kMeanings[] = {
    {UMLNET_INVALID, EX_DATAERR, ""},    {UMLNET_NO_HELPER, EX_UNAVAILABLE, ""},
    {UMLNET_REFUSED, EX_NOPERM, ""},     {UMLNET_TIMEOUT, EX_TEMPFAIL, "--timeout SECONDS gives it more time"},
    {UMLNET_PROTOCOL, EX_PROTOCOL, ""},  {UMLNET_SYSTEM, EX_OSERR, ""},
    {UMLNET_CLOSED, EX_UNAVAILABLE, ""}, {UMLNET_AGAIN, EX_SOFTWARE, ""},
    {UMLNET_UNSUPPORTED, EX_USAGE, ""},  {UMLNET_STATE, EX_SOFTWARE, ""},
    {UMLNET_SANDBOX, EX_SOFTWARE, ""},   {UMLNET_MEMORY, EX_OSERR, ""},
};

const Meaning& meaning_of(umlnet_code code) {
  for (const auto& meaning : kMeanings)
    if (meaning.code == code) return meaning;
  static constexpr Meaning kUnknown = {UMLNET_SYSTEM, EX_SOFTWARE, ""};
  return kUnknown;
}

int status_of_refusal(const umlnet_error& error) {
  // The helper knows better than the code: no such device, address in use, bad policy...
  if (error.exit_status >= EX__BASE && error.exit_status <= EX__MAX) return error.exit_status;
  // What ended without a word is no uml_net.
  if (error.exit_status >= 0 && error.helper[0] == '\0') return EX_UNAVAILABLE;
  // A busy or missing device is not a matter of permission.
  switch (error.errnum) {
    case EBUSY:
    case ENODEV:
    case ENOENT: return EX_UNAVAILABLE;
    default: return EX_NOPERM;
  }
}

}  // namespace

int exit_status_of(const umlnet_error& error) {
  return error.code == UMLNET_REFUSED ? status_of_refusal(error) : meaning_of(error.code).status;
}

std::unexpected<Trouble> trouble(int status, std::string text) {
  return std::unexpected(Trouble{status, std::move(text)});
}

std::unexpected<Trouble> trouble_errno(int status, const std::string& doing, int errnum) {
  return trouble(status, doing + ": " + ::strerror(errnum));
}

std::unexpected<Trouble> trouble(const umlnet_error& error) {
  std::string text = error.message[0] != '\0' ? error.message : umlnet_code_name(error.code);
  // The message has the helper's first line already.
  std::string helper = error.helper;
  while (helper.ends_with('\n')) helper.pop_back();
  if (const auto newline = helper.find('\n'); newline != std::string::npos) text += helper.substr(newline);
  if (const std::string advice = meaning_of(error.code).advice; !advice.empty()) text += ". " + advice;
  return trouble(exit_status_of(error), std::move(text));
}

std::unexpected<Trouble> trouble(const Error& error) {
  std::string text = error.text();
  while (text.ends_with('\n')) text.pop_back();
  return trouble(exit_status_of(error.code), std::move(text));
}

std::unexpected<Trouble> misuse(std::string text) { return trouble(EX_USAGE, std::move(text) + " (see --help)"); }

std::unexpected<Trouble> bad_option(int letter, char** argv) {
  const std::string option = printable(argv[::optind - 1]);
  return misuse(letter == ':' ? "the option " + option + " wants a value" : "there is no option " + option);
}

std::unexpected<Trouble> malformed(const std::string& words, const std::string& why) {
  constexpr std::size_t kShown = 256;
  return trouble(EX_DATAERR, in_quotes(words, kShown) + ": " + why);
}

int tell(const char* subcommand, const Trouble& trouble) {
  if (!trouble.text.empty()) std::fprintf(stderr, "umlnet %s: %s\n", subcommand, trouble.text.c_str());
  return trouble.status;
}

}  // namespace umlnet::cli
