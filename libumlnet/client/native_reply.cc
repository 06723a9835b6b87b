#include "libumlnet/client/native_reply.h"

#include <algorithm>
#include <climits>
#include <functional>
#include <utility>

#include "libumlnet/core/native5_arguments.h"
#include "libumlnet/core/plain_text.h"
#include "libumlnet/core/strict_json.h"

namespace umlnet::client {
namespace {

constexpr std::size_t kMaxText = 4096;  // bytes of one string
constexpr std::size_t kMaxNotes = 64;
constexpr std::size_t kMaxPublished = 256;                 // devices of the host that one address is published on
constexpr std::size_t kMaxDeviceName = IfName::kSize - 1;  // bytes

std::unexpected<Error> wrong(const std::string& why) { return fail(Code::reply, "the reply of the helper " + why); }

std::unexpected<Error> wrong_key(std::string_view key, std::string_view is_not) {
  return wrong("has no " + std::string(is_not) + " behind " + in_quotes(key));
}

// One object, key by key. The first thing that is wrong stays; what is read after it does not count.
class Reader {
 public:
  explicit Reader(const JsonObject& object) : object_(object) {}

  const std::optional<Error>& error() const { return error_; }

  std::string text(std::string_view key) {
    const auto* value = needed<std::string>(key, "text");
    return value != nullptr ? printable(*value) : std::string();
  }
  std::string text_if_there(std::string_view key) { return find(key) != nullptr ? text(key) : std::string(); }

  bool flag(std::string_view key) {
    if (find(key) == nullptr) return false;
    const auto* value = needed<bool>(key, "true or false");
    return value != nullptr && *value;
  }

  unsigned number(std::string_view key, unsigned least, unsigned most) {
    const auto* value = needed<std::uint64_t>(key, "whole number");
    if (value == nullptr) return 0;
    if (*value < least || *value > most)
      refuse(wrong_key(key, "number from " + std::to_string(least) + " to " + std::to_string(most)));
    return static_cast<unsigned>(*value);
  }

  unsigned number_or(std::string_view key, unsigned otherwise, unsigned most) {
    return find(key) != nullptr ? number(key, otherwise, most) : otherwise;
  }

  // A text that `parse` makes a value of.
  template <class Parse>
  auto value(std::string_view key, std::string_view kind, Parse parse) -> decltype(parse(std::string_view())) {
    const auto* text = needed<std::string>(key, kind);
    auto parsed = text != nullptr ? parse(std::string_view(*text)) : std::nullopt;
    if (!parsed) refuse(wrong_key(key, kind));
    return parsed;
  }

  // `read` is called for each item, and says nothing of one that is none.
  template <class Item, class Read>
  std::vector<Item> list(std::string_view key, std::size_t most, std::string_view kind, Read read) {
    std::vector<Item> items;
    const auto* array = needed<JsonArray>(key, "list");
    if (array == nullptr) return items;
    if (array->size() > most)
      refuse(wrong("lists more than " + std::to_string(most) + " behind \"" + std::string(key) + "\""));
    for (const auto& value : *array) {
      if (error_) break;
      std::optional<Item> item = read(value);
      if (item)
        items.push_back(*std::move(item));
      else
        refuse(wrong_key(key, kind));
    }
    return items;
  }

 private:
  const JsonValue* find(std::string_view key) const {
    const auto found = std::ranges::find(object_, key, &JsonMember::key);
    return found != object_.end() ? &found->value : nullptr;
  }
  template <class T>
  const T* needed(std::string_view key, std::string_view kind) {
    const auto* value = find(key);
    const T* data = value != nullptr ? std::get_if<T>(&value->data) : nullptr;
    if (data == nullptr) refuse(wrong_key(key, kind));
    return data;
  }
  void refuse(std::unexpected<Error> error) {
    if (!error_) error_ = std::move(error.error());
  }

