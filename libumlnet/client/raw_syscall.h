// System calls that touch nothing but registers: not errno either, which belongs to a thread. For code that runs in
// another process on the same memory (watcher.h).
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace umlnet::client {

// The kernel's own answer: a negative error number where it failed.
[[gnu::always_inline]] inline long raw_syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0,
                                               long e = 0) {
#if defined(__x86_64__)
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory", "cc");
  return x0;
#else
  // TargetNamespace a failure is also written to the errno of the thread that started the process.
  const long result = ::syscall(number, a, b, c, d, e);
  return result == -1 ? -errno : result;
#endif
}

// A pointer as the kernel takes it.
template <class T>
long raw(T* pointer) {
  return reinterpret_cast<long>(pointer);
}

}  // namespace umlnet::client
