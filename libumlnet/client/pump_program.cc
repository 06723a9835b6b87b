// umlnet-pump: what umlnet_pump_start() starts. It has no arguments, and no privilege.
#include "libumlnet/client/pump_process.h"

int main() { umlnet::client::be_the_pump_process(); }
