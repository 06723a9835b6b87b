#include "uml_net/recorder/session_files.h"

#include <utility>

#include "policy/policy_files.h"

namespace umlnet {
namespace {

constexpr int kTries = 10;  // while the files of the policy come and go

}  // namespace

Result<SessionFiles> SessionFiles::begin(bool many) {
  auto opener = FileOpener::start(many);
  if (!opener) return std::unexpected(std::move(opener.error()));
  return SessionFiles(*std::move(opener));
}

Result<void> SessionFiles::prepare(audit::Log& log, std::vector<unique_fd>& tuns, unsigned wanted) {
  const auto moved = opener_.open(tuns, wanted, log.fd());
  if (!moved) return std::unexpected(moved.error());
  return *moved ? log.move_to(**moved) : Result<void>();
}

Result<void> SessionFiles::follow(audit::Log& log) {
  std::vector<unique_fd> none;
  return prepare(log, none, 0);
}

Result<void> SessionFiles::check_policy() const {
  if (!opener_.policy_has_changed()) return {};
  return fail(Code::policy_changed, "the policy changed since this session read it",
              "The record \"reload\" takes the new policy; the session's devices stay.");
}

Result<std::vector<policy::PolicyText>> SessionFiles::read_policy() {
  std::vector<policy::PolicyText> texts;
  for (;;) {
    auto file = opener_.policy_file(static_cast<unsigned>(texts.size()));
    if (!file) return std::unexpected(std::move(file.error()));
    if (!*file) return texts;
    auto text = policy::read_policy_file((*file)->fd.get(), (*file)->path);
    if (!text) return std::unexpected(std::move(text.error()));
    texts.push_back(*std::move(text));
  }
}

// What the opener remembers is at all times what `policy` was read from, also where the files were changed between the
// reading of two of them: then they are not what the opener sees, and nothing is granted.
Result<void> SessionFiles::reload(policy::Policy& policy, const policy::Accounts& accounts, audit::Log& log) {
  for (int tries = 0; tries < kTries; ++tries) {
    const auto texts = read_policy();
    if (!texts) return std::unexpected(texts.error());
    auto loaded = policy::load(*texts, accounts);
    if (!loaded) return std::unexpected(std::move(loaded.error()));
    if (auto kept = opener_.remember(*texts); !kept) return kept;
    policy = *std::move(loaded);
    if (auto followed = follow(log); !followed) return followed;
    if (!opener_.policy_has_changed()) return {};
  }
  return fail(Code::busy, "the policy is being changed without a pause", "Try again.");
}

}  // namespace umlnet
