/*
 * For User-Mode Linux 6.1 on processors with AMX, loaded by LD_PRELOAD.
 *
 * The kernel wants the whole XSAVE area in PTRACE_GETREGSET and PTRACE_SETREGSET with NT_X86_XSTATE; UML knows an area
 * of 2,696 bytes and passes that much, so that with AMX's larger area every guest process dies of "ptrace set fp regs
 * failed". Here both calls are made with an area of the size that the kernel has, and UML sees its part of it.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WIDEST = 64 * 1024 };

static size_t kernel_size; /* of the area; 0 until the kernel has told */

long ptrace(enum __ptrace_request request, ...) {
  va_list arguments;
  va_start(arguments, request);
  const pid_t pid = va_arg(arguments, pid_t);
  void* address = va_arg(arguments, void*);
  void* data = va_arg(arguments, void*);
  va_end(arguments);

  /* The C library's own wrapper gives PEEK results by value; the system call stores them. */
  if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
    long word = 0;
    const long result = syscall(SYS_ptrace, request, pid, address, &word);
    return result < 0 ? result : word;
  }
  const int is_get = request == PTRACE_GETREGSET, is_set = request == PTRACE_SETREGSET;
  if ((!is_get && !is_set) || (long)address != NT_X86_XSTATE) return syscall(SYS_ptrace, request, pid, address, data);

  static char area[WIDEST];
  struct iovec *asked = data, wide = {area, sizeof area};
  if (is_get || kernel_size == 0) {
    const long result = syscall(SYS_ptrace, PTRACE_GETREGSET, pid, address, &wide);
    if (result < 0) return result;
    kernel_size = wide.iov_len;
  }
  if (is_get) {
    if (asked->iov_len > kernel_size) asked->iov_len = kernel_size;
    memcpy(asked->iov_base, area, asked->iov_len);
    return 0;
  }
  const size_t given = asked->iov_len < kernel_size ? asked->iov_len : kernel_size;
  memset(area, 0, kernel_size);
  memcpy(area, asked->iov_base, given);
  wide.iov_len = kernel_size;
  return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, address, &wide);
}
