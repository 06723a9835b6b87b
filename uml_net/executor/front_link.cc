#include "uml_net/executor/front_link.h"

#include <algorithm>
#include <variant>
#include <vector>

#include "libumlnet/core/fd_passing.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/child_process.h"

namespace umlnet {
namespace {

// For each guest of the request on which LANs it is published, with '/' between their names.
std::vector<std::string> published_of(const Request& request, const priv::Outcome& outcome) {
  std::vector<std::string> published;
  const auto* open = std::get_if<OpenInterface>(&request);
  if (open == nullptr) return published;
  for (const auto& guest : open->guests) {
    std::vector<std::string> lans;
    for (const auto& change : outcome.changes)
      if (const auto* publish = std::get_if<priv::AddProxyNeigh>(&change);
          publish != nullptr && guest.contains(publish->address) &&
          std::ranges::find(lans, publish->lan.name) == lans.end())
        lans.push_back(publish->lan.name);
    std::string names;
    for (const auto& lan : lans) names += (names.empty() ? "" : "/") + lan;
    published.push_back(std::move(names));
  }
  return published;
}

Made made_of(const Request& request, const priv::Outcome& outcome) {
  Made made{.has_device = outcome.tap.has_value(),
            .device = outcome.device.name,
            .ifindex = outcome.device.ifindex,
            .text = outcome.text,
            .notes = outcome.notes,
            .published = published_of(request, outcome)};
  if (outcome.tap) made.mac = outcome.tap->mac, made.mtu = outcome.tap->mtu;
  return made;
}

}  // namespace

// A front that takes no message is gone, or its caller has stopped it. It may wait for what it did not get, so nothing
// more is waited for from it.
void FrontLink::tell(Told told) const {
  told.id = id_;
  const bool is_waited_for = told.what != Tells::warning;
  is_lost_ |= !send(channel(), told) && is_waited_for;
}

Result<FrontMessage> FrontLink::next() const {
  if (is_lost_) return fail(Code::kernel, "the process that talks to the caller takes no messages");
  auto message = receive_said(channel());
  if (message) message->fds.clear();
  return message;
}

Result<void> FrontLink::hear_of_delivery() const {
  const auto message = next();
  if (!message) return std::unexpected(message.error());
  const Said& said = message->said;
  if (said.what == Says::delivered) return {};
  if (said.what == Says::undelivered && said.has_error) return std::unexpected(decode(said.error));
  return fail(Code::bug, "a strange message of the process that talks to the caller");
}

Result<void> FrontLink::grant(const Request& request, const priv::Outcome& outcome) const {
  std::vector<int> fds;
  if (outcome.sealed)
    fds = {outcome.sealed->get()};
  else if (outcome.tap && !std::holds_alternative<OpenEthertap>(request))
    fds = numbers_of(outcome.tap->queues);
  auto sent = send(channel(), {.what = Tells::granted, .id = id_, .made = made_of(request, outcome)}, fds);
  return sent ? hear_of_delivery() : sent;
}

void FrontLink::grant_record(const std::string& text) const {
  Told told{.what = Tells::granted};
  told.made.text = text;
  tell(std::move(told));
}

Result<void> FrontLink::confirm_reload() const {
  auto sent = send(channel(), Told{.what = Tells::reloaded, .id = id_});
  return sent ? hear_of_delivery() : sent;
}

int FrontLink::refuse_call(const Error& error) {
  [[maybe_unused]] const auto first = next();
  refuse(error);
  return end();
}

int FrontLink::end() {
  priv::drop_net_admin();  // nothing is changed from here on, however long the caller lets this wait
  int status = exit_status_of(Code::bug);
  while (const auto message = next()) {
    if (message->said.what != Says::status) continue;
    status = message->said.status;
    break;
  }
  front_.channel.reset();
  kill_child(front_.pidfd.get());  // it has nothing left to do, and its caller may have stopped it
  wait_for_child(front_.pidfd.get());
  return status;
}

}  // namespace umlnet
