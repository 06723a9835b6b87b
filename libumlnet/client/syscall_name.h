// System calls by name, for a report of one that was not allowed.
#pragma once

#include <cstdint>
#include <string>

namespace umlnet::client {

// `arch` is siginfo's si_arch of a SIGSYS, `number` its si_syscall. "system call 4711" where there is no such number.
std::string syscall_name(std::uint32_t arch, int number);

}  // namespace umlnet::client
