#include "policy/accounts.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

namespace umlnet::policy {
namespace {

struct Entry {
  std::string_view name;
  id_t id;
};

std::optional<std::string_view> take_field(std::string_view& line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto field = line.substr(0, colon);
  line.remove_prefix(colon + 1);
  return field;
}

// The largest number is (uid_t)-1, which the kernel takes for "none".
std::optional<id_t> parse_id(std::string_view digits) {
  id_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (error != std::errc{} || end != digits.data() + digits.size() || id == std::numeric_limits<id_t>::max())
    return std::nullopt;
  return id;
}

// "+name" and "-name" stand for entries of NIS, "#" for a comment (nsswitch.conf(5), compat).
bool is_name(std::string_view name) {
  if (name.empty() || name.front() == '+' || name.front() == '-' || name.front() == '#') return false;
  return std::ranges::all_of(name, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; });
}

std::optional<Entry> parse_line(std::string_view line) {
  const auto name = take_field(line);
  const auto password = name ? take_field(line) : std::nullopt;
  const auto digits = password ? take_field(line) : std::nullopt;
  if (!digits || !is_name(*name)) return std::nullopt;
  const auto id = parse_id(*digits);
  if (!id) return std::nullopt;
  return Entry{*name, *id};
}

void for_each_entry(std::string_view text, auto use) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    if (const auto entry = parse_line(text.substr(0, end))) use(*entry);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

template <class Id>
std::optional<Id> find(const std::unordered_map<std::string, Id>& ids, std::string_view name) {
  const auto it = ids.find(std::string(name));
  if (it == ids.end()) return std::nullopt;
  return it->second;
}

}  // namespace

Accounts::Accounts(std::string_view passwd_text, std::string_view group_text) {
  // emplace keeps what is there: the first line wins.
  for_each_entry(passwd_text, [&](const Entry& entry) {
    users_.emplace(entry.name, entry.id);
    user_names_.emplace(entry.id, entry.name);
  });
  for_each_entry(group_text, [&](const Entry& entry) { groups_.emplace(entry.name, entry.id); });
}

std::optional<uid_t> Accounts::uid_of(std::string_view user) const { return find(users_, user); }

std::optional<gid_t> Accounts::gid_of(std::string_view group) const { return find(groups_, group); }

std::optional<std::string> Accounts::name_of(uid_t uid) const {
  const auto it = user_names_.find(uid);
  if (it == user_names_.end()) return std::nullopt;
  return it->second;
}

}  // namespace umlnet::policy
