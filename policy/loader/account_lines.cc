#include "policy/loader/account_lines.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <system_error>

#include "libumlnet/core/colon_field.h"

namespace umlnet::policy {
namespace {

// "+name" and "-name" stand for entries of NIS, "#" for a comment (nsswitch.conf(5), compat).
bool is_name(std::string_view name) {
  if (name.empty() || name.front() == '+' || name.front() == '-' || name.front() == '#') return false;
  return std::ranges::all_of(name, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; });
}

std::optional<AccountLine> parse_line(std::string_view line) {
  const auto name = take_field(line);
  const auto password = name ? take_field(line) : std::nullopt;
  const auto digits = password ? take_field(line) : std::nullopt;
  if (!digits || !is_name(*name)) return std::nullopt;
  const auto id = parse_account_id(*digits);
  if (!id) return std::nullopt;
  return AccountLine{*name, *id, line};
}

std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

// The largest number is (uid_t)-1, which the kernel takes for "none".
std::optional<id_t> parse_account_id(std::string_view digits) {
  id_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (error != std::errc{} || end != digits.data() + digits.size() || id == std::numeric_limits<id_t>::max())
    return std::nullopt;
  return id;
}

void for_each_account(std::string_view text, const std::function<void(const AccountLine&)>& use) {
  while (!text.empty())
    if (const auto account = parse_line(take_line(text))) use(*account);
}

std::optional<AccountLine> find_account(std::string_view text, id_t id) {
  while (!text.empty())
    if (auto account = parse_line(take_line(text)); account && account->id == id) return account;
  return std::nullopt;
}

// A file may have ten thousand lines: those of other names are not taken apart.
std::optional<AccountLine> find_account(std::string_view text, std::string_view name) {
  for (auto at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (at != 0 && text[at - 1] != '\n') continue;
    auto rest = text.substr(at);
    if (auto account = parse_line(take_line(rest)); account && account->name == name) return account;
  }
  return std::nullopt;
}

}  // namespace umlnet::policy
