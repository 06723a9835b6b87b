// What the executor asks of the recorder: to put something on record, and what only the access of the installation can
// do. One packet each way on an AF_UNIX SOCK_SEQPACKET socket; the executor waits for each answer but that to end_turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/protocol.h"
#include "libumlnet/core/request.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet {

enum class Asks : std::uint8_t {
  begin,            // the first: what the call is; `flag`: the lines go to journald, too
  begin_request,    // a session's next request: durations count from here; `flag`: a changed policy is an error of its
                    // own
  take_turn,        // `flag`: no other request of this uid before end_turn; and what `check` does
  check,            // the log is the one at its path, and the policy the one that the executor has
  follow,           // the same, and no error matters
  end_turn,         // no answer
  open_tuns,        // `number` descriptors on /dev/net/tun, not tied to a device
  open_policy,      // file `number` of the policy as it is now; its descriptor comes with the answer
  forget_policy,    // the texts of the executor's policy follow
  remember_policy,  // one of them, with its path
  // Lines of the audit log, each with an facts.
  intend,
  done,
  failed,
  rolled_back,
  refused,
  unchanged,
  reloaded,
  not_understood,
  ended,
  end,  // no answer: the executor has nothing more to ask
};

// What an ethertap session came to. Bytes are those of Ethernet frames.
struct SessionSummary {
  struct Direction {
    std::uint64_t frames, bytes, too_long, too_short;
  };
  Direction to_guest, to_host;
  std::uint64_t dropped_by_queue;  // on the way to the guest, which did not read
  std::uint64_t refused_by_host;
  unsigned addresses_added, addresses_removed;
};

// What a session of the native protocol came to.
struct NativeSessionSummary {
  unsigned opened, removed, refused;
};

// What a line says beyond what the recorder knows by itself: the caller, the id, the time and the call's own words.
struct AuditFacts {
  std::optional<Request> request = {};
  std::string rule = {}, reason = {};  // of the decision; empty where there was none
  std::string device = {};             // that was made or changed
  int ifindex = 0;                     // of it
  std::vector<std::string> changes = {};
  std::optional<Error> error = {};
  std::string ended = {};   // by what the session ended
  std::string record = {};  // of a session, that was not understood
  std::optional<SessionSummary> session = {};
  std::optional<NativeSessionSummary> native_session = {};
};

struct RecorderQuestion {
  Asks what = Asks::begin;
  bool flag = false;
  unsigned number = 0;
  std::string path = {}, text = {};    // of a file of the policy
  Protocol protocol = Protocol::none;  // of `begin`, with the operation's word
  std::string operation = {};
  AuditFacts facts = {};
};

inline constexpr std::size_t kLongestQuestion = 1 << 17;  // bytes

// Texts longer than a line of the log could take are cut, and so are lists: decode() gives them their length back, with
// empty texts at the end.
std::string encode(const RecorderQuestion& question);
// Nothing for what encode() never makes.
std::optional<RecorderQuestion> decode_question(std::string_view bytes);

// So many descriptors at the most come with one answer to open_tuns: what is on its way counts against one limit for
// all recorders of root's, and an executor may be stopped before it takes it.
inline constexpr unsigned kMostTunsAtOnce = 8;

// The flag of a question, before anything else of it is looked at.
bool flag_of(std::string_view bytes);

struct RecorderAnswer {
  std::optional<Error> error = {};
  bool policy_has_changed = false;  // it is another one than the executor's, by the last look
  std::string path = {};            // of open_policy; empty where there are not so many files
};

inline constexpr std::size_t kLongestAnswer = 1 << 14;  // bytes

std::string encode(const RecorderAnswer& answer);
std::optional<RecorderAnswer> decode_answer(std::string_view bytes);

}  // namespace umlnet
