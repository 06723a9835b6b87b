#include "libumlnet/client/callback_end.h"

namespace umlnet::client {
namespace {

constexpr std::size_t kArena = std::size_t{256} * 1024;

}  // namespace

CallbackEnd::CallbackEnd(const umlnet_end& end)
    : FrameEnd(end.fd, 0), read_(end.read), write_(end.write), user_(end.user), arena_(kArena) {}

EndState CallbackEnd::read(FrameBatch& batch, std::size_t most, std::size_t gap, DirectionCounters& counters) {
  arena_.clear();
  for (std::size_t tries = 0; tries < most; ++tries) {
    const auto room = arena_.place(gap, kLongestFrame);
    if (room.empty()) break;
    std::size_t size = 0;
    const umlnet_code code = read_(user_, room.data(), room.size(), &size);
    if (code == UMLNET_AGAIN) return {.flow = EndState::wait};
    if (code == UMLNET_PROTOCOL) {
      counters.malformed.add();
    } else if (code != UMLNET_OK) {
      if (batch.count != 0) break;  // it is said again
      return {.flow = code == UMLNET_CLOSED ? EndState::gone : EndState::broken, .code = code};
    } else if (size < kShortestFrame) {
      counters.too_short.add();
    } else if (size > room.size()) {
      counters.too_long.add();
    } else {
      batch.add(arena_.took(gap, size));
    }
  }
  return {};
}

EndState CallbackEnd::write(std::span<const Frame> frames, std::size_t& taken, DirectionCounters& counters) {
  for (taken = 0; taken < frames.size(); ++taken) {
    const Frame& frame = frames[taken];
    switch (const umlnet_code code = write_(user_, frame.data, frame.size)) {
      case UMLNET_OK: count_written(frame, counters); break;
      case UMLNET_PROTOCOL: counters.refused.add(); break;
      case UMLNET_AGAIN: return {.flow = EndState::wait};
      case UMLNET_CLOSED: return {.flow = EndState::gone};
      default: return {.flow = EndState::broken, .code = code};
    }
  }
  return {};
}

}  // namespace umlnet::client
