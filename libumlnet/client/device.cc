// umlnet_device and umlnet_session: devices as the native protocol has them.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libumlnet/client/native_helper.h"
#include "libumlnet/client/native_session.h"
#include "libumlnet/client/transport.h"
#include "libumlnet/client/virtio_net_header.h"
#include "libumlnet/core/plain_text.h"

using namespace umlnet;
using namespace umlnet::client;

namespace {

// Texts, as a list of C strings that ends in a null pointer. Neither changes any more, nor moves.
class CStrings {
 public:
  explicit CStrings(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (const auto& text : texts_) pointers_.push_back(text.c_str());
    pointers_.push_back(nullptr);
  }
  const char* const* get() const { return pointers_.data(); }

 private:
  std::vector<std::string> texts_;
  std::vector<const char*> pointers_;
};

template <class Item, class Text>
std::vector<std::string> texts_of(const std::vector<Item>& items, Text text) {
  std::vector<std::string> texts;
  texts.reserve(items.size());
  for (const auto& item : items) texts.push_back(text(item));
  return texts;
}

}  // namespace

struct umlnet_device {
  explicit umlnet_device(OpenedDevice opened)
      : fds(std::move(opened.fds)),
        made(std::move(opened.made)),
        addresses(texts_of(made.addresses, [](const auto& address) { return address.str(); })),
        guest_addresses(texts_of(made.guests, [](const auto& guest) { return guest.address.compact(); })),
        notes(made.notes) {
    for (const auto& guest : made.guests) published.emplace_back(guest.published);
    for (std::size_t i = 0; i < made.guests.size(); ++i)
      guests.push_back({guest_addresses.get()[i], published[i].get()});
    info.size = sizeof info;
    info.name = made.device.str().c_str();
    info.ifindex = made.ifindex;
    std::ranges::copy(made.mac.bytes(), info.mac);
    info.mtu = made.mtu;
    info.id = made.id.c_str();
    info.addresses = addresses.get();
    info.guests = guests.data();
    info.guest_count = guests.size();
    info.bridge = made.bridge ? made.bridge->c_str() : nullptr;
    info.isolated = made.isolated ? 1 : 0;
    info.queues = made.queues;
    info.vnet_hdr = made.virtio_headers ? 1 : 0;
    info.in_netns = made.netns ? 1 : 0;
    info.persistent = made.persistent ? 1 : 0;
    info.sealed = made.sealed ? 1 : 0;
    info.anti_spoof = made.anti_spoof ? 1 : 0;
    info.notes = notes.get();
    info.fd_count = fds.size();
  }
  umlnet_device(const umlnet_device&) = delete;
  umlnet_device& operator=(const umlnet_device&) = delete;

  std::vector<unique_fd> fds;
  NativeDevice made;
  CStrings addresses, guest_addresses, notes;
  std::vector<CStrings> published;
  std::vector<umlnet_guest> guests;
  umlnet_device_info info{};
};

struct umlnet_session {
  Options options;
  std::unique_ptr<NativeSession> session;
};

namespace {

std::unexpected<Failure> no_device() { return failed(UMLNET_INVALID, "there is no device: the umlnet_device is NULL"); }
std::unexpected<Failure> no_session() {
  return failed(UMLNET_INVALID, "there is no session: the umlnet_session is NULL");
}

Outcome<IfName> device_name(const char* device) {
  const std::string_view text = device != nullptr ? device : "";
  const auto name = IfName::parse_existing(text);
  if (!name) return failed(UMLNET_INVALID, in_quotes(text, 40) + " is not the name of a device");
  return *name;
}

Outcome<void> hand_over(Outcome<OpenedDevice> opened, const Options& options, umlnet_device** device) {
  if (!opened) return std::unexpected(std::move(opened.error()));
  const std::string words = in_words(opened->made);
  *device = new umlnet_device(*std::move(opened));
  options.note(words);
  return {};
}

Outcome<void> tell(const Outcome<std::string>& text, const Options& options) {
  if (!text) return std::unexpected(text.error());
  options.note(*text);
  return {};
}

}  // namespace

extern "C" {

umlnet_code umlnet_device_open(const umlnet_device_request* request, const umlnet_options* options,
                               umlnet_device** device, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (device == nullptr) return failed(UMLNET_INVALID, "umlnet_device_open() wants a place for the device");
    *device = nullptr;
    const auto wanted = DeviceRequest::of(request);
    if (!wanted) return std::unexpected(wanted.error());
    const Options called(options);
    const auto helper = Helper::find(called.helper(), called.timeout_ms());
    if (!helper) return std::unexpected(helper.error());
    return hand_over(open_device(*helper, *wanted), called, device);
  });
}

