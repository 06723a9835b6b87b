// How the client library says that something did not work, before it becomes the C ABI's umlnet_error.
#pragma once

#include <exception>
#include <expected>
#include <new>
#include <string>

#include "libumlnet/core/error.h"
#include "umlnet/umlnet.h"

namespace umlnet::client {

// As umlnet_error has it, and no Error, for the C ABI has codes of its own and the helper's status and words: what was
// being done, to what, why not, what to do about it, on one line.
struct Failure {
  umlnet_code code = UMLNET_SYSTEM;
  int errnum = 0;
  int exit_status = -1;
  std::string message;
  std::string helper = {};  // the helper's own words
};

template <class T>
using Outcome = std::expected<T, Failure>;

std::unexpected<Failure> failed(umlnet_code code, std::string message);
// The message ends in what `errnum` means.
std::unexpected<Failure> failed_errno(int errnum, std::string message, umlnet_code code = UMLNET_SYSTEM);
// An error of the core as one of the library.
std::unexpected<Failure> failed_by(umlnet_code code, const Error& error);

// Fills `error` (may be null) and returns the code.
umlnet_code report(const Failure& failure, umlnet_error* error);
umlnet_code report_success(umlnet_error* error);

// Runs `body`, which returns Outcome<void>, at the border to C: no exception leaves it.
template <class Body>
umlnet_code at_border(umlnet_error* error, Body body) {
  try {
    const Outcome<void> outcome = body();
    return outcome ? report_success(error) : report(outcome.error(), error);
  } catch (const std::bad_alloc&) {
    return umlnet_error_set(error, UMLNET_MEMORY, 0, "out of memory");
  } catch (const std::exception& exception) {
    return umlnet_error_set(error, UMLNET_SYSTEM, 0, exception.what());
  }
}

}  // namespace umlnet::client
