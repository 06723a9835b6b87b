#include "uml_net/recorder/recorder.h"

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <string>
#include <utility>

#include "libumlnet/core/boot_time.h"
#include "libumlnet/core/fd_passing.h"
#include "policy/location.h"
#include "uml_net/channel/recorder_message.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/recorder/audit_log.h"
#include "uml_net/recorder/audit_trail.h"
#include "uml_net/recorder/caller_lock.h"
#include "uml_net/recorder/journal.h"
#include "uml_net/recorder/pinned.h"
#include "uml_net/recorder/policy_reader.h"
#include "uml_net/recorder/refusal_counters.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/signals.h"
#include "uml_net/sys/take_identity.h"

namespace umlnet {
namespace {

// A call that is answered sooner does not look at its files again: for so long a changed policy may go unseen, and a
// rotated log take lines.
constexpr std::chrono::milliseconds kFilesLast{900};

class Recorder {
 public:
  Recorder(int channel, const RecorderInputs& inputs, bool is_privileged)
      : channel_(channel),
        inputs_(inputs),
        log_(audit::Log::open(is_privileged, [this] { return is_abandoned(); })),
        refusals_(audit::RefusalCounters::open(policy::kRefusals)) {
    if (inputs.policy) policy_ = *inputs.policy;
  }

  // False where the process is to end.
  bool begin(std::string_view bytes);
  void answer(const RecorderQuestion& question);
  // The executor is gone.
  void close(bool was_killed) {
    follow();
    trail_->close(was_killed);
  }

