#include "libumlnet/core/fd_passing.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace umlnet {
namespace {

#ifndef SCM_PIDFD
constexpr int SCM_PIDFD = 4;  // linux/socket.h, since Linux 6.5
#endif

// The kinds of control message by which the kernel opens descriptors in this process. A holder of a duplicate of the
// socket can ask for the second one (SO_PASSPIDFD).
bool carries_fds(const cmsghdr& header) {
  return header.cmsg_level == SOL_SOCKET && (header.cmsg_type == SCM_RIGHTS || header.cmsg_type == SCM_PIDFD);
}

}  // namespace

Result<void> send_with_fds(int socket, std::string_view bytes, std::span<const int> fds) {
  if (fds.size() > kMaxPassedFds) return fail(Code::bug, "too many fds for one message");
  iovec data{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxPassedFds)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail_errno(Code::reply, errno, "cannot send the reply");
  if (static_cast<std::size_t>(sent) != bytes.size()) return fail(Code::reply, "the reply was sent in part only");
  return {};
}

std::vector<int> numbers_of(std::span<const unique_fd> fds) {
  std::vector<int> numbers;
  numbers.reserve(fds.size());
  for (const auto& fd : fds) numbers.push_back(fd.get());
  return numbers;
}

Result<Message> receive_with_fds(int socket, std::size_t room, Waiting waiting) {
  Message received;
  iovec data{};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxPassedFds)];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = -1;
  // Most messages are much shorter than the room for them, which is not cleared first.
  received.bytes.resize_and_overwrite(room, [&](char* bytes, std::size_t length) {
    data = {.iov_base = bytes, .iov_len = length};
    do {
      size = ::recvmsg(socket, &message, (waiting == Waiting::no ? MSG_DONTWAIT : 0) | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    return static_cast<std::size_t>(std::max<ssize_t>(size, 0));
  });
  if (size < 0) return fail_errno(Code::reply, errno, "cannot receive the reply");
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (!carries_fds(*header)) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      unique_fd owned(fd);
      if (header->cmsg_type == SCM_RIGHTS) received.fds.push_back(std::move(owned));
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0 && received.fds.size() < kMaxPassedFds)
    return fail_errno(Code::reply, EMFILE, "cannot receive the descriptors of the reply");
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return fail(Code::reply, "the reply is larger than any should be");
  return received;
}

}  // namespace umlnet
