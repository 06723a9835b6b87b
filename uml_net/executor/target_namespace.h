// Another network namespace, of the caller's own, in which a request takes place as if it were the host.
#pragma once

#include <sys/types.h>

#include <memory>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/priv/kernel_effects.h"
#include "uml_net/priv/rtnetlink_socket.h"
#include "uml_net/worker/caller_worker.h"

namespace umlnet {

class TargetNamespace {
 public:
  // Code::bad_channel where `netns` is no network namespace, Code::denied where its owning user namespace was not made
  // by `uid`; `netns` is then left as it is. `home` speaks of the helper's own namespace, where devices are made
  // before they are moved; it is borrowed. The rtnetlink socket gets the number `number`, where that is not negative.
  static Result<std::unique_ptr<TargetNamespace>> reach(unique_fd& netns, uid_t uid, CallerWorker& caller_worker,
                                                        priv::TunSource tuns, priv::RtnetlinkSocket& home,
                                                        int number = -1);

  priv::RtnetlinkSocket& socket() { return socket_; }
  priv::HostEffects& effects() { return effects_; }

  // Whether `netns` (borrowed) is this namespace.
  bool is(int netns) const;

 private:
  TargetNamespace(unique_fd netns, priv::RtnetlinkSocket socket, priv::TunSource tuns, priv::RtnetlinkSocket& home)
      : netns_(std::move(netns)), socket_(std::move(socket)), effects_(std::move(tuns), home, socket_, netns_.get()) {}

  unique_fd netns_;
  priv::RtnetlinkSocket socket_;
  priv::KernelEffects effects_;
};

}  // namespace umlnet
