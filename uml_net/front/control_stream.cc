// The control stream of an ethertap session: whole records in, whole answers out, one at a time.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <optional>
#include <string>

#include "libumlnet/core/uml4_control.h"
#include "libumlnet/core/uml4_frames.h"
#include "uml_net/front/serve_caller.h"
#include "uml_net/sys/stderr.h"

namespace umlnet {
namespace {

constexpr int kControl = STDOUT_FILENO;

// What the guest is answered; nothing where the executor is gone.
std::optional<std::string> answer_of(Conversation& conversation, const uml4::ControlRecord& record,
                                     const IfName& device) {
  const auto request = uml4::request_of(record, device);
  Said said{.what = request ? Says::request : Says::not_understood};
  if (request) said.request = encode(*request);
  if (!request) said.has_error = 1, said.error = encode(request.error());
  const auto answer = send(conversation.channel(), said) ? conversation.next() : std::nullopt;
  if (!answer) return std::nullopt;
  const Told& told = answer->told;
  if (told.what == Tells::granted) return told.made.text;
  if (told.what != Tells::refused || (request && !told.error)) return std::nullopt;
  return umlnet::told(told.error ? *told.error : request.error());
}

// While an answer waits for room no record is read, so that a guest that does not read its answers holds up nobody but
// itself.
class ControlStream {
 public:
  enum class Moved { on, end, executor_gone };

  short wants() const { return out_.empty() ? POLLIN : POLLOUT; }

  // Moves what can be moved. At the end of the stream failure() says where that is not the guest's doing.
  Moved move(Conversation& conversation, const IfName& device) {
    if (!out_.empty()) return send_some();
    const auto room = in_.room();
    const ssize_t size = ::recv(kControl, room.data(), room.size(), MSG_DONTWAIT);
    if (size < 0) return goes_on("cannot read from the control stream");
    if (size == 0) return Moved::end;
    in_.took(static_cast<std::size_t>(size));
    if (const auto record = in_.take()) {
      const auto answer = answer_of(conversation, *record, device);
      if (!answer) return Moved::executor_gone;
      out_ = uml4::framed_text(*answer);
      return send_some();
    }
    return Moved::on;
  }

  const std::optional<Error>& failure() const { return failure_; }

 private:
  Moved goes_on(const char* doing) {
    if (errno == EAGAIN || errno == EINTR) return Moved::on;
    if (errno != EPIPE && errno != ECONNRESET) failure_ = Error{Code::reply, errno, doing, {}};
    return Moved::end;
  }

  Moved send_some() {
    const ssize_t size = ::send(kControl, out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0) return goes_on("cannot answer on the control stream");
    out_.erase(0, static_cast<std::size_t>(size));
    return Moved::on;
  }

  uml4::ControlRecordReader in_;
  std::string out_;
  std::optional<Error> failure_;
};

}  // namespace

std::optional<int> serve_control_stream(Conversation& conversation, const IfName& device) {
  ControlStream control;
  for (;;) {
    pollfd fds[] = {{.fd = kControl, .events = control.wants(), .revents = 0},
                    {.fd = conversation.channel(), .events = POLLIN, .revents = 0}};
    const int ready = ::poll(fds, std::size(fds), -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0)
      return conversation.end(SessionEnd::waiting_failed, Error{Code::kernel, errno, "cannot wait for the guest", {}});
    if (fds[1].revents != 0) {
      const auto message = receive_told(conversation.channel());
      if (!message) return std::nullopt;
      if (!conversation.take_unasked(message->told)) return conversation.end_status();
      continue;
    }
    if ((fds[0].revents & POLLIN) == 0 && (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
      return conversation.end(SessionEnd::control_closed, std::nullopt);
    if (fds[0].revents == 0) continue;
    switch (control.move(conversation, device)) {
      case ControlStream::Moved::on: break;
      case ControlStream::Moved::executor_gone: return conversation.end_status();
      case ControlStream::Moved::end:
        return conversation.end(control.failure() ? SessionEnd::control_failed : SessionEnd::control_closed,
                                control.failure());
    }
  }
}

}  // namespace umlnet
