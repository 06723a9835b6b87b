// What a front that was taken over could say to the executor: nothing, or a request that some words say, too.
#include <cstring>

#include "libumlnet/core/open_options.h"
#include "tests/fuzz/require.h"
#include "uml_net/channel/message.h"
#include "uml_net/channel/wire_request.h"

using namespace umlnet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Said said;
  if (size < sizeof said) return 0;
  std::memcpy(&said, data, sizeof said);
  const Error error = decode(said.error);
  REQUIRE_THAT(!error.what.empty() && error.code <= Code::bug);
  const auto request = decode(said.request);
  if (!request) return 0;
  REQUIRE_THAT(request->index() == said.request.kind);
  if (const auto* open = std::get_if<OpenInterface>(&*request)) REQUIRE_THAT(check_options(*open).has_value());
  const auto again = decode(encode(*request));
  REQUIRE_THAT(again && request_name(*again) == request_name(*request));
  return 0;
}
