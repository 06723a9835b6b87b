#include <doctest/doctest.h>

#include "fake_host.h"
#include "uml_net/recorder/journal.h"

using namespace umlnet;
using namespace umlnet::test;

TEST_CASE("journal: the fields of one line, word for word") {
  audit::Record record{.time = {},
                       .event = audit::Event::reject,
                       .stage = audit::Stage::result,
                       .id = RequestId({}),
                       .caller = caller(1001)};
  record.caller.user = "alice";
  record.operation = "add";
  record.request = add("tap0", "10.50.0.7");
  record.rule = "lab";
  record.reason = "rule lab denies this";
  CHECK(audit::journal_fields(record, "{\"line\":1}\n") ==
        "MESSAGE=reject: uid 1001 (alice) add: rule lab denies this\n"
        "PRIORITY=5\n"
        "SYSLOG_IDENTIFIER=uml_net\n"
        "UMLNET_ID=00000000-0000-4000-8000-000000000000\n"
        "UMLNET_EVENT=reject\n"
        "UMLNET_STAGE=result\n"
        "UMLNET_UID=1001\n"
        "UMLNET_OPERATION=add\n"
        "UMLNET_DEVICE=tap0\n"
        "UMLNET_ADDRESS=10.50.0.7\n"
        "UMLNET_RULE=lab\n"
        "UMLNET_JSON={\"line\":1}\n");
}

TEST_CASE("journal: no value can pass for a field") {
  audit::Record record{.time = {},
                       .event = audit::Event::alert,
                       .stage = audit::Stage::result,
                       .id = RequestId({}),
                       .caller = caller(7)};
  record.caller.user = "eve\nUMLNET_UID=0";
  record.device = "tap0\nUMLNET_UID=0";
  record.rule = "lab\nUMLNET_UID=0";
  record.reason = "first\nMESSAGE=second\n" + std::string(5000, 'x');
  const auto fields = audit::journal_fields(record, "{}\n");
  CHECK(fields.find("\nUMLNET_UID=0") == std::string::npos);
  CHECK(fields.find("\nMESSAGE=") == std::string::npos);
  CHECK(fields.find("PRIORITY=1\n") != std::string::npos);
  CHECK(fields.size() < 2000);
}
