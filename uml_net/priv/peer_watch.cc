#include "uml_net/priv/peer_watch.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace umlnet::priv {
namespace {

struct Question {
  nlmsghdr header;
  unix_diag_req request;
};

template <class T>
T read_at(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

std::optional<PeerWatch> PeerWatch::open(int socket) {
  struct stat status{};
  if (::fstat(socket, &status) != 0) return std::nullopt;
  unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return std::nullopt;
  PeerWatch watch(std::move(fd));
  const auto answer = watch.ask(static_cast<std::uint32_t>(status.st_ino));
  if (!answer || answer->error != 0) return std::nullopt;
  watch.peer_ = answer->peer;
  return watch;
}

bool PeerWatch::is_gone() {
  if (peer_ == 0) return true;
  const auto answer = ask(peer_);
  if (!answer) return false;
  return answer->error == ENOENT || (answer->error == 0 && answer->shutdown != 0);
}

std::optional<PeerWatch::Answer> PeerWatch::ask(std::uint32_t inode) {
  Question question{};
  question.header = {.nlmsg_len = sizeof question,
                     .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                     .nlmsg_flags = NLM_F_REQUEST,
                     .nlmsg_seq = 0,
                     .nlmsg_pid = 0};
  question.request.sdiag_family = AF_UNIX;
  question.request.udiag_states = ~0U;
  question.request.udiag_ino = inode;
  question.request.udiag_show = UDIAG_SHOW_PEER;
  std::ranges::fill(question.request.udiag_cookie, ~0U);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(fd_.get(), &question, sizeof question, 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
    return std::nullopt;

  std::array<std::uint8_t, 4096> bytes{};
  sockaddr_nl from{};
  socklen_t from_size = sizeof from;
  ssize_t size = -1;
  do {
    size = ::recvfrom(fd_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_size);
  } while ((size < 0 && errno == EINTR) || (size >= 0 && from.nl_pid != 0));
  if (size < static_cast<ssize_t>(sizeof(nlmsghdr))) return std::nullopt;
  const auto header = read_at<nlmsghdr>(bytes.data());
  const std::size_t end = std::min<std::size_t>(header.nlmsg_len, static_cast<std::size_t>(size));
  std::size_t at = sizeof(nlmsghdr);
  Answer answer;
  if (header.nlmsg_type == NLMSG_ERROR) {
    if (end < at + sizeof(nlmsgerr)) return std::nullopt;
    answer.error = -read_at<nlmsgerr>(bytes.data() + at).error;
    return answer;
  }
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;
  for (at += sizeof(unix_diag_msg); at + sizeof(nlattr) <= end;) {
    const auto attribute = read_at<nlattr>(bytes.data() + at);
    const std::size_t payload = at + sizeof attribute;
    if (attribute.nla_len < sizeof attribute || at + attribute.nla_len > end) break;
    if (attribute.nla_type == UNIX_DIAG_PEER && payload + 4 <= end)
      answer.peer = read_at<std::uint32_t>(bytes.data() + payload);
    if (attribute.nla_type == UNIX_DIAG_SHUTDOWN && payload < end) answer.shutdown = bytes[payload];
    at += NLA_ALIGN(attribute.nla_len);
  }
  return answer;
}

}  // namespace umlnet::priv
