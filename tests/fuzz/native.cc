// The native protocol between helper and library: the same bytes as a session's record, which the helper reads, and as
// a reply, which the library reads.
#include <cstdint>
#include <string>
#include <vector>

#include "libumlnet/client/native_helper.h"
#include "libumlnet/client/native_reply.h"
#include "libumlnet/core/anti_spoof.h"
#include "libumlnet/core/native5_arguments.h"
#include "require.h"

using namespace umlnet;

namespace {

using client::DeviceRequest;
using client::NativeDevice;

// What is understood can be said again, and means the same.
void require_record(std::string_view record) {
  const auto request = native5::parse_record(record);
  if (!request) return fuzz::require_readable(request.error());
  REQUIRE_THAT(record.size() <= native5::kMaxRecord && record.ends_with('\0'));
  std::vector<std::string> words;
  if (const auto* open = std::get_if<OpenInterface>(&*request)) {
    REQUIRE_THAT(open->queues >= 1 && open->queues <= native5::kMaxQueues);
    REQUIRE_THAT(open->addresses.size() <= native5::kMaxAddresses && open->guests.size() <= native5::kMaxAddresses);
    REQUIRE_THAT(!open->mtu || (*open->mtu >= native5::kMinMtu && *open->mtu <= native5::kMaxMtu));
    REQUIRE_THAT(!open->netns || *open->netns >= 0);
    REQUIRE_THAT(open->guest_macs.size() <= kMaxGuestMacs && (!open->owner || open->persistent));
    REQUIRE_THAT(!open->anti_spoof || (!open->guest_macs.empty() && !open->guests.empty()));
    words = native5::words_of(*open);
  } else {
    words = native5::words_of(std::get<RemoveInterface>(*request));
  }
  const auto again = native5::parse_record(native5::to_record(words));
  REQUIRE_THAT(again.has_value());
  const auto* open = std::get_if<OpenInterface>(&*again);
  REQUIRE_THAT((open != nullptr ? native5::words_of(*open) : native5::words_of(std::get<RemoveInterface>(*again))) ==
               words);
}

bool is_plain(std::string_view text) { return text.empty() || fuzz::is_one_line(text); }

bool are_plain(const std::vector<std::string>& texts) {
  for (const auto& text : texts)
    if (!is_plain(text)) return false;
  return true;
}

bool are_lines(std::string_view text) {
  for (const char c : text)
    if ((c < ' ' || c > '~') && c != '\n') return false;
  return text.ends_with('\n');
}

struct RequirePlain {
  void operator()(const NativeDevice& device) const {
    REQUIRE_THAT(is_plain(device.id) && are_plain(device.notes));
    REQUIRE_THAT(!device.bridge || is_plain(*device.bridge));
    for (const auto& guest : device.guests) REQUIRE_THAT(are_plain(guest.published));
    REQUIRE_THAT(are_lines(client::in_words(device)));
  }
  void operator()(const client::NativeRemoval& removal) const {
    REQUIRE_THAT(is_plain(removal.id) && is_plain(removal.device) && are_plain(removal.notes));
  }
  void operator()(const client::NativeWelcome& welcome) const {
    REQUIRE_THAT(is_plain(welcome.id) && are_plain(welcome.notes));
  }
  void operator()(const client::NativeReload& reload) const {
    REQUIRE_THAT(is_plain(reload.id) && are_plain(reload.notes));
  }
  void operator()(const Error& refusal) const { REQUIRE_THAT(is_plain(refusal.what) && is_plain(refusal.advice)); }
};

void require_reply(std::string_view bytes) {
  const auto reply = client::parse_native_reply(bytes);
  if (!reply) {
    REQUIRE_THAT(reply.error().code == Code::reply);
    fuzz::require_readable(reply.error());
  } else {
    std::visit(RequirePlain{}, *reply);
  }
  // A device without its descriptors is none.
  const auto opened = client::as_opened(Message{.bytes = std::string(bytes), .fds = {}}, DeviceRequest{});
  REQUIRE_THAT(!opened);
  REQUIRE_THAT(opened.error().code == UMLNET_PROTOCOL || opened.error().code == UMLNET_REFUSED);
  REQUIRE_THAT(fuzz::is_one_line(opened.error().message));
  static const IfName tap7 = *IfName::parse("tap7");
  if (const auto removed = client::as_removed(Message{.bytes = std::string(bytes), .fds = {}}, tap7))
    REQUIRE_THAT(std::get<client::NativeRemoval>(*reply).device == "tap7");
  else
    REQUIRE_THAT(fuzz::is_one_line(removed.error().message));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  require_record(bytes);
  require_reply(bytes);
  return 0;
}
