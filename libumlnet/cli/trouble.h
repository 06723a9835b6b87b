// What went wrong, as a person reads it, and the exit status that a script sees: the one error type of this room.
#pragma once

#include <expected>
#include <string>

#include "libumlnet/core/error.h"
#include "umlnet/umlnet.h"

namespace umlnet::cli {

struct Trouble {
  int status;        // of sysexits.h, or as shells have it: 126, 127, 128 + signal
  std::string text;  // lines without the last newline; empty: there is nothing to say
};

template <class T>
using Outcome = std::expected<T, Trouble>;

std::unexpected<Trouble> trouble(int status, std::string text);
// Ends in what `errnum` means.
std::unexpected<Trouble> trouble_errno(int status, const std::string& doing, int errnum);
// The library's message, the helper's further lines and, where there is something to do about it here, what.
std::unexpected<Trouble> trouble(const umlnet_error& error);
// An error of the rooms that the helper shares, with the exit status that the helper would have.
std::unexpected<Trouble> trouble(const Error& error);
// A wrong command line. Points to the help.
std::unexpected<Trouble> misuse(std::string text);
// What getopt_long() found wrong with the last option: `letter` is ':' where it has no value, '?' where it is unknown.
std::unexpected<Trouble> bad_option(int letter, char** argv);
// Words that are not of the form that they should have: EX_DATAERR, the words in quotes, and why not.
std::unexpected<Trouble> malformed(const std::string& words, const std::string& why);

// The one table from the library's codes to exit statuses.
int exit_status_of(const umlnet_error& error);

// Writes "umlnet SUBCOMMAND: TEXT" to stderr; returns the status.
int tell(const char* subcommand, const Trouble& trouble);

}  // namespace umlnet::cli
