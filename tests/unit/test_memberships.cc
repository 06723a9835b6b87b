#include <doctest/doctest.h>

#include "libumlnet/cli/memberships.h"

namespace umlnet::cli {
namespace {

TEST_CASE("memberships: own groups, lists of members, names") {
  const Memberships known(
      "root:x:0:0:root:/root:/bin/sh\n"
      "alice:x:1001:1001::/:/bin/sh\n"
      "alice:x:1009:1009::/:/bin/sh\n"
      "broken:x:5:none::/:/bin/sh\n",
      "root:x:0:\nlab:x:500:alice,bob\numlnet:x:400:bob,,alice\r\nempty:x:600:\nlab:x:501:carol\n");
  CHECK(known.primary_group_of("alice") == 1001u);
  CHECK_FALSE(known.primary_group_of("broken").has_value());
  CHECK_FALSE(known.primary_group_of("nobody").has_value());
  CHECK(known.groups_of("alice") == std::vector<gid_t>{400, 500});
  CHECK(known.groups_of("bob") == std::vector<gid_t>{400, 500});
  CHECK(known.groups_of("root").empty());
  CHECK(known.group_name(400) == "umlnet");
  CHECK_FALSE(known.group_name(4711).has_value());
  CHECK(known.group_id("lab") == 500u);
  CHECK_FALSE(known.group_id("nobodys").has_value());
  CHECK(known.has_members(500));
  CHECK(known.has_members(0));
  CHECK_FALSE(known.has_members(600));
}

}  // namespace
}  // namespace umlnet::cli
