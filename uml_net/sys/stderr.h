// What is said on stderr.
#pragma once

#include <string>
#include <string_view>

#include "libumlnet/core/error.h"

namespace umlnet {

// How every refusal begins, wherever it goes: "uml_net: ...".
std::string told(const Error& error);

// The same, on stderr. Like the next, it gives up a reader that does not read after some seconds.
void write_error(const Error& error);
void write_to_stderr(std::string_view text);

// Waits until `fd` takes bytes, some seconds at the most: Code::reply.
Result<void> wait_until_writable(int fd);
// Never waits, however the caller fills the descriptor or sets its flags meanwhile: it may hold a duplicate. As
// write().
ssize_t write_at_once(int fd, std::string_view bytes);

inline constexpr int kPatience = 5000;  // milliseconds
std::unexpected<Error> not_taken();

}  // namespace umlnet
