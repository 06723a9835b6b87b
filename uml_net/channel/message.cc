#include "uml_net/channel/message.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "libumlnet/core/fd_passing.h"
#include "libumlnet/core/object_bytes.h"
#include "uml_net/channel/strings.h"

namespace umlnet {
namespace {

constexpr std::size_t kMaxTold = 1 << 17, kMaxWords = 1 << 15;  // bytes

// The empty word, and each name of a request.
constexpr auto kOperations = []<std::size_t... Kind>(std::index_sequence<Kind...>) {
  return std::array<std::string_view, sizeof...(Kind) + 1>{
      "", TraitsOf<std::variant_alternative_t<Kind, Request>>::value.name...};
}(std::make_index_sequence<std::variant_size_v<Request>>());

// What is told, before its strings: the id, the error's two, the device's name, the text, the notes, the LANs.
struct ToldHead {
  Tells what = Tells::over;
  bool has_error = false, has_device = false, has_mac = false;
  Code code = Code::bug;
  std::int32_t errnum = 0;
  std::int32_t ifindex = 0;
  std::array<std::uint8_t, 6> mac = {};
  std::uint32_t mtu = 0;
  std::uint32_t notes = 0, published = 0;
};

Error strange(const char* whose) { return {Code::bug, 0, std::string("a strange message of ") + whose, {}}; }

// Words that are too many for one message end at a line; the audit log has all of them.
void cut(std::string& text) {
  if (text.size() <= kMaxWords) return;
  text.resize(text.rfind('\n', kMaxWords) + 1);
  text += "... and more: see the audit log\n";
}

Result<Message> receive(int channel, std::size_t room) {
  auto message = receive_with_fds(channel, room, Waiting::yes);
  if (!message)
    message.error().code = Code::kernel;
  else if (message->bytes.empty())
    return fail_errno(Code::kernel, ECONNRESET, "the other process of this call is gone");
  return message;
}

}  // namespace

WireError encode(const Error& error) {
  WireError wire{.code = static_cast<std::uint8_t>(error.code), .errnum = error.errnum};
  std::copy_n(error.what.begin(), std::min(error.what.size(), wire.what.size() - 1), wire.what.begin());
  return wire;
}

Error decode(const WireError& wire) {
  const bool is_known = wire.code <= static_cast<std::uint8_t>(Code::bug);
  std::string what(wire.what.begin(), std::ranges::find(wire.what, '\0'));
  if (what.empty()) what = "the process that talks to the caller gave no reason";
  auto code = is_known ? static_cast<Code>(wire.code) : Code::bug;
  if (code == Code::bad_policy) code = Code::bug;  // which is not the front's to say: it would be an alert
  return {code, wire.errnum, std::move(what), {}};
}

std::uint8_t operation_number(std::string_view word) {
  const auto known = std::ranges::find(kOperations, word);
  return known == std::end(kOperations) ? 0 : static_cast<std::uint8_t>(known - std::begin(kOperations));
}

std::string_view operation_word(std::uint8_t number) {
  return number < std::size(kOperations) ? kOperations[number] : std::string_view();
}

Result<void> send(int channel, const Said& said, std::string_view tail, std::span<const int> fds) {
  return send_with_fds(channel, std::string(bytes_of(said)) + std::string(tail.substr(0, kMaxTail)), fds);
}

Result<void> send(int channel, const Told& told, std::span<const int> fds) {
  Made made = told.made;
  cut(made.text);
  std::size_t room = kMaxWords;
  const auto fits = [&](const std::string& note) { return room >= note.size() && (room -= note.size(), true); };
  made.notes.erase(std::ranges::find_if_not(made.notes, fits), made.notes.end());
  ToldHead head{.what = told.what,
                .has_error = told.error.has_value(),
                .has_device = made.has_device,
                .has_mac = made.mac.has_value(),
                .ifindex = made.ifindex,
                .mtu = made.mtu,
                .notes = static_cast<std::uint32_t>(made.notes.size()),
                .published = static_cast<std::uint32_t>(made.published.size())};
  if (told.error) head.code = told.error->code, head.errnum = told.error->errnum;
  if (made.mac) head.mac = made.mac->bytes();
  std::string bytes(bytes_of(head));
  const auto put = [&](std::string_view text) { put_string(bytes, text); };
  put(told.id ? told.id->str() : "");
  put(told.error ? told.error->what : "");
  put(told.error ? told.error->advice : "");
  put(made.device);
  put(made.text);
  std::ranges::for_each(made.notes, put);
  std::ranges::for_each(made.published, put);
  return send_with_fds(channel, bytes, fds);
}

Result<FrontMessage> receive_said(int channel) {
  auto message = receive(channel, sizeof(Said) + kMaxTail);
  if (!message) return std::unexpected(std::move(message.error()));
  const auto said = object_of<Said>(std::string_view(message->bytes).substr(0, sizeof(Said)));
  if (!said || said->what > Says::status) return std::unexpected(strange("the process that talks to the caller"));
  return FrontMessage{*said, message->bytes.substr(sizeof(Said)), std::move(message->fds)};
}

Result<ExecutorMessage> receive_told(int channel) {
  auto message = receive(channel, kMaxTold);
  if (!message) return std::unexpected(std::move(message.error()));
  const auto known = object_of<ToldHead>(std::string_view(message->bytes).substr(0, sizeof(ToldHead)));
  if (!known) return std::unexpected(strange("the process that grants"));
  const ToldHead& head = *known;
  Strings strings(std::string_view(message->bytes).substr(sizeof(ToldHead)));
  Told told{.what = head.what, .id = RequestId::parse(strings.next())};
  std::string what = strings.next(), advice = strings.next();
  if (head.has_error) told.error = Error{head.code, head.errnum, std::move(what), std::move(advice)};
  Made& made = told.made;
  made.has_device = head.has_device;
  made.device = strings.next();
  made.ifindex = head.ifindex;
  if (head.has_mac) made.mac = MacAddress(head.mac);
  made.mtu = head.mtu;
  made.text = strings.next();
  made.notes = strings.next(head.notes);
  made.published = strings.next(head.published);
  return ExecutorMessage{std::move(told), std::move(message->fds)};
}

}  // namespace umlnet
