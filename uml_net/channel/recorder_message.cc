#include "uml_net/channel/recorder_message.h"

#include <algorithm>
#include <utility>

#include "libumlnet/core/object_bytes.h"
#include "uml_net/channel/strings.h"
#include "uml_net/channel/wire_request.h"

namespace umlnet {
namespace {

// A line of the log has room for fewer, and for shorter ones.
constexpr std::size_t kLongestText = 2048, kLongestChange = 512;  // bytes
constexpr std::size_t kMostChanges = 33;

// Before the request, where there is one, and the texts. Neither side believes the other: each value may be any.
struct QuestionHead {
  std::uint8_t what = 0, flag = 0, has_request = 0, has_error = 0, has_session = 0, has_native_session = 0;
  std::uint8_t protocol = 0, code = 0;
  std::int32_t errnum = 0, ifindex = 0;
  std::uint32_t number = 0, changes = 0, changes_sent = 0;
  SessionSummary session = {};
  NativeSessionSummary native_session = {};
};

constexpr std::uint32_t kIsAnswer = 0x7265636f;
struct AnswerHead {
  std::uint32_t is_answer = kIsAnswer;  // what another process of this program says is none
  std::uint8_t has_error = 0, policy_has_changed = 0, code = 0;
  std::int32_t errnum = 0;
};

// More than the kernel takes in one session.
constexpr std::size_t kLongestList = 1 << 17;

Error error_of(std::uint8_t code, int errnum, Strings& strings) {
  Error error{code <= static_cast<std::uint8_t>(Code::bug) ? static_cast<Code>(code) : Code::bug, errnum, {}, {}};
  error.what = strings.next();
  error.advice = strings.next();
  return error;
}

void put_cut(std::string& bytes, std::string_view text) { put_string(bytes, text.substr(0, kLongestText)); }

template <class Head>
std::optional<Head> take_head(std::string_view& bytes) {
  const auto head = object_of<Head>(bytes.substr(0, sizeof(Head)));
  if (head) bytes.remove_prefix(sizeof(Head));
  return head;
}

}  // namespace

std::string encode(const RecorderQuestion& question) {
  const AuditFacts& facts = question.facts;
  const auto sent = std::min(facts.changes.size(), kMostChanges);
  QuestionHead head{.what = static_cast<std::uint8_t>(question.what),
                    .flag = question.flag,
                    .has_request = facts.request.has_value(),
                    .has_error = facts.error.has_value(),
                    .has_session = facts.session.has_value(),
                    .has_native_session = facts.native_session.has_value(),
                    .protocol = static_cast<std::uint8_t>(question.protocol),
                    .ifindex = facts.ifindex,
                    .number = question.number,
                    .changes = static_cast<std::uint32_t>(facts.changes.size()),
                    .changes_sent = static_cast<std::uint32_t>(sent)};
  if (facts.error) head.code = static_cast<std::uint8_t>(facts.error->code), head.errnum = facts.error->errnum;
  if (facts.session) head.session = *facts.session;
  if (facts.native_session) head.native_session = *facts.native_session;
  std::string bytes(bytes_of(head));
  if (facts.request) bytes += bytes_of(encode(*facts.request));
  put_cut(bytes, question.operation);
  put_cut(bytes, question.path);
  put_cut(bytes, facts.rule);
  put_cut(bytes, facts.reason);
  put_cut(bytes, facts.device);
  put_cut(bytes, facts.error ? facts.error->what : std::string());
  put_cut(bytes, facts.error ? facts.error->advice : std::string());
  put_cut(bytes, facts.ended);
  for (std::size_t i = 0; i < sent; ++i)
    put_string(bytes, std::string_view(facts.changes[i]).substr(0, kLongestChange));
  return bytes += question.text.empty() ? facts.record : question.text;  // with all its bytes
}

std::optional<RecorderQuestion> decode_question(std::string_view bytes) {
  const auto head = take_head<QuestionHead>(bytes);
  if (!head || head->what > static_cast<std::uint8_t>(Asks::end) ||
      head->protocol > static_cast<std::uint8_t>(Protocol::qemu_bridge) || head->changes_sent > kMostChanges ||
      head->changes < head->changes_sent || head->changes > kLongestList)
    return std::nullopt;
  RecorderQuestion question{.what = static_cast<Asks>(head->what),
                            .flag = head->flag != 0,
                            .number = head->number,
                            .protocol = static_cast<Protocol>(head->protocol)};
  AuditFacts& facts = question.facts;
  facts.ifindex = head->ifindex;
  if (head->has_session) facts.session = head->session;
  if (head->has_native_session) facts.native_session = head->native_session;
  if (head->has_request) {
    const auto wire = take_head<WireRequest>(bytes);
    facts.request = wire ? decode(*wire) : std::nullopt;
    if (!facts.request) return std::nullopt;
  }
  Strings strings(bytes);
  question.operation = strings.next();
  question.path = strings.next();
  facts.rule = strings.next();
  facts.reason = strings.next();
  facts.device = strings.next();
  if (auto error = error_of(head->code, head->errnum, strings); head->has_error) facts.error = std::move(error);
  facts.ended = strings.next();
  facts.changes = strings.next(head->changes_sent);
  facts.changes.resize(head->changes);
  (question.what == Asks::remember_policy ? question.text : facts.record) = strings.rest();
  return question;
}

bool flag_of(std::string_view bytes) {
  const auto head = take_head<QuestionHead>(bytes);
  return head && head->flag != 0;
}

std::string encode(const RecorderAnswer& answer) {
  AnswerHead head{.has_error = answer.error.has_value(), .policy_has_changed = answer.policy_has_changed};
  if (answer.error) head.code = static_cast<std::uint8_t>(answer.error->code), head.errnum = answer.error->errnum;
  std::string bytes(bytes_of(head));
  put_cut(bytes, answer.error ? answer.error->what : std::string());
  put_cut(bytes, answer.error ? answer.error->advice : std::string());
  put_cut(bytes, answer.path);
  return bytes;
}

std::optional<RecorderAnswer> decode_answer(std::string_view bytes) {
  const auto head = take_head<AnswerHead>(bytes);
  if (!head || head->is_answer != kIsAnswer) return std::nullopt;
  RecorderAnswer answer{.policy_has_changed = head->policy_has_changed != 0};
  Strings strings(bytes);
  if (auto error = error_of(head->code, head->errnum, strings); head->has_error) answer.error = std::move(error);
  answer.path = strings.next();
  return answer;
}

}  // namespace umlnet
