// A pump program with a flaw: it makes a system call that the pump's sandbox forbids, once it is inside.
#include <sys/syscall.h>
#include <unistd.h>

#include "libumlnet/client/pump_process.h"

int main() {
  umlnet::client::be_the_pump_process([] { ::syscall(SYS_getpid); });
}
