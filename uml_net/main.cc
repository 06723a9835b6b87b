// uml_net: one call, in the order in which it happens. Each step is one function of the file that is named for it.
//
//   executor  argv -> peek -> inputs of the installation -> the caller's identity        -> decide -> change -> audit
//   log front             fork -> the caller's identity -> arguments -> request, fixed size ->                  ->
//   reply
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

// Nothing where the installation has no CAP_NET_RAW, or no process can be had: then the answer says so.
std::optional<Announcer> start_announcer() {
  const auto packets = priv::open_packet_socket();
  if (!packets) return std::nullopt;
  auto started = Announcer::start(packets->get());
  return started ? std::optional(*std::move(started)) : std::nullopt;
}

int help(const Peek& peeked, std::string_view word) {
  const auto caller = drop_privileges();
  if (caller || caller.error().code == Code::not_privileged) return print_help(word);
  return give_up(caller.error(), peeked);
}

// What is left once the front speaks to the caller. The result is the exit status.
int run_executor(int argc, const char* const* argv, const Peek& peeked, unique_fd named, FrontLink& front,
                 std::chrono::steady_clock::time_point started) {
  const auto silent = let_go_of_stdio();

  // 3. What needs the identity of the installation is opened with it, and is the same for all requests of a kind.
  // Processes first: until one has had its turn it has copies of what was open when it was made.
  std::optional<Result<SessionFiles>> roots;
  if (peeked.needs_opener()) roots = SessionFiles::begin(!peeked.is_ethertap);
  auto announcer = peeked.may_publish ? start_announcer() : std::nullopt;
  auto inputs = open_trusted_inputs();

  // 4. Then the process is its caller, for good. CAP_NET_ADMIN stays permitted, and is not in effect.
  auto caller = drop_privileges();
  if (!silent && caller) caller = std::unexpected(silent.error());
  const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  Startup startup{
      peeked,    std::move(named), std::move(inputs), std::move(roots), std::move(announcer), std::move(caller),
      arguments, started};
  return execute_call(startup, front);
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
    front.refuse({Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."});
    return front.end();
  }
}

}  // namespace
}  // namespace umlnet

int main(int argc, char** argv) try { return umlnet::serve(argc, argv); } catch (const std::exception& exception) {
  return umlnet::give_up(
      {umlnet::Code::bug, 0, std::string("uml_net failed: ") + exception.what(), "Nothing was granted."});
}
