// The lines of /etc/passwd and /etc/group that count: `name:password:id:...` with a decimal id. All others are passed
// over, as the C library does.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string_view>

namespace umlnet::policy {

struct AccountLine {
  std::string_view name;
  id_t id;                // uid or gid
  std::string_view rest;  // behind the colon that ends the id: "gid:gecos:home:shell", or the members of a group
};

void for_each_account(std::string_view text, const std::function<void(const AccountLine&)>& use);

// The first line with that name, or with that id.
std::optional<AccountLine> find_account(std::string_view text, std::string_view name);
std::optional<AccountLine> find_account(std::string_view text, id_t id);

// A decimal number that can be the id of somebody.
std::optional<id_t> parse_account_id(std::string_view digits);

}  // namespace umlnet::policy
