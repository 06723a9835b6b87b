// A pump program that was taken over: it claims to be pumping, ends, and claims what only a caller who waits can say.
#include <sys/socket.h>
#include <unistd.h>

#include "libumlnet/client/pump_memory.h"

int main() {
  auto memory = umlnet::client::SharedPumpMemory::of(3);
  if (!memory) return 1;
  (*memory)->outcome = {.how = umlnet::client::PumpOutcome::broke, .code = UMLNET_TIMEOUT};
  const char ready = 1;
  ::send(4, &ready, 1, MSG_NOSIGNAL);
  ::_exit(0);
}
