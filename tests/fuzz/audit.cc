// The audit log as `umlnet log` reads it, of any content; and as uml_net writes it, of words of any content: one line
// of ASCII that says them again.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "libumlnet/cli/audit_entry.h"
#include "libumlnet/cli/audit_filter.h"
#include "libumlnet/cli/audit_words.h"
#include "libumlnet/core/plain_text.h"
#include "require.h"
#include "tests/unit/fake_host.h"
#include "uml_net/recorder/audit_record.h"

using namespace umlnet;

namespace {

bool is_plain(std::string_view text) { return text.empty() || fuzz::is_one_line(text); }

void require_readable_entry(std::string_view line) {
  const auto entry = cli::parse_audit_line(line);
  if (!entry) return;
  REQUIRE_THAT(nlohmann::json::accept(line));
  REQUIRE_THAT(!entry->id.empty());
  REQUIRE_THAT(is_plain(cli::who(*entry)));
  REQUIRE_THAT(is_plain(cli::request_in_words(*entry)));
  REQUIRE_THAT(is_plain(cli::entry_in_words(*entry)));
  REQUIRE_THAT(fuzz::is_one_line(cli::outcome_of(*entry)));
  if (entry->duration_us) REQUIRE_THAT(fuzz::is_one_line(cli::duration_in_words(*entry->duration_us)));
  // A line is found by what it says.
  cli::AuditFilter filter{.since = entry->time, .users = {{.name = "", .uid = entry->uid}}, .id = entry->id};
  if (!entry->any_device().empty()) filter.devices = {entry->any_device()};
  REQUIRE_THAT(filter.matches(*entry));
  REQUIRE_THAT(cli::AuditFilter{}.matches(*entry));
}

// Nothing of a line is lost where it is taken apart, and no part of it is read otherwise for that.
void require_whole_parts(std::string_view line) {
  std::string joined;
  for (const auto part : cli::split_at_records(line)) {
    REQUIRE_THAT(!part.empty());
    joined += part;
    require_readable_entry(part);
  }
  REQUIRE_THAT(joined == line);
}

std::vector<std::string> texts(FuzzedDataProvider& input) {
  std::vector<std::string> list(input.ConsumeIntegralInRange<std::size_t>(0, 40));
  for (auto& text : list) text = input.ConsumeRandomLengthString(300);
  return list;
}

void require_written(FuzzedDataProvider& input) {
  const auto untrusted = texts(input);
  audit::Record record{
      .time = std::chrono::system_clock::time_point(std::chrono::seconds(input.ConsumeIntegral<std::uint32_t>())),
      .event =
          input.PickValueInArray({audit::Event::accept, audit::Event::reject, audit::Event::exit, audit::Event::alert}),
      .stage = input.ConsumeBool() ? audit::Stage::intent : audit::Stage::result,
      .id = RequestId({}),
      .caller = test::caller(input.ConsumeIntegral<uid_t>())};
  if (input.ConsumeBool()) record.caller.user = input.ConsumeRandomLengthString(100);
  if (input.ConsumeBool()) record.request = test::add("tap0", "10.50.0.7");
  // As audit_trail.cc puts them in.
  for (const auto& text : untrusted) record.untrusted.push_back(escaped(text, 256));
  record.rule = input.ConsumeBool() ? "a" : "";
  record.reason = escaped(input.ConsumeRandomLengthString(2000), 1024);
  record.error = input.ConsumeRandomLengthString(2000);
  record.errnum = input.ConsumeIntegralInRange(0, 200);
  record.device = "tap0";
  record.changes = texts(input);
  record.suppressed = input.ConsumeIntegral<std::uint64_t>();

  const auto line = audit::to_line(record);
  REQUIRE_THAT(line.size() <= audit::kMaxLine);
  REQUIRE_THAT(line.ends_with('\n') && fuzz::is_one_line(std::string_view(line).substr(0, line.size() - 1)));
  const auto entry = cli::parse_audit_line(line);
  REQUIRE_THAT(entry.has_value());
  REQUIRE_THAT(entry->uid == record.caller.uid);
  REQUIRE_THAT(entry->suppressed == record.suppressed);
  REQUIRE_THAT(entry->intent == (record.stage == audit::Stage::intent));
  REQUIRE_THAT(entry->untrusted.empty() == record.untrusted.empty());
  for (std::size_t i = 0; i < entry->untrusted.size(); ++i) {
    const auto& said = entry->untrusted[i];
    if (said.ends_with(" more") || said.ends_with("...")) continue;  // cut
    REQUIRE_THAT(said == record.untrusted[i]);
  }
  require_readable_entry(line);
  // However it is cut, the next record is found.
  const auto glued = line.substr(0, input.ConsumeIntegralInRange<std::size_t>(0, line.size() - 1)) + line;
  REQUIRE_THAT(cli::split_at_records(glued).back() == line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  require_readable_entry(std::string_view(reinterpret_cast<const char*>(data), size));
  require_whole_parts(std::string_view(reinterpret_cast<const char*>(data), size));
  FuzzedDataProvider input(data, size);
  require_written(input);
  return 0;
}
