#include "uml_net/session_roots.h"

namespace umlnet {

Result<SessionRoots> SessionRoots::begin(bool many) {
  auto opener = TrustedOpener::start();
  if (!opener) return std::unexpected(std::move(opener.error()));
  auto watch = opener->begin(many);
  if (!watch) return std::unexpected(std::move(watch.error()));
  return SessionRoots(*std::move(opener), *std::move(watch));
}

Result<void> SessionRoots::prepare(audit::Log& log, std::vector<unique_fd>& tuns, unsigned wanted) {
  const auto moved = opener_.open(tuns, wanted, log.fd(), watch_);
  if (!moved) return std::unexpected(moved.error());
  return *moved ? log.move_to(**moved) : Result<void>();
}

Result<void> SessionRoots::follow(audit::Log& log) {
  std::vector<unique_fd> none;
  return prepare(log, none, 0);
}

Result<void> SessionRoots::check_policy() {
  if (!opener_.policy_has_changed() && !watch_.policy_has_changed()) return {};
  return fail(Code::denied, "the policy has changed since this session began",
              "Begin a new session for what is asked for from here on; what this one made stays until it ends.");
}

}  // namespace umlnet
