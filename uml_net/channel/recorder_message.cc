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

// Before the request, where there is one, and the texts.
struct QuestionHead {
  Asks what = Asks::begin;
  bool flag = false, has_request = false, has_error = false, has_session = false, has_native_session = false;
  Protocol protocol = Protocol::none;
  Code code = Code::bug;
  std::int32_t errnum = 0, ifindex = 0;
  std::uint32_t number = 0, offset = 0, changes = 0, changes_sent = 0;
  SessionSummary session = {};
  NativeSessionSummary native_session = {};
};

struct AnswerHead {
  bool has_error = false, policy_has_changed = false, has_file = false;
  Code code = Code::bug;
  std::int32_t errnum = 0;
};

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
  QuestionHead head{.what = question.what,
                    .flag = question.flag,
                    .has_request = facts.request.has_value(),
                    .has_error = facts.error.has_value(),
                    .has_session = facts.session.has_value(),
                    .has_native_session = facts.native_session.has_value(),
                    .protocol = question.protocol,
                    .ifindex = facts.ifindex,
                    .number = question.number,
                    .offset = question.offset,
                    .changes = static_cast<std::uint32_t>(facts.changes.size()),
                    .changes_sent = static_cast<std::uint32_t>(sent)};
  if (facts.error) head.code = facts.error->code, head.errnum = facts.error->errnum;
  if (facts.session) head.session = *facts.session;
  if (facts.native_session) head.native_session = *facts.native_session;
  std::string bytes(bytes_of(head));
  if (facts.request) bytes += bytes_of(encode(*facts.request));
  put_cut(bytes, question.operation);
  put_cut(bytes, facts.rule);
  put_cut(bytes, facts.reason);
  put_cut(bytes, facts.device);
  put_cut(bytes, facts.error ? facts.error->what : std::string());
  put_cut(bytes, facts.error ? facts.error->advice : std::string());
  put_cut(bytes, facts.ended);
  for (std::size_t i = 0; i < sent; ++i)
    put_string(bytes, std::string_view(facts.changes[i]).substr(0, kLongestChange));
  return bytes += facts.record;  // with all its bytes
}

std::optional<RecorderQuestion> decode_question(std::string_view bytes) {
  const auto head = take_head<QuestionHead>(bytes);
  if (!head || head->what > Asks::end || head->protocol > Protocol::qemu_bridge) return std::nullopt;
  RecorderQuestion question{.what = head->what,
                            .flag = head->flag,
                            .number = head->number,
                            .offset = head->offset,
                            .protocol = head->protocol};
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
  facts.rule = strings.next();
  facts.reason = strings.next();
  facts.device = strings.next();
  std::string what = strings.next(), advice = strings.next();
  if (head->has_error) facts.error = Error{head->code, head->errnum, std::move(what), std::move(advice)};
  facts.ended = strings.next();
  if (head->changes_sent > kMostChanges || head->changes < head->changes_sent) return std::nullopt;
  facts.changes = strings.next(head->changes_sent);
  facts.changes.resize(head->changes);
  facts.record = strings.rest();
  return question;
}

bool flag_of(std::string_view bytes) {
  const auto head = take_head<QuestionHead>(bytes);
  return head && head->flag;
}

std::string encode(const RecorderAnswer& answer) {
  AnswerHead head{.has_error = answer.error.has_value(),
                  .policy_has_changed = answer.policy_has_changed,
                  .has_file = answer.has_file};
  if (answer.error) head.code = answer.error->code, head.errnum = answer.error->errnum;
  std::string bytes(bytes_of(head));
  put_cut(bytes, answer.error ? answer.error->what : std::string());
  put_cut(bytes, answer.error ? answer.error->advice : std::string());
  put_cut(bytes, answer.path);
  return bytes += answer.text.substr(0, kLongestPiece);
}

std::optional<RecorderAnswer> decode_answer(std::string_view bytes) {
  const auto head = take_head<AnswerHead>(bytes);
  if (!head) return std::nullopt;
  RecorderAnswer answer{.policy_has_changed = head->policy_has_changed, .has_file = head->has_file};
  Strings strings(bytes);
  std::string what = strings.next(), advice = strings.next();
  if (head->has_error) answer.error = Error{head->code, head->errnum, std::move(what), std::move(advice)};
  answer.path = strings.next();
  answer.text = strings.rest();
  return answer;
}

}  // namespace umlnet
