#include "libumlnet/cli/audit_statistics.h"

#include <algorithm>

#include "libumlnet/cli/audit_words.h"
#include "libumlnet/cli/text_table.h"
#include "libumlnet/core/json_text.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

using Json = nlohmann::ordered_json;
using Row = AuditStatistics::Row;

std::string latency(const std::optional<std::uint64_t>& microseconds) {
  std::string text = microseconds ? duration_in_words(*microseconds) : "-";
  std::erase(text, ' ');
  return text;
}

std::vector<std::string> cells(const std::string& user, const std::string& operation, const Row& row) {
  return {user,
          operation,
          std::to_string(row.requests),
          std::to_string(row.accepted),
          std::to_string(row.refused),
          std::to_string(row.failed),
          std::to_string(row.alerts),
          std::to_string(row.suppressed),
          latency(row.latencies.percentile(50)),
          latency(row.latencies.percentile(95)),
          latency(row.latencies.longest())};
}

Json counts(Json json, const Row& row) {
  json["requests"] = row.requests;
  json["accepted"] = row.accepted;
  json["refused"] = row.refused;
  json["failed"] = row.failed;
  json["alerts"] = row.alerts;
  json["suppressed"] = row.suppressed;
  if (const auto longest = row.latencies.longest())
    json["latency_us"] = {
        {"p50", *row.latencies.percentile(50)}, {"p95", *row.latencies.percentile(95)}, {"max", *longest}};
  return json;
}

}  // namespace

void AuditStatistics::Row::add(const Row& other) {
  requests += other.requests;
  accepted += other.accepted;
  refused += other.refused;
  failed += other.failed;
  alerts += other.alerts;
  suppressed += other.suppressed;
  latencies.add(other.latencies);
}

AuditStatistics::Row& AuditStatistics::row_for(const AuditEntry& entry) {
  const Key key{entry.uid, entry.operation};
  if (const auto it = rows_.find(key); it != rows_.end()) return it->second;
  if (rows_.size() == kMostRows) return others_;
  if (!entry.user.empty()) names_.try_emplace(entry.uid, entry.user);
  return rows_[key];
}

void AuditStatistics::add(const AuditEntry& entry) {
  first_ = first_ ? std::min(*first_, entry.time) : entry.time;
  last_ = last_ ? std::max(*last_, entry.time) : entry.time;
  if (entry.intent) return;  // its result counts
  Row& row = row_for(entry);
  row.suppressed += entry.suppressed;
  if (entry.session || entry.is_summary()) return;
  if (entry.event == AuditEntry::Event::alert) {
    ++row.alerts;
    return;
  }
  ++row.requests;
  const auto outcome = outcome_of(entry);
  ++(outcome == "accepted" ? row.accepted : outcome == "refused" ? row.refused : row.failed);
  if (entry.duration_us) row.latencies.add(*entry.duration_us);
}

AuditStatistics::Row AuditStatistics::sum() const {
  Row sum = others_;
  for (const auto& [key, row] : rows_) sum.add(row);
  return sum;
}

std::string AuditStatistics::name_of(std::uint64_t uid) const {
  const auto it = names_.find(uid);
  return it != names_.end() ? printable(it->second) : std::to_string(uid);
}

std::string AuditStatistics::table() const {
  if (rows_.empty()) return "";
  TextTable table({{"USER"},
                   {"REQUEST"},
                   {"COUNT", true},
                   {"OK", true},
                   {"REFUSED", true},
                   {"FAILED", true},
                   {"ALERT", true},
                   {"SUPPR", true},
                   {"P50", true},
                   {"P95", true},
                   {"MAX", true}});
  for (const auto& [key, row] : rows_)
    table.add_line(cells(name_of(key.uid), key.operation.empty() ? "-" : printable(key.operation), row));
  if (others_.requests + others_.alerts + others_.suppressed != 0) table.add_line(cells("(others)", "", others_));
  table.add_line(cells("(all)", "", sum()));
  return table.str();
}

std::string AuditStatistics::json() const {
  Json rows = Json::array();
  for (const auto& [key, row] : rows_) {
    Json json = {{"uid", key.uid}};
    if (const auto it = names_.find(key.uid); it != names_.end()) json["user"] = it->second;
    if (!key.operation.empty()) json["operation"] = key.operation;
    rows.push_back(counts(std::move(json), row));
  }
  Json json = Json::object();
  if (first_) json["first"] = rfc3339(*first_);
  if (last_) json["last"] = rfc3339(*last_);
  json["rows"] = std::move(rows);
  if (others_.requests + others_.alerts + others_.suppressed != 0) json["others"] = counts(Json::object(), others_);
  json["all"] = counts(Json::object(), sum());
  return json_text(json, 2) + "\n";
}

}  // namespace umlnet::cli
