// The one look at a call before the program has become its caller.
#pragma once

namespace umlnet {

// What must be known of a call before: which descriptor of the caller's it names, and what it takes to serve it. No
// value but the descriptor's number is read, nothing is allocated, and the kernel is asked nothing. Whatever else the
// arguments say is parsed by the caller's own identity (parse_call()).
struct Peek {
  int descriptor = -1;  // that the call names; -1: none
  bool is_ethertap = false;
  bool is_session = false;          // of the native protocol
  bool has_several_queues = false;  // more than one descriptor on /dev/net/tun may be needed
  bool is_bridge = false;           // its answers are of QEMU's bridge helper
  bool may_publish = false;         // an address on the host's own LANs
  bool is_help = false;             // or the question for the version: it needs no file and no privilege

  // Whether the call may last, or need the installation's files again.
  bool is_lasting() const { return is_ethertap || is_session || has_several_queues; }
};

// `argv` as main() gets it.
Peek peek(int argc, const char* const* argv);

}  // namespace umlnet
