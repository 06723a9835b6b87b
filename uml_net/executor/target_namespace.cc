#include "uml_net/executor/target_namespace.h"

#include "libumlnet/core/look_at_fd.h"
#include "uml_net/priv/network_namespace.h"
#include "uml_net/sys/keep_fds.h"

namespace umlnet {

Result<std::unique_ptr<TargetNamespace>> TargetNamespace::reach(unique_fd& netns, uid_t uid,
                                                                CallerWorker& caller_worker, priv::TunSource tuns,
                                                                priv::RtnetlinkSocket& home, int number) {
  if (!netns) return fail(Code::bad_channel, "the descriptor that netns= names is not open");
  if (auto checked = priv::check_namespace_of(netns.get(), uid); !checked)
    return std::unexpected(std::move(checked.error()));
  auto socket = caller_worker.rtnetlink_in(netns.get());
  if (socket && number >= 0) socket = give_number(*std::move(socket), number);
  if (!socket) return std::unexpected(std::move(socket.error()));
  auto reached = priv::RtnetlinkSocket::adopt(*std::move(socket));
  reached.grammar().set_lans(home.grammar().lans());
  return std::unique_ptr<TargetNamespace>(
      new TargetNamespace(std::move(netns), std::move(reached), std::move(tuns), home));
}

bool TargetNamespace::is(int netns) const {
  struct stat mine{}, other{};
  return look_at_fd(netns_.get(), mine) && look_at_fd(netns, other) && mine.st_dev == other.st_dev &&
         mine.st_ino == other.st_ino;
}

}  // namespace umlnet
