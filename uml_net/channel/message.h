// What the front and the executor say to each other: one packet each, of this one program's own making, on an AF_UNIX
// SOCK_SEQPACKET socket, some with descriptors.
//
//   front                                        executor
//   request, misfit, not_understood        ->
//                                          <-    refused                   the front answers the caller
//                                          <-    granted, with descriptors
//   delivered, undelivered                 ->
//                                          <-    done, failed_late         once it is on record
//   reload                                 ->
//                                          <-    reloaded, refused
//   caller_gone                            ->
//                                          <-    over
//                                          <-    warning, policy_changed   at any time
//   status                                 ->                              the last one
//
// The front is not believed: its messages are Said, of a fixed size, with a tail of bytes that are only ever escaped
// and written to the audit log. What the executor says is Told, for which the front has a parser.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/mac_address.h"
#include "libumlnet/core/protocol.h"
#include "libumlnet/core/request_id.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/channel/wire_request.h"

namespace umlnet {

// An Error in a fixed number of bytes. Longer words are cut.
struct WireError {
  std::uint8_t code = 0;
  std::int32_t errnum = 0;
  std::array<char, 1024> what = {};
};
WireError encode(const Error& error);
// Code::bug for an unknown code. Without advice, which the executor has no use for.
Error decode(const WireError& wire);

// What is not_understood, or a misfit, is refused without an Error: the front has its own.
enum class Says : std::uint8_t {
  request,         // the caller asks for `request`
  misfit,          // the same, but `error` forbids to answer it
  not_understood,  // what the caller said is no request, for `error`
  delivered,       // the caller has taken the answer
  undelivered,     // it has not, for `error`
  reload,          // of a session: the caller asks for the policy as it is now
  caller_gone,     // of a session: its end, of which `error` may be the reason
  status,          // the exit status for the caller, and the front's end
};

// Why a session ends, as the front sees it.
enum class SessionEnd : std::uint8_t { closed, receiving_failed, waiting_failed, control_closed, control_failed };

struct Said {
  Says what = Says::status;
  std::uint8_t protocol = 0;   // of Protocol
  std::uint8_t operation = 0;  // operation_word()
  std::uint8_t has_error = 0;
  std::uint8_t status = 0;       // of caller_gone: a SessionEnd
  std::int32_t descriptor = -1;  // that the call names
  WireRequest request = {};
  WireError error = {};
};

// What the audit log may call the operation of a call that was not understood, by number, and back; an empty word for
// any number that stands for none.
std::uint8_t operation_number(std::string_view word);
std::string_view operation_word(std::uint8_t number);

struct FrontMessage {
  Said said;
  std::string tail;  // of not_understood: the record
  std::vector<unique_fd> fds;
};

enum class Tells : std::uint8_t { refused, granted, done, failed_late, reloaded, over, warning, policy_changed };

// What was made, as the answer says it.
struct Made {
  bool has_device = false;  // a new one, whose descriptors come with this
  std::string device;
  int ifindex = 0;
  std::optional<MacAddress> mac = {};
  unsigned mtu = 0;
  std::string text;  // for a person: lines, each ending in newline
  std::vector<std::string> notes = {};
  std::vector<std::string> published = {};  // for each guest of the request the LANs, with '/' between them
};

struct Told {
  Tells what = Tells::over;
  std::optional<RequestId> id = {};
  std::optional<Error> error = {};
  Made made = {};
};

struct ExecutorMessage {
  Told told;
  std::vector<unique_fd> fds;
};

inline constexpr std::size_t kMaxTail = 8192;  // bytes

// `tail` is cut to kMaxTail. Code::kernel where the other side is gone, or takes nothing.
Result<void> send(int channel, const Said& said, std::string_view tail = {}, std::span<const int> fds = {});
Result<void> send(int channel, const Told& told, std::span<const int> fds = {});

// Waits for the next message. Code::kernel where the other side is gone (ECONNRESET), or said what is no message;
// EMFILE where its descriptors could not be taken: the message was taken all the same.
Result<FrontMessage> receive_said(int channel);
Result<ExecutorMessage> receive_told(int channel);

}  // namespace umlnet