  const JsonObject& object_;
  std::optional<Error> error_;
};

std::optional<std::string> as_text(const JsonValue& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  return text != nullptr ? std::optional(printable(*text)) : std::nullopt;
}

// Of a device that is there, whatever its name: one of the administrator's need not keep to IfName's rules.
std::optional<std::string> as_device_name(const JsonValue& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  if (text == nullptr || text->empty() || text->size() > kMaxDeviceName) return std::nullopt;
  return printable(*text);
}

std::vector<std::string> read_notes(Reader& reader) {
  return reader.list<std::string>("notes", kMaxNotes, "text", as_text);
}

std::optional<NativeDevice::Guest> as_guest(const JsonValue& value) {
  const auto* object = std::get_if<JsonObject>(&value.data);
  if (object == nullptr) return std::nullopt;
  Reader reader(*object);
  const auto address = reader.value("address", "IP address or network", IpRange::parse);
  auto published = reader.list<std::string>("published", kMaxPublished, "device name", as_device_name);
  if (reader.error()) return std::nullopt;
  return NativeDevice::Guest{*address, std::move(published)};
}

std::optional<IpInterface> as_interface(const JsonValue& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  return text != nullptr ? IpInterface::parse(*text) : std::nullopt;
}

Result<NativeReply> read_device(const JsonObject& object) {
  Reader reader(object);
  std::string id = reader.text("id");
  const auto device = reader.value("device", "device name", IfName::parse);
  const unsigned ifindex = reader.number("ifindex", 1, INT_MAX);
  const auto mac = reader.value("mac", "MAC address", MacAddress::parse);
  const unsigned mtu = reader.number("mtu", native5::kMinMtu, native5::kMaxMtu);
  auto addresses =
      reader.list<IpInterface>("addresses", native5::kMaxAddresses, "IP address with a length", as_interface);
  auto guests = reader.list<NativeDevice::Guest>("guests", native5::kMaxAddresses, "guest", as_guest);
  std::string bridge = reader.text_if_there("bridge");
  const bool isolated = reader.flag("isolated");
  const unsigned queues = reader.number_or("queues", 1, native5::kMaxQueues);
  const bool virtio_headers = reader.flag("vnet_hdr"), netns = reader.flag("netns");
  const bool persistent = reader.flag("persistent"), sealed = reader.flag("sealed");
  const bool anti_spoof = reader.flag("anti_spoof");
  const unsigned fds = reader.number("fds", 1, native5::kMaxQueues);
  auto notes = read_notes(reader);
  if (reader.error()) return std::unexpected(*reader.error());
  if (fds != (sealed ? 1 : queues))
    return wrong("says that " + std::to_string(fds) + " descriptors are of " + std::to_string(queues) + " queues");
  return NativeDevice{.id = std::move(id),
                      .device = *device,
                      .ifindex = ifindex,
                      .mac = *mac,
                      .mtu = mtu,
                      .addresses = std::move(addresses),
                      .guests = std::move(guests),
                      .bridge = bridge.empty() ? std::nullopt : std::optional(std::move(bridge)),
                      .isolated = isolated,
                      .queues = queues,
                      .virtio_headers = virtio_headers,
                      .netns = netns,
                      .persistent = persistent,
                      .sealed = sealed,
                      .anti_spoof = anti_spoof,
                      .fds = fds,
                      .notes = std::move(notes)};
}

Result<NativeReply> read_refusal(const JsonObject& object) {
  Reader reader(object);
  Error refusal;
  reader.text_if_there("id");  // not there where it was refused before there was one
  const auto code = reader.value("code", "known code", parse_code);
  if (const std::string name = reader.text_if_there("errno"); !name.empty())
    refusal.errnum = parse_errno(name).value_or(0);
  refusal.what = reader.text("error");
  refusal.advice = reader.text_if_there("advice");
  if (reader.error()) return std::unexpected(*reader.error());
  refusal.code = *code;
  return refusal;
}

Result<NativeReply> read_granted(const JsonObject& object) {
  Reader kind(object);
  const bool removed = kind.flag("removed"), session = kind.flag("session"), reloaded = kind.flag("reloaded");
  if (kind.error()) return std::unexpected(*kind.error());
  if (!removed && !session && !reloaded) return read_device(object);
  Reader reader(object);
  std::string id = reader.text("id");
  std::string device = removed ? reader.text("device") : std::string();
  auto notes = read_notes(reader);
  reader.number("fds", 0, 0);
  if (reader.error()) return std::unexpected(*reader.error());
  if (removed) return NativeRemoval{std::move(id), std::move(device), std::move(notes)};
  if (reloaded) return NativeReload{std::move(id), std::move(notes)};
  return NativeWelcome{std::move(id), std::move(notes)};
}

}  // namespace

Result<NativeReply> parse_native_reply(std::string_view bytes) {
  if (bytes.size() > kMaxNativeReply) return wrong("is larger than any should be");
  if (!bytes.ends_with('\n')) return wrong("is not a whole line");
  auto json = parse_strict_json(bytes, kMaxText);
  if (!json) return wrong("is not what the protocol has: " + json.error().what);
  const auto* object = std::get_if<JsonObject>(&json->data);
  if (object == nullptr) return wrong("is not an object of JSON");
  Reader reader(*object);
  const std::string status = reader.text("status");
  if (reader.error()) return std::unexpected(*reader.error());
  if (status == "ok") return read_granted(*object);
  if (status == "error") return read_refusal(*object);
  return wrong("has no status that is known");
}

std::string in_words(const NativeDevice& made) {
  const std::string name = made.device.str();
  std::string text = name + " up";
  for (std::size_t i = 0; i < made.addresses.size(); ++i) text += (i == 0 ? " with " : ", ") + made.addresses[i].str();
  if (made.bridge) text += " on bridge " + *made.bridge;
  if (made.isolated) text += ", isolated from other isolated ports";
  text += "\n";
  for (const auto& guest : made.guests) {
    if (made.bridge) continue;  // nothing was done for it, but in the filter against spoofing
    text += guest.address.compact() + " routed to " + name;
    for (std::size_t i = 0; i < guest.published.size(); ++i)
      text += (i == 0 ? ", published on " : ", ") + guest.published[i];
    text += "\n";
  }
  if (made.persistent) text += name + " stays until it is removed\n";
  for (const auto& note : made.notes) text += note + "\n";
  return text;
}

}  // namespace umlnet::client
