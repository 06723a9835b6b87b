// The caller's answer, on fd 1 in the form that its protocol wants.
#pragma once

#include <string>

#include "libumlnet/core/call.h"
#include "libumlnet/core/error.h"
#include "uml_net/priv/execute.h"

namespace umlnet {

class Reply {
 public:
  explicit Reply(ReplyForm form) : form_(form) {}

  // Whether fd 1 is what the protocol wants there: a connected AF_UNIX SOCK_DGRAM socket, a pipe (or AF_UNIX stream
  // socket) open for writing, or a connected AF_UNIX SOCK_STREAM socket. Code::bad_channel otherwise. Until it has been
  // called, refuse() writes to stderr only.
  Result<void> check();

  // Hands over what was made, fd and all. A caller that does not read is given up after some seconds (Code::reply).
  Result<void> grant(const priv::Outcome& outcome);

  // Tells the caller why not. On stderr where there is no other way to tell.
  void refuse(const Error& error);

 private:
  ReplyForm form_;
  bool usable_ = false;
};

// How every refusal begins, wherever it goes: "uml_net: ...".
std::string told(const Error& error);

// The same, on stderr.
void complain(const Error& error);

}  // namespace umlnet
