#include "uml_net/priv/peer_watch.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "libumlnet/core/rtnetlink_message.h"
#include "uml_net/sys/keep_fds.h"

namespace umlnet::priv {

std::optional<PeerWatch> PeerWatch::open(int socket, int number) {
  struct stat status{};
  if (::fstat(socket, &status) != 0) return std::nullopt;
  auto fd = open_netlink(NETLINK_SOCK_DIAG, "cannot open a socket to the kernel's socket diagnostics");
  if (fd) fd = give_number(*std::move(fd), number);
  if (!fd) return std::nullopt;
  PeerWatch watch(*std::move(fd));
  const auto answer = watch.ask(static_cast<std::uint32_t>(status.st_ino));
  if (!answer) return std::nullopt;
  watch.peer_ = answer->peer;
  return watch;
}

bool PeerWatch::is_gone() {
  if (peer_ == 0) return true;
  const auto answer = ask(peer_);
  return answer ? answer->shutdown != 0 : answer.error().errnum == ENOENT;
}

Result<PeerWatch::Answer> PeerWatch::ask(std::uint32_t inode) {
  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = ~0U;
  request.udiag_ino = inode;
  request.udiag_show = UDIAG_SHOW_PEER;
  std::ranges::fill(request.udiag_cookie, ~0U);
  std::optional<Answer> answer;
  const auto asked =
      socket_.get(rtnetlink::Builder(SOCK_DIAG_BY_FAMILY, 0, socket_.next_sequence(), request).done(),
                  "cannot ask for the state of a socket", [&](const rtnetlink::Message& message) {
                    if (message.type != SOCK_DIAG_BY_FAMILY) return;
                    const rtnetlink::Attributes found(rtnetlink::behind(message.payload, sizeof(unix_diag_msg)));
                    answer = {.peer = found.number<std::uint32_t>(UNIX_DIAG_PEER).value_or(0),
                              .shutdown = found.number<std::uint8_t>(UNIX_DIAG_SHUTDOWN).value_or(0)};
                  });
  if (!asked) return std::unexpected(asked.error());
  if (!answer) return fail(Code::kernel, "the kernel's socket diagnostics have no answer");
  return *answer;
}

}  // namespace umlnet::priv
