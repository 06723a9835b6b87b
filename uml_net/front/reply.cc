#include "uml_net/front/reply.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include "libumlnet/core/fd_passing.h"
#include "libumlnet/core/uml4_frames.h"
#include "uml_net/front/native_answer.h"
#include "uml_net/sys/socket_kind.h"
#include "uml_net/sys/stderr.h"

namespace umlnet {
namespace {

constexpr std::string_view kForManagers =
    "This operation is for VM managers, which set fd 1 up before they start uml_net; see uml_net(8).";

constexpr std::string_view kBridgeHelper =
    "QEMU and libvirt set it up by themselves: -netdev bridge,br=BRIDGE,helper=PATH.";

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(Code::reply, errno, "cannot write the reply");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// To a pipe or a stream socket. A caller that takes it byte by byte is given up, too.
Result<void> write_in_time(int fd, std::string_view bytes) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatience);
  while (!bytes.empty()) {
    if (std::chrono::steady_clock::now() >= deadline) return not_taken();
    if (auto ready = wait_until_writable(fd); !ready) return ready;
    const ssize_t written = write_at_once(fd, bytes);
    if (written < 0 && errno != EINTR && errno != EAGAIN)
      return fail_errno(Code::reply, errno, "cannot write the reply");
    if (written >= 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

bool is_message(ReplyForm form) {
  return form == ReplyForm::datagram || form == ReplyForm::json || form == ReplyForm::bridge;
}

Result<void> deliver(int fd, std::string_view bytes, ReplyForm form, std::span<const int> passed = {}) {
  if (!is_message(form)) return write_in_time(fd, bytes);
  auto sent = send_with_fds(fd, bytes, passed);
  if (sent || sent.error().errnum != EAGAIN) return sent;
  if (auto ready = wait_until_writable(fd); !ready) return ready;
  return send_with_fds(fd, bytes, passed);
}

std::string refusal(ReplyForm form, std::string_view text) {
  switch (form) {
    case ReplyForm::datagram: return uml4::tap_refusal(text);
    case ReplyForm::framed: return uml4::framed_text(text);
    case ReplyForm::control: return uml4::control_opening(false, text);
    case ReplyForm::text:
    case ReplyForm::json:
    case ReplyForm::bridge: break;
  }
  return std::string(text);
}

}  // namespace

Result<void> Reply::check() {
  const FdKind kind = kind_of(fd_);
  if (form_ == ReplyForm::bridge && !kind.is_connected_unix(SOCK_STREAM))
    return fail(Code::bad_channel,
                "the descriptor that --fd names is not an open, connected AF_UNIX stream socket, so there is no way to "
                "hand over a device",
                std::string(kBridgeHelper));
  if (form_ == ReplyForm::datagram && !kind.is_connected_unix(SOCK_DGRAM))
    return fail(Code::bad_channel,
                "fd 1 is not a connected AF_UNIX datagram socket, so there is no way to hand over a device",
                std::string(kForManagers));
  const bool pipe_like = kind.fifo || kind.is_connected_unix(SOCK_STREAM);
  if (form_ == ReplyForm::framed && !(pipe_like && kind.writable))
    return fail(Code::bad_channel, "fd 1 is not a pipe to write the answer to", std::string(kForManagers));
  if (form_ == ReplyForm::json && !kind.is_connected_unix(SOCK_STREAM) && !kind.is_connected_unix(SOCK_SEQPACKET) &&
      !kind.is_connected_unix(SOCK_DGRAM))
    return fail(Code::bad_channel, "fd 1 is not a connected AF_UNIX socket, so there is no way to hand over a device",
                std::string(kForManagers));
  if (form_ == ReplyForm::control && !kind.is_connected_unix(SOCK_STREAM))
    return fail(Code::bad_channel, "fd 1 is not a connected AF_UNIX stream socket, so there is no control stream",
                std::string(kForManagers));
  usable_ = true;
  return {};
}

Result<void> Reply::grant(const Request& request, const Made& made, std::span<const int> fds) {
  const bool hands_over = form_ == ReplyForm::datagram || form_ == ReplyForm::bridge;
  if (hands_over && (!made.has_device || fds.size() != 1)) return fail(Code::bug, "there is no device to hand over");
  switch (form_) {
    case ReplyForm::datagram: {
      const auto device = IfName::parse(made.device);
      if (!device) return fail(Code::bug, "the new device has no name");
      return deliver(fd_, uml4::tap_reply(*device, made.text), form_, fds);
    }
    case ReplyForm::bridge: {
      constexpr char kZero = '\0';
      return deliver(fd_, {&kZero, 1}, form_, fds);
    }
    case ReplyForm::framed: return deliver(fd_, uml4::framed_text(made.text), form_);
    case ReplyForm::control: return deliver(fd_, uml4::control_opening(true, made.text), form_);
    case ReplyForm::json: return deliver(fd_, native5::answer_for(request, made, id_, fds.size()), form_, fds);
    case ReplyForm::text: return write_all(fd_, made.text);
  }
  return fail(Code::bug, "no such form of reply");
}

Result<void> Reply::confirm_reload() { return deliver(fd_, native5::answer_to_reload(id_), form_); }

bool Reply::announce_policy_change() { return send_with_fds(fd_, native5::policy_changed_event(), {}).has_value(); }

int Reply::refuse(const Error& error) {
  const bool answers = usable_ && form_ != ReplyForm::text && form_ != ReplyForm::bridge;
  const auto answer = [&] {
    return form_ == ReplyForm::json ? native5::answer_for(error, id_) : refusal(form_, told(error));
  };
  if (answers && deliver(fd_, answer(), form_)) return exit_status_of(form_, error);
  return give_up(error);
}

int Reply::give_up(const Error& error) {
  if (form_ == ReplyForm::bridge)
    write_to_stderr("uml_net: " + error.one_line() + std::exchange(warnings_, {}) + "\n");
  else
    write_error(error);
  return exit_status_of(form_, error);
}

void Reply::add_warning(const Error& error) {
  if (form_ == ReplyForm::bridge)
    warnings_ += " (And: " + error.one_line() + ")";
  else
    write_error(error);
}

}  // namespace umlnet
