// The decision: policy, caller, request and the kernel's state in; a Grant or a Denial out. Pure.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "libumlnet/core/error.h"
#include "libumlnet/core/request.h"
#include "policy/caller.h"
#include "policy/host_state.h"
#include "policy/lan_devices.h"
#include "policy/policy.h"
#include "policy/rule_evaluation.h"

namespace umlnet::policy {

class Grant;

// Why not: the deny rule, or the allow rule that came nearest (empty where no rule speaks of the caller). The caller
// and the audit log are told the same.
struct Denial {
  std::string rule;
  Error error;
};

// What the contract says in umlnet-policy(5): a matching deny rule wins; then the first allow rule that grants all of
// the request; then real uid 0, without a rule; otherwise denied with the nearest reason. A device that is not the
// caller's is denied in the words for one that does not exist. Removing a device of one's own, and what guests that are
// gone left behind, needs no rule and is forbidden by none. For a device in another network namespace `host` is the
// state of that.
std::expected<Grant, Denial> decide(const Policy& policy, const Caller& caller, const Request& request,
                                    const HostState& host);

// A request that may be carried out, and within which bounds. Only decide() makes one.
class Grant {
 public:
  const Request& request() const { return request_; }
  uid_t uid() const { return uid_; }
  const std::string& rule() const { return rule_; }  // empty where no rule was needed
  const std::string& reason() const { return reason_; }

  // What an anti-spoofing filter lets the guest send besides: nothing where no rule was needed.
  const Infrastructure& infrastructure() const { return infrastructure_; }

  // Whether guest addresses may be published on the LAN device, and forwarded from there.
  bool may_publish_on(const rtnetlink::Link& lan) const;
  // What the rule has under "lan", with commas; empty where it lists nothing, or no rule was needed.
  std::string lan_list() const;

 private:
  friend std::expected<Grant, Denial> decide(const Policy&, const Caller&, const Request&, const HostState&);
  Grant(Request request, uid_t uid, std::string rule, std::string reason, std::optional<std::vector<DevicePattern>> lan,
        const Infrastructure& infrastructure = {})
      : request_(std::move(request)),
        uid_(uid),
        rule_(std::move(rule)),
        reason_(std::move(reason)),
        lan_(std::move(lan)),
        infrastructure_(infrastructure) {}

  Request request_;
  uid_t uid_;
  std::string rule_;
  std::string reason_;
  std::optional<std::vector<DevicePattern>> lan_;  // nullopt: all devices
  Infrastructure infrastructure_;
};

// Whether a request of this kind adds to what its caller holds, so that two of them at once could both see the last
// free place.
bool counts_against_limits(const Request& request);

}  // namespace umlnet::policy
