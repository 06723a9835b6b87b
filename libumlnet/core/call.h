// One call of the helper: which protocol it speaks, what it asks for, and how it wants to be answered.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "libumlnet/core/error.h"
#include "libumlnet/core/protocol.h"
#include "libumlnet/core/request.h"

namespace umlnet {

enum class ReplyForm {
  text,      // plain lines, on stderr for an error: a person reads them
  datagram,  // UML `tuntap up`: one datagram on fd 1, with the fd where there is one
  framed,    // UML `add` and `del`: framed text on fd 1
  control,   // UML `ethertap`: a status byte and framed text on fd 1, a stream that then goes on in both directions
  json,      // native: one JSON object and the fds, in one message on the socket that is fd 1
  bridge,    // QEMU's bridge helper: one zero byte with the fd on the socket that the call names; an error on stderr
};

struct Call {
  Protocol protocol = Protocol::none;
  ReplyForm reply = ReplyForm::text;
  std::string_view operation = {};  // as the audit log names it; empty where it was not understood
  Result<Request> request;
  // The number of the inherited descriptor that the call names: the socket for frames (UML `ethertap`) or for the reply
  // (bridge), or a network namespace (native).
  std::optional<int> descriptor = {};
};

// The exit status that tells a caller of that form of an error: of sysexits.h, but 1 for whatever it is where the form
// is `bridge`.
int exit_status_of(ReplyForm form, const Error& error);

// The whole grammar of the command line, `arguments` being what stands behind the program's name. A call that is not
// understood still says how its caller expects to be answered, as far as its first words tell.
Call parse_call(std::span<const std::string_view> arguments);

}  // namespace umlnet
