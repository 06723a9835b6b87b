// uml_net: one call, in the order in which it happens. Each step is one function of the file that is named for it.
//
//   executor  argv -> peek -> policy -> the caller's identity      -> decide -> intent  -> change -> reply -> result
//   front             fork -> arguments -> request, of fixed size ->                                 reply
//   recorder                  fork -> log, counters                            on record                     on record
#include <unistd.h>

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "uml_net/executor/executor.h"
#include "uml_net/executor/front_link.h"
#include "uml_net/front/front.h"
#include "uml_net/recorder/recorder.h"
#include "uml_net/startup/help.h"
#include "uml_net/startup/identity.h"
#include "uml_net/startup/peek.h"
#include "uml_net/startup/startup.h"
#include "uml_net/startup/trusted_inputs.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/stderr.h"
#include "uml_net/worker/announcer.h"

namespace umlnet {
namespace {

// Where nobody is there yet who could answer as the protocol wants.
int give_up(const Error& error, const Peek& peeked = {}) {
  if (peeked.is_bridge) {
    write_to_stderr("uml_net: " + error.one_line() + "\n");
    return 1;
  }
  write_error(error);
  return exit_status_of(error.code);
}

int help(const Peek& peeked, std::string_view word) {
  const auto dropped = drop_privileges();
  if (dropped || dropped.error().code == Code::not_privileged) return print_help(word);
  return give_up(dropped.error(), peeked);
}

// What is left once the front speaks to the caller. The result is the exit status.
int run_executor(int argc, const char* const* argv, const Peek& peeked, unique_fd named, FrontLink& front,
                 std::chrono::steady_clock::time_point started) {
  if (auto silent = let_go_of_stdio(); !silent) return front.refuse_call(silent.error());
  auto caller = read_caller();
  if (!caller) return front.refuse_call(caller.error());

  // 3. What needs the identity of the installation is done with it, and is the same for all requests of a kind.
  // Processes are made before /dev/net/tun is open: until one has had its turn it has copies of what was open.
  auto inputs = read_trusted_inputs();
  if (inputs.accounts) caller->user = inputs.accounts->name_of(caller->uid);
  const auto id = random_id();
  if (!id) return front.refuse_call(id.error());
  const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  auto recorder = start_recorder({.caller = *caller,
                                  .id = *id,
                                  .arguments = arguments,
                                  .started = started,
                                  .accounts = inputs.accounts,
                                  .policy = inputs.policy,
                                  .policy_read_at = inputs.read_at,
                                  .is_lasting = peeked.is_lasting(),
                                  .opens_tun = peeked.is_session || peeked.has_several_queues});
  if (!recorder) return front.refuse_call(recorder.error());
  auto announcer = peeked.may_publish ? Announcer::start() : std::nullopt;
  auto tun = open_tun();

  // 4. Then the process is its caller, for good. CAP_NET_ADMIN stays permitted, and is not in effect.
  if (auto dropped = drop_privileges(); !dropped) return front.refuse_call(dropped.error());
  RecorderLink link(*std::move(recorder), *id);
  Startup startup{peeked,         std::move(named),   std::move(inputs),
                  std::move(tun), *std::move(caller), std::move(announcer)};
  const int status = execute_call(startup, front, link);
  link.end();  // so that nobody else has a process to wait for
  return status;
}

int serve(int argc, const char* const* argv) {
  const auto started = std::chrono::steady_clock::now();

  // 1. Nothing of the caller's arrangements stays in force but what the request names, and no capability is in effect.
  const Peek peeked = peek(argc, argv);
  if (auto lowered = priv::clear_effective_caps(peeked.may_publish); !lowered) return give_up(lowered.error(), peeked);
  auto named = sanitize_environment(peeked.descriptor);
  if (!named) return give_up(named.error(), peeked);
  if (peeked.is_help) return help(peeked, argv[1]);

  // 2. The front takes over what speaks to the caller, before any of the installation's files is open.
  if (auto kept = keep_words_out_of_the_log(); !kept) return give_up(kept.error(), peeked);
  auto process = start_front(argc, argv, named->get());
  if (!process) return give_up(process.error(), peeked);
  FrontLink front(*std::move(process));
  try {
    return run_executor(argc, argv, peeked, *std::move(named), front, started);
  } catch (const std::exception& exception) {  // for want of memory, and before there is a line in the log
    return front.refuse_call(
        {Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."});
  }
}

}  // namespace
}  // namespace umlnet

int main(int argc, char** argv) try { return umlnet::serve(argc, argv); } catch (const std::exception& exception) {
  return umlnet::give_up(
      {umlnet::Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."});
}