umlnet_code umlnet_device_remove(const char* device, const umlnet_options* options, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    const auto name = device_name(device);
    if (!name) return std::unexpected(name.error());
    const Options called(options);
    const auto helper = Helper::find(called.helper(), called.timeout_ms());
    if (!helper) return std::unexpected(helper.error());
    return tell(remove_device(*helper, *name), called);
  });
}

const umlnet_device_info* umlnet_device_describe(const umlnet_device* device) {
  return device != nullptr ? &device->info : nullptr;
}

int umlnet_device_fd(const umlnet_device* device, size_t index) {
  return device != nullptr && index < device->fds.size() ? device->fds[index].get() : -1;
}

int umlnet_device_take_fd(umlnet_device* device, size_t index) {
  return device != nullptr && index < device->fds.size() ? device->fds[index].release() : -1;
}

void umlnet_device_free(umlnet_device* device) { delete device; }

umlnet_code umlnet_end_of_device(const umlnet_device* device, umlnet_end* end, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (device == nullptr || end == nullptr) return no_device();
    if (device->made.queues > 1)
      return failed(UMLNET_UNSUPPORTED, "a pump reads one descriptor, and " + device->made.device.str() + " has " +
                                            std::to_string(device->made.queues) +
                                            " queues: frames in the others would be lost");
    if (!device->fds.front())
      return failed(UMLNET_STATE, "the descriptor of " + device->made.device.str() +
                                      " was taken, so that there is no end of it to pump from");
    umlnet_end filled = UMLNET_END_INIT;
    filled.framing = device->made.sealed ? UMLNET_DGRAM : UMLNET_TAP;
    filled.fd = device->fds.front().get();
    filled.name = device->info.name;
    if (device->made.virtio_headers) {
      filled.vnet_hdr = VirtioNetHeader::kSize;
      // What the kernel takes unfinished, on every version that runs this: UDP segmentation came with 6.2.
      filled.offloads = UMLNET_OFFLOAD_CSUM | UMLNET_OFFLOAD_TSO4 | UMLNET_OFFLOAD_TSO6 | UMLNET_OFFLOAD_ECN;
    }
    *end = filled;
    return {};
  });
}

umlnet_code umlnet_session_open(const umlnet_options* options, umlnet_session** session, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (session == nullptr) return failed(UMLNET_INVALID, "umlnet_session_open() wants a place for the session");
    *session = nullptr;
    const Options called(options);
    const auto helper = Helper::find(called.helper(), called.timeout_ms());
    if (!helper) return std::unexpected(helper.error());
    auto opened = NativeSession::open(*helper);
    if (!opened) return std::unexpected(std::move(opened.error()));
    *session = new umlnet_session{called, *std::move(opened)};
    called.note((*session)->session->text());
    return {};
  });
}

umlnet_code umlnet_session_open_device(umlnet_session* session, const umlnet_device_request* request,
                                       umlnet_device** device, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (session == nullptr || device == nullptr) return no_session();
    *device = nullptr;
    const auto wanted = DeviceRequest::of(request);
    if (!wanted) return std::unexpected(wanted.error());
    return hand_over(session->session->open_device(*wanted), session->options, device);
  });
}

umlnet_code umlnet_session_remove_device(umlnet_session* session, const char* device, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (session == nullptr) return no_session();
    const auto name = device_name(device);
    if (!name) return std::unexpected(name.error());
    return tell(session->session->remove_device(*name), session->options);
  });
}

umlnet_code umlnet_session_reload(umlnet_session* session, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (session == nullptr) return no_session();
    const auto reloaded = session->session->reload();
    if (!reloaded) return std::unexpected(reloaded.error());
    if (!reloaded->empty()) session->options.note(*reloaded);
    return {};
  });
}

int umlnet_session_fd(const umlnet_session* session) { return session != nullptr ? session->session->end_fd() : -1; }

umlnet_code umlnet_session_close(umlnet_session* session, umlnet_error* error) {
  return at_border(error, [&]() -> Outcome<void> {
    if (session == nullptr) return no_session();
    return session->session->close();
  });
}

void umlnet_session_free(umlnet_session* session) {
  if (session != nullptr) umlnet_session_close(session, nullptr);
  delete session;
}

}  // extern "C"
