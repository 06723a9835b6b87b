// Setup strings as a User-Mode Linux command line has them.
#include <cstdint>
#include <cstring>
#include <string>

#include "libumlnet/client/setup.h"
#include "require.h"

using namespace umlnet;
using namespace umlnet::client;

namespace {

std::string written(const Setup& setup) {
  std::string text = setup.transport + "," + (setup.device ? setup.device->str() : "");
  text += "," + (setup.mac ? setup.mac->str() : "");
  return text + "," + (setup.gateway ? setup.gateway->str() : "");
}

template <std::size_t Size>
void require_text(const char (&field)[Size]) {
  const std::size_t length = ::strnlen(field, Size);
  REQUIRE_THAT(length < Size);
  REQUIRE_THAT(length == 0 || fuzz::is_one_line(std::string_view(field, length)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto setup = parse_setup(text);

  // The C ABI says the same of what a C string can hold.
  umlnet_setup in_c;
  std::memset(&in_c, 0x5a, sizeof in_c);
  umlnet_error error{};
  const auto code = umlnet_setup_parse(text.c_str(), &in_c, &error);
  if (text.find('\0') == std::string::npos) REQUIRE_THAT((code == UMLNET_OK) == setup.has_value());
  if (code == UMLNET_OK) {
    require_text(in_c.transport);
    require_text(in_c.device);
    require_text(in_c.gateway);
  } else {
    REQUIRE_THAT(code == UMLNET_INVALID && error.code == code);
    require_text(error.message);
  }

  if (!setup) {
    REQUIRE_THAT(setup.error().code == UMLNET_INVALID);
    REQUIRE_THAT(fuzz::is_one_line(setup.error().message));
    return 0;
  }
  const auto again = parse_setup(written(*setup));
  REQUIRE_THAT(again.has_value());
  REQUIRE_THAT(written(*again) == written(*setup));
  REQUIRE_THAT(setup->transport != "ethertap" || setup->device);
  REQUIRE_THAT(!parse_setup(written(*setup) + ",").has_value());
  return 0;
}
