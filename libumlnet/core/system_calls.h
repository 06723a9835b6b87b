// What a seccomp filter must know about this machine: the name of its table of system calls, and which system call a
// function of the C library makes where that is not the same on every machine.
#pragma once

#include <linux/audit.h>
#include <sys/syscall.h>

#include <cstdint>

namespace umlnet {

// The `arch` of seccomp_data for a call by this machine's own table.
#if defined(__x86_64__)
inline constexpr std::uint32_t kAuditArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
inline constexpr std::uint32_t kAuditArch = AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
inline constexpr std::uint32_t kAuditArch = AUDIT_ARCH_RISCV64;
#else
#error "add the AUDIT_ARCH_* of this machine (linux/audit.h) here"
#endif

// The system call of poll(). Newer machines have only ppoll(2). Its first two arguments are those of poll(2). The third
// is the address of a timespec, or null for no timeout, where poll(2) has milliseconds: no filter can compare it. The
// fourth is the signal mask for the wait: poll() passes null, which changes nothing.
#ifdef SYS_poll
inline constexpr int kSysPoll = SYS_poll;
inline constexpr bool kPollIsPpoll = false;
#else
inline constexpr int kSysPoll = SYS_ppoll;
inline constexpr bool kPollIsPpoll = true;
#endif

}  // namespace umlnet
