// The request that `umlnet policy explain` is asked about: from the words of its command line, and back to words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/request.h"
#include "policy/caller.h"
#include "policy/host_state.h"

namespace umlnet::cli {

// The words of an operation, before they are a request. Those of the native protocol stand as they are behind its verb.
struct AskedWords {
  std::string operation;
  std::optional<std::string> device, gateway, address, netmask, bridge;
  bool removes = false;
  std::vector<std::string> native;
};

Outcome<Request> request_of(const AskedWords& words);

// The request for a person.
std::string words_of(const Request& request);

// A host on which nobody holds anything, but for the device that the request works on, which is the caller's. The
// bridge that it names is there.
policy::HostState assumed_host(const policy::Caller& caller, const Request& request);

// Whether the request would have guest addresses routed to a device, and in whose LANs these lie.
bool names_guests(const Request& request);
std::vector<const rtnetlink::Link*> lans_asked_for(const Request& request, const policy::HostState& host);

}  // namespace umlnet::cli
