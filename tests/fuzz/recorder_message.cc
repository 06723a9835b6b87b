// What an executor that was taken over could say to the recorder, and the other way round: nothing, or what is said in
// the same words again.
#include <string_view>

#include "tests/fuzz/require.h"
#include "uml_net/channel/recorder_message.h"

using namespace umlnet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto question = decode_question(bytes)) {
    REQUIRE_THAT(question->what <= Asks::end);
    REQUIRE_THAT(flag_of(bytes) == question->flag);
    const auto again = decode_question(encode(*question));
    REQUIRE_THAT(again && again->what == question->what &&
                 again->facts.changes.size() == question->facts.changes.size());
  }
  if (const auto answer = decode_answer(bytes)) REQUIRE_THAT(decode_answer(encode(*answer)).has_value());
  return 0;
}
