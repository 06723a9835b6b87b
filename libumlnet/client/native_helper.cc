#include "libumlnet/client/native_helper.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "libumlnet/client/helper_run.h"
#include "libumlnet/client/off_stdio.h"
#include "libumlnet/core/native5_arguments.h"
#include "libumlnet/core/uml4_frames.h"

namespace umlnet::client {
namespace {

std::unexpected<Failure> no_answer(const std::string& doing, const std::string& why) {
  return failed(UMLNET_PROTOCOL, "cannot " + doing + ": " + why);
}

std::string remove_words(const IfName& device) { return "remove " + device.str(); }

// One call, and the one message that it is answered with.
Outcome<Message> ask(const Helper& helper, std::vector<std::string> words, int netns, const std::string& what) {
  const std::string doing = "cannot " + what;
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return failed_errno(errno, doing);
  const unique_fd ours(pair[0]);
  unique_fd theirs(pair[1]);
  words.insert(words.begin(), "5");
  auto run = HelperRun::start(helper.path(), std::move(words), theirs.get(), netns);
  if (!run) return std::unexpected(std::move(run.error()));
  theirs.reset();

  const Deadline until = helper.deadline();
  Message reply;
  if (run->wait(ours.get(), until) == HelperRun::Event::readable) {
    auto received = receive_with_fds(ours.get(), kMaxNativeReply);
    if (received)
      reply = *std::move(received);
    else if (const int error = received.error().errnum; error == 0)
      return no_answer(what, received.error().line());
    else if (error != EAGAIN && error != ECONNRESET)
      return failed_by(UMLNET_SYSTEM, received.error());
  }
  const auto good = run->succeeded(until);
  if (!good) return std::unexpected(run->hung(doing));
  // It ended without an answer: what it has to say stands on its stderr.
  if (reply.bytes.empty()) return std::unexpected(run->failure(UMLNET_REFUSED, doing));
  return reply;
}

}  // namespace

Outcome<NativeReply> as_granted(const Message& reply, const std::string& doing) {
  auto parsed = parse_native_reply(reply.bytes);
  if (!parsed) {
    auto failure = no_answer(doing, parsed.error().line());
    // What is no JSON may be the words of a helper that does not speak this protocol.
    if (!reply.bytes.starts_with('{')) failure.error().helper = uml4::decode_text(reply.bytes);
    return failure;
  }
  const auto* refusal = std::get_if<Error>(&*parsed);
  if (refusal == nullptr) return *std::move(parsed);
  return std::unexpected(Failure{.code = UMLNET_REFUSED,
                                 .errnum = refusal->errnum,
                                 .exit_status = exit_status_of(refusal->code),
                                 .message = "cannot " + doing + ": " + refusal->what,
                                 .helper = Error{refusal->code, 0, refusal->what, refusal->advice}.text()});
}

Outcome<OpenedDevice> as_opened(Message reply, const DeviceRequest& request) {
  const std::string doing = request.what();
  auto parsed = as_granted(reply, doing);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  auto* made = std::get_if<NativeDevice>(&*parsed);
  if (made == nullptr) return no_answer(doing, "the helper answers another request");
  const OpenInterface& wanted = request.wanted();
  if (wanted.device && made->device != *wanted.device)
    return no_answer(doing, "the helper has made " + made->device.str());
  if (made->queues != wanted.queues || made->sealed != wanted.sealed || made->virtio_headers != wanted.virtio_headers)
    return no_answer(doing, "the helper has made something else than was asked for");
  if (reply.fds.size() != made->fds)
    return no_answer(doing, "the helper speaks of " + std::to_string(made->fds) + " descriptors, and sent " +
                                std::to_string(reply.fds.size()));
  OpenedDevice opened{.made = std::move(*made), .fds = {}};
  for (auto& fd : reply.fds) {
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
    opened.fds.push_back(off_stdio(std::move(fd)));
  }
  return opened;
}

Outcome<std::string> as_removed(const Message& reply, const IfName& device) {
  const std::string doing = remove_words(device);
  const auto parsed = as_granted(reply, doing);
  if (!parsed) return std::unexpected(parsed.error());
  const auto* removal = std::get_if<NativeRemoval>(&*parsed);
  if (removal == nullptr || removal->device != device.str() || !reply.fds.empty())
    return no_answer(doing, "the helper answers another request");
  std::string text = device.str() + " removed\n";
  for (const auto& note : removal->notes) text += note + "\n";
  return text;
}

Outcome<std::string> as_reloaded(const Message& reply) {
  const std::string doing = kReloadWords;
  const auto parsed = as_granted(reply, doing);
  if (!parsed) return std::unexpected(parsed.error());
  const auto* reload = std::get_if<NativeReload>(&*parsed);
  if (reload == nullptr || !reply.fds.empty()) return no_answer(doing, "the helper answers another request");
  std::string text;
  for (const auto& note : reload->notes) text += note + "\n";
  return text;
}

Outcome<OpenedDevice> open_device(const Helper& helper, const DeviceRequest& request) {
  constexpr int kNetns = 3;  // where HelperRun puts it
  auto reply = ask(helper, request.words(kNetns), request.netns(), request.what());
  if (!reply) return std::unexpected(std::move(reply.error()));
  return as_opened(*std::move(reply), request);
}

Outcome<std::string> remove_device(const Helper& helper, const IfName& device) {
  auto reply = ask(helper, native5::words_of(RemoveInterface{device}), -1, remove_words(device));
  if (!reply) return std::unexpected(std::move(reply.error()));
  return as_removed(*reply, device);
}

}  // namespace umlnet::client
