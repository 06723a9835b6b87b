#include "libumlnet/client/native_session.h"

#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "libumlnet/client/off_stdio.h"
#include "libumlnet/core/native5_arguments.h"

namespace umlnet::client {

Outcome<std::unique_ptr<NativeSession>> NativeSession::open(const Helper& helper) {
  const std::string what = "open a session";
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return failed_errno(errno, "cannot " + what);
  unique_fd ours(pair[0]), theirs(pair[1]);
  auto run = HelperRun::start(helper.path(), {"5", "session"}, theirs.get());
  if (!run) return std::unexpected(std::move(run.error()));
  theirs.reset();
  std::unique_ptr<NativeSession> session(new NativeSession(helper, *std::move(run), off_stdio(std::move(ours))));

  auto first = session->receive(what, helper.deadline());
  if (!first) {
    // One that ends before it has said a word has refused.
    if (first.error().code == UMLNET_CLOSED) first.error().code = UMLNET_REFUSED;
    return std::unexpected(std::move(first.error()));
  }
  const auto parsed = as_granted(*first, what);
  if (!parsed) return std::unexpected(parsed.error());
  const auto* welcome = std::get_if<NativeWelcome>(&*parsed);
  if (welcome == nullptr || !first->fds.empty())
    return failed(UMLNET_PROTOCOL, "cannot " + what + ": the helper answers another request");
  for (const auto& note : welcome->notes) session->text_ += note + "\n";
  return session;
}

Outcome<Message> NativeSession::receive(const std::string& what, const Deadline& until) {
  const std::string doing = "cannot " + what;
  if (run_.wait(socket_.get(), until) == HelperRun::Event::deadline) {
    socket_.reset();  // an answer that comes later would be taken for the next one's
    return std::unexpected(run_.hung(doing));
  }
  // Where the helper has ended, what it has said before is there still.
  auto received = receive_with_fds(socket_.get(), kMaxNativeReply);
  if (received && !received->bytes.empty()) return *std::move(received);
  // It was taken, and only its descriptors were not: the next message answers the next request.
  if (!received && received.error().errnum == EMFILE) return failed_by(UMLNET_SYSTEM, received.error());
  socket_.reset();
  if (!received && received.error().errnum == 0) return failed(UMLNET_PROTOCOL, doing + ": " + received.error().line());
  if (!received && received.error().errnum != EAGAIN && received.error().errnum != ECONNRESET)
    return failed_by(UMLNET_SYSTEM, received.error());
  if (!run_.succeeded(helper_.deadline())) return std::unexpected(run_.hung(doing));
  return std::unexpected(run_.failure(UMLNET_CLOSED, doing));
}

Outcome<Message> NativeSession::ask(std::span<const std::string> words, int netns, const std::string& what) {
  const std::string doing = "cannot " + what;
  if (!socket_) return failed(UMLNET_CLOSED, doing + ": the session is over; open another one");
  const int fds[] = {netns};
  const auto sent = send_with_fds(socket_.get(), native5::to_record(words), {fds, netns >= 0 ? 1U : 0U});
  // A helper that is gone is told of by what it has left: its last message, or its status.
  if (!sent && sent.error().errnum != EPIPE && sent.error().errnum != ECONNRESET)
    return failed_errno(sent.error().errnum, doing + ": cannot send the request");
  return receive(what, helper_.deadline());
}

template <class T>
Outcome<T> NativeSession::kept(Outcome<T> outcome) {
  if (!outcome && outcome.error().code == UMLNET_PROTOCOL) socket_.reset();
  return outcome;
}

Outcome<OpenedDevice> NativeSession::open_device(const DeviceRequest& request) {
  constexpr int kNetns = 0;  // the first descriptor of the record
  const std::scoped_lock lock(mutex_);
  auto reply = ask(request.words(kNetns), request.netns(), request.what());
  if (!reply) return std::unexpected(std::move(reply.error()));
  return kept(as_opened(*std::move(reply), request));
}

Outcome<std::string> NativeSession::remove_device(const IfName& device) {
  const std::scoped_lock lock(mutex_);
  auto reply = ask(native5::words_of(RemoveInterface{device}), -1, "remove " + device.str());
  if (!reply) return std::unexpected(std::move(reply.error()));
  return kept(as_removed(*reply, device));
}

Outcome<std::string> NativeSession::reload() {
  const std::scoped_lock lock(mutex_);
  const std::string words[] = {"reload"};
  auto reply = ask(words, -1, kReloadWords);
  if (!reply) return std::unexpected(std::move(reply.error()));
  return kept(as_reloaded(*reply));
}

Outcome<void> NativeSession::close() {
  const std::scoped_lock lock(mutex_);
  if (is_closed_) return {};
  is_closed_ = true;
  // Closing alone would not do: a child that the host program has forked has a copy.
  if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
  socket_.reset();
  const std::string doing = "cannot end the session in order";
  const auto good = run_.succeeded(helper_.deadline());
  if (!good) return std::unexpected(run_.hung(doing));
  if (!*good) return std::unexpected(run_.failure(UMLNET_SYSTEM, doing));
  return {};
}

}  // namespace umlnet::client