 private:
  RecorderAnswer answer_of(const RecorderQuestion& question, std::vector<unique_fd>& fds);
  // Whether the executor is gone, so that nothing is worth waiting for.
  bool is_abandoned() const {
    char byte = 0;
    return ::recv(channel_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }
  Result<void> take_turn();
  Result<void> check();
  // For a line that is written whether or not a new log can be had: where not, to the one that there is.
  void follow() { [[maybe_unused]] const auto checked = check(); }
  Result<void> intend(const AuditFacts& facts);
  Result<void> open_tuns(unsigned number, std::vector<unique_fd>& fds) const;
  Result<void> open_policy(unsigned number, RecorderAnswer& answer, std::vector<unique_fd>& fds) const;
  CallerLock::Files lock_files() const { return {.counters = refusals_->file(), .log = log_->fd()}; }

  int channel_;
  const RecorderInputs& inputs_;
  Result<audit::Log> log_;
  Result<audit::RefusalCounters> refusals_;
  std::optional<Call> call_;
  std::string operation_;
  std::optional<audit::Trail> trail_;
  std::optional<CallerLock> lock_;
  std::vector<policy::PolicyText> policy_;
  bool has_policy_directory_ = false;
  bool policy_has_changed_ = false;
  bool takes_records_ = false;
};

// Of what the first message says, no more than one flag counts before the filter is in force.
bool Recorder::begin(std::string_view bytes) {
  if (!log_ || !refusals_) {
    if (!log_ && refusals_) refusals_->count_missing(inputs_.caller.uid, std::chrono::system_clock::now());
    const Error& error = log_ ? refusals_.error() : log_.error();
    [[maybe_unused]] const auto sent = send_with_fds(channel_, encode(RecorderAnswer{.error = error}), {});
    return false;
  }
  std::optional<Result<audit::Journal>> journal;
  if (flag_of(bytes)) journal = audit::Journal::connect();
  has_policy_directory_ = enter_policy_directory();
  const RecorderPowers powers{.opens_tun = inputs_.opens_tun,
                              .reads_policy = has_policy_directory_,
                              .has_counters = refusals_->file() >= 0,
                              .has_journal = journal && *journal};
  if (!enter_recorder_filter(powers)) return false;

  auto question = decode_question(bytes);
  if (!question || question->what != Asks::begin) return false;
  operation_ = std::move(question->operation);
  call_.emplace(Call{.protocol = question->protocol,
                     .operation = operation_,
                     .request = fail(Code::bug, "the call was not understood")});
  if (question->facts.request) call_->request = *std::move(question->facts.request);
  trail_.emplace(*log_, *refusals_, inputs_.id, inputs_.caller, *call_, inputs_.arguments, inputs_.started);
  if (journal) trail_->copy_to(*std::move(journal));
  trail_->add_summaries(inputs_.accounts);
  return send_with_fds(channel_, encode(RecorderAnswer{}), {}).has_value();
}

void Recorder::answer(const RecorderQuestion& question) {
  std::vector<unique_fd> fds;
  auto answer = answer_of(question, fds);
  if (question.what == Asks::end_turn) return;
  answer.policy_has_changed = policy_has_changed_;
  auto sent = send_with_fds(channel_, encode(answer), numbers_of(fds));
  if (sent || fds.empty()) return;
  // So many descriptors are on their way already that the kernel takes no more.
  answer.error = {Code::kernel, sent.error().errnum, "cannot hand over a descriptor", "Try again in a moment."};
  sent = send_with_fds(channel_, encode(answer), {});
}

RecorderAnswer Recorder::answer_of(const RecorderQuestion& question, std::vector<unique_fd>& fds) {
  RecorderAnswer answer;
  const AuditFacts& facts = question.facts;
  const auto outcome = [&]() -> Result<void> {
    switch (question.what) {
      case Asks::begin_request:
        takes_records_ |= question.flag;
        trail_->begin_request();
        trail_->add_summaries(inputs_.accounts);
        return {};
      case Asks::take_turn: return question.flag ? take_turn() : check();
      case Asks::check: return check();
      case Asks::follow: follow(); return {};
      case Asks::end_turn: lock_.reset(); return {};
      case Asks::open_tuns: return open_tuns(question.number, fds);
      case Asks::open_policy: return open_policy(question.number, answer, fds);
      case Asks::forget_policy: policy_.clear(); return {};
      case Asks::remember_policy: policy_.push_back({question.path, question.text}); return {};
      case Asks::intend: return intend(facts);
      case Asks::done: return trail_->done(facts);
      case Asks::failed: return trail_->failed(facts);
      case Asks::rolled_back: return trail_->rolled_back(facts);
      case Asks::refused: return trail_->refused(facts);
      case Asks::unchanged: return trail_->unchanged(facts);
      case Asks::reloaded: return trail_->reloaded(facts);
      case Asks::not_understood: return trail_->not_understood(facts);
      case Asks::ended: return trail_->ended(facts);
      case Asks::begin:
      case Asks::end: break;
    }
    return fail(Code::bug, "a strange question to the recorder");
  }();
  if (!outcome) answer.error = outcome.error();
  return answer;
}

// From counting to changing, one request of the caller's at a time.
Result<void> Recorder::take_turn() {
  lock_.reset();
  // First: where the lock is in the log, a new log is to have it.
  if (auto checked = check(); !checked) return checked;
  auto taken = CallerLock::take(lock_files(), inputs_.caller.uid, [this] { return is_abandoned(); });
  if (!taken) return std::unexpected(std::move(taken.error()));
  lock_.emplace(*std::move(taken));
  return {};
}

// What is asked has an answer whether or not the log could be followed, so that looks at the policy, too.
Result<void> Recorder::check() {
  if (!inputs_.is_lasting && boot_time() - inputs_.policy_read_at < kFilesLast) return {};
  policy_has_changed_ = has_policy_directory_ && !is_policy(policy_);
  if (auto followed = log_->follow(); !followed) return followed;
  if (!policy_has_changed_) return {};
  if (takes_records_)
    return fail(Code::policy_changed, "the policy changed since this session read it",
                "The record \"reload\" takes the new policy; the session's devices stay.");
  return fail(Code::busy, "the policy changed while the request was held up", "Try again.");
}

// A request that was held up may have outlived the policy that it was decided by.
Result<void> Recorder::intend(const AuditFacts& facts) {
  auto checked = check();
  if (checked) return trail_->intend(facts);
  [[maybe_unused]] const auto recorded =
      trail_->refused({.request = facts.request, .rule = facts.rule, .error = checked.error()});
  return checked;
}

Result<void> Recorder::open_tuns(unsigned number, std::vector<unique_fd>& fds) const {
  if (!inputs_.opens_tun || number > kMostTunsAtOnce) return fail(Code::bug, "a strange question to the recorder");
  const auto unavailable = [](int error) {
    return fail_errno(Code::kernel, error, std::string("cannot open ") + kPinned.tun.get());
  };
  if (!has_policy_directory_) return unavailable(ENOENT);  // not even /dev/net is there, and the filter knows neither
  while (fds.size() < number) {
    unique_fd tun = open_pinned(kPinned.tun.get(), kPinned.tun_how);
    if (!tun) {
      const int error = errno;
      fds.clear();
      return unavailable(error);
    }
    fds.push_back(std::move(tun));
  }
  return {};
}

Result<void> Recorder::open_policy(unsigned number, RecorderAnswer& answer, std::vector<unique_fd>& fds) const {
  if (!has_policy_directory_) return {};
  auto file = open_policy_file(number);
  if (!file) return std::unexpected(std::move(file.error()));
  answer.path = std::move(file->path);
  if (file->fd) fds.push_back(std::move(file->fd));
  return {};
}

// Wholly the installation's: who is the caller's in part can be ended and stopped by the caller. A stop that comes
// during the change would last for ever, because nobody but root could end or continue the process from there on. So
// the kernel ends it where the change takes so long.
Result<void> become_the_installation() {
  if (::geteuid() == ::getuid()) return {};
  constexpr time_t kTakes = 5;  // seconds, for a machine that is very busy
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
    return fail_errno(Code::kernel, errno, "cannot get a timer",
                      "The caller's limit on pending signals (ulimit -i) may be reached.");
  const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = kTakes, .tv_nsec = 0}};
  if (::timer_settime(timer, 0, &once, nullptr) != 0) return fail_errno(Code::kernel, errno, "cannot set a timer");
  if (auto taken = take_identity(::geteuid(), ::getegid()); !taken) return taken;
  if (::prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0)  // a change of identity sets it back
    return fail_errno(Code::kernel, errno, "cannot keep others from tracing this process");
  if (::timer_delete(timer) != 0) return fail_errno(Code::kernel, errno, "cannot delete a timer");
  return {};
}

void serve(int channel, const RecorderInputs& inputs, bool is_privileged) {
  // Its channel's end ends it, and not a signal that was meant for the session, which asks once more for its last line.
  block_all_signals();
  if (const auto became = become_the_installation(); !became) {
    if (!next_question(channel, kLongestQuestion)) return;
    [[maybe_unused]] const auto sent = send_with_fds(channel, encode(RecorderAnswer{.error = became.error()}), {});
    return;
  }
  ::mallopt(M_MMAP_MAX, 0);  // the filter allows no mmap(2), which could replace a pinned path
  Recorder recorder(channel, inputs, is_privileged);
  const auto first = next_question(channel, kLongestQuestion);
  if (!first || !recorder.begin(first->bytes)) ::_exit(1);
  while (const auto message = next_question(channel, kLongestQuestion)) {
    const auto question = decode_question(message->bytes);
    if (!question) ::_exit(1);
    if (question->what == Asks::end) {
      recorder.close(false);
      ::_exit(0);
    }
    recorder.answer(*question);
  }
  recorder.close(true);
  ::_exit(0);  // without the destructors, which would give back what the filter lets nobody give back
}

}  // namespace

Result<Worker> start_recorder(const RecorderInputs& inputs) {
  const bool is_privileged = priv::has_net_admin();
  return Worker::start({.name = "process that keeps the audit log",
                        .channel = fd_number::kRecorder,
                        .pidfd = fd_number::kRecorderPidfd,
                        .longest_answer = kLongestAnswer,
                        .patience = std::chrono::seconds(10)},
                       [&](int channel) { serve(channel, inputs, is_privileged); });
}

}  // namespace umlnet
