#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "libumlnet/core/fd_passing.h"
#include "libumlnet/core/unique_fd.h"

using namespace umlnet;

TEST_CASE("fd passing: one datagram, its bytes and exactly the fds") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
  const unique_fd ours(ends[0]), theirs(ends[1]);
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const unique_fd read_end(pipe_ends[0]);
  {
    const unique_fd write_end(pipe_ends[1]);
    const int fds[] = {write_end.get()};
    REQUIRE(send_with_fds(ours.get(), "hello", fds));
  }
  char bytes[64], control[256];
  iovec data{bytes, sizeof bytes};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  REQUIRE(::recvmsg(theirs.get(), &message, 0) == 5);
  CHECK(std::string_view(bytes, 5) == "hello");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  REQUIRE(header != nullptr);
  CHECK(header->cmsg_len == CMSG_LEN(sizeof(int)));
  int passed = -1;
  std::memcpy(&passed, CMSG_DATA(header), sizeof passed);
  const unique_fd write_end(passed);
  CHECK(::write(write_end.get(), "x", 1) == 1);
  char byte = 0;
  CHECK(::read(read_end.get(), &byte, 1) == 1);
}

TEST_CASE("fd passing: a full queue and a closed peer are errors, not a wait or a death") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
  const unique_fd ours(ends[0]);
  unique_fd theirs(ends[1]);
  Result<void> sent;
  for (int i = 0; i < 100000 && sent; ++i) sent = send_with_fds(ours.get(), "x", {});
  REQUIRE(!sent);
  CHECK(sent.error().errnum == EAGAIN);
  theirs.reset();
  sent = send_with_fds(ours.get(), "x", {});
  REQUIRE(!sent);
  CHECK(sent.error().code == Code::reply);
}

TEST_CASE("fd passing: received close-on-exec, all of them, and none left open where the message is too large") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
  const unique_fd ours(ends[0]), theirs(ends[1]);
  const auto none = receive_with_fds(theirs.get(), 64);
  REQUIRE_FALSE(none);
  CHECK(none.error().errnum == EAGAIN);

  const int two[] = {ours.get(), ours.get()};
  REQUIRE(send_with_fds(ours.get(), "hello", two));
  {
    const auto received = receive_with_fds(theirs.get(), 64);
    REQUIRE(received);
    CHECK(received->bytes == "hello");
    REQUIRE(received->fds.size() == 2);
    for (const auto& fd : received->fds) CHECK(::fcntl(fd.get(), F_GETFD) == FD_CLOEXEC);
  }

  const unique_fd next_free(::dup(0));
  REQUIRE(send_with_fds(ours.get(), "more than there is room for", two));
  const auto cut = receive_with_fds(theirs.get(), 4);
  REQUIRE_FALSE(cut);
  CHECK(cut.error().errnum == 0);
  const unique_fd after(::dup(0));
  CHECK(after.get() == next_free.get() + 1);
}
