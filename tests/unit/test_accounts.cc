#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "policy/loader/accounts.h"

namespace umlnet::policy {
namespace {

using namespace std::string_view_literals;

TEST_CASE("accounts: names and ids of well-formed files") {
  const Accounts accounts(
      "root:x:0:0:root:/root:/bin/bash\n"
      "alice:x:1001:1001:Alice,,,:/home/alice:/bin/sh\n"
      "last:x:4294967294:0::/:\n",
      "root:x:0:\n"
      "umlnet:x:990:alice,bob\n");
  CHECK(accounts.uid_of("root") == 0u);
  CHECK(accounts.uid_of("alice") == 1001u);
  CHECK(accounts.uid_of("last") == 4294967294u);
  CHECK(accounts.gid_of("umlnet") == 990u);
  CHECK(accounts.name_of(1001) == "alice");
  CHECK_FALSE(accounts.uid_of("umlnet").has_value());
  CHECK_FALSE(accounts.gid_of("alice").has_value());
  CHECK_FALSE(accounts.name_of(990).has_value());
  CHECK_FALSE(accounts.uid_of("").has_value());
  CHECK_FALSE(accounts.uid_of("Alice").has_value());
  CHECK_FALSE(accounts.uid_of("alic").has_value());
  CHECK_FALSE(accounts.uid_of("lice").has_value());
  CHECK_FALSE(accounts.uid_of("alice:x").has_value());
}

TEST_CASE("accounts: lines that are passed over") {
  static constexpr std::string_view kLines[] = {
      "",
      "alice",
      "alice:x",
      "alice:x:1001",
      "alice:x::0:",
      ":x:1001:1001:::",
      "alice:x:-1:0:",
      "alice:x:+1:0:",
      "alice:x: 1:0:",
      "alice:x:1 :0:",
      "alice:x:0x10:0:",
      "alice:x:1001a:0:",
      "alice:x:4294967295:0:",
      "alice:x:4294967296:0:",
      "alice:x:18446744073709551617:0:",
      "#alice:x:1001:0:",
      "+alice:x:1001:0:",
      "-alice:x:1001:0:",
      "+:::::",
      " alice:x:1001:0:",
      "al ice:x:1001:0:",
      "al\0ice:x:1001:0:"sv,
      "al\x1b:x:1001:0:",
  };
  for (const auto line : kLines) {
    CAPTURE(line);
    const Accounts alone{std::string(line), std::string(line)};
    CHECK_FALSE(alone.uid_of("alice").has_value());
    CHECK_FALSE(alone.gid_of("alice").has_value());
    CHECK_FALSE(alone.name_of(1001).has_value());

    const auto between = "first:x:1:1:\n" + std::string(line) + "\nsecond:x:2:2:\n";
    const Accounts more(between, between);
    CHECK(more.uid_of("first") == 1u);
    CHECK(more.uid_of("second") == 2u);
    CHECK(more.gid_of("second") == 2u);
    CHECK_FALSE(more.uid_of("alice").has_value());
  }
}

TEST_CASE("accounts: the first line of a name or of an id wins") {
  const Accounts accounts("alice:x:1001:0:\nalice:x:1002:0:\ntoor:x:1001:0:\n", "g:x:5:\ng:x:6:\n");
  CHECK(accounts.uid_of("alice") == 1001u);
  CHECK(accounts.uid_of("toor") == 1001u);
  CHECK(accounts.name_of(1001) == "alice");
  CHECK(accounts.gid_of("g") == 5u);
  CHECK(Accounts("alice:x:none:0:\nbob:x:7:0:alice\nalice:x:8:0:\n", "").uid_of("alice") == 8u);
}

TEST_CASE("accounts: ends of files") {
  CHECK_FALSE(Accounts().uid_of("root").has_value());
  CHECK_FALSE(Accounts("", "").uid_of("root").has_value());
  CHECK(Accounts("a:x:1:1:", "").uid_of("a") == 1u);
  CHECK(Accounts("\n\na:x:1:1:\n\n\n", "").uid_of("a") == 1u);
  CHECK(Accounts("a:x:1:1:\r\nb:x:2:2:\r\n", "").uid_of("b") == 2u);
  CHECK(Accounts("a::0:", "").uid_of("a") == 0u);
  const std::string big = std::string(100'000, 'x') + "\na:x:1:1:\n";
  CHECK(Accounts(big, "").uid_of("a") == 1u);
}

}  // namespace
}  // namespace umlnet::policy
