#include "libumlnet/client/failure.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace umlnet::client {
namespace {

template <std::size_t Size>
void copy_cut(char (&target)[Size], std::string_view text) {
  const std::size_t size = std::min(text.size(), Size - 1);
  text.copy(static_cast<char*>(target), size);
  target[size] = '\0';
}

}  // namespace

std::unexpected<Failure> failed(umlnet_code code, std::string message) {
  return std::unexpected(Failure{.code = code, .message = std::move(message)});
}

std::unexpected<Failure> failed_errno(int errnum, std::string message, umlnet_code code) {
  return failed_by(code, {Code::kernel, errnum, std::move(message), {}});
}

std::unexpected<Failure> failed_by(umlnet_code code, const Error& error) {
  return std::unexpected(Failure{.code = code, .errnum = error.errnum, .message = error.one_line()});
}

umlnet_code report(const Failure& failure, umlnet_error* error) {
  if (error != nullptr) {
    error->code = failure.code;
    error->errnum = failure.errnum;
    error->exit_status = failure.exit_status;
    copy_cut(error->message, failure.message);
    copy_cut(error->helper, failure.helper);
  }
  return failure.code;
}

umlnet_code report_success(umlnet_error* error) {
  if (error != nullptr) *error = {UMLNET_OK, 0, -1, {}, {}};
  return UMLNET_OK;
}

}  // namespace umlnet::client

extern "C" {

umlnet_code umlnet_error_set(umlnet_error* error, umlnet_code code, int errnum, const char* message) {
  if (error != nullptr) {
    *error = {code, errnum, -1, {}, {}};
    umlnet::client::copy_cut(error->message, message != nullptr ? message : "");
  }
  return code;
}

// A caller's number may be none of the enumeration's, which is what this function is asked to say.
__attribute__((no_sanitize("enum"))) const char* umlnet_code_name(umlnet_code code) {
  switch (code) {
    case UMLNET_OK: return "UMLNET_OK";
    case UMLNET_INVALID: return "UMLNET_INVALID";
    case UMLNET_NO_HELPER: return "UMLNET_NO_HELPER";
    case UMLNET_REFUSED: return "UMLNET_REFUSED";
    case UMLNET_TIMEOUT: return "UMLNET_TIMEOUT";
    case UMLNET_PROTOCOL: return "UMLNET_PROTOCOL";
    case UMLNET_SYSTEM: return "UMLNET_SYSTEM";
    case UMLNET_CLOSED: return "UMLNET_CLOSED";
    case UMLNET_AGAIN: return "UMLNET_AGAIN";
    case UMLNET_UNSUPPORTED: return "UMLNET_UNSUPPORTED";
    case UMLNET_STATE: return "UMLNET_STATE";
    case UMLNET_SANDBOX: return "UMLNET_SANDBOX";
    case UMLNET_MEMORY: return "UMLNET_MEMORY";
  }
  return "unknown";
}

}  // extern "C"
