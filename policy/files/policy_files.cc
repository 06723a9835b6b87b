#include "policy/files/policy_files.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "policy/location.h"

namespace umlnet::policy {
namespace {

constexpr std::size_t kMaxAccounts = 16777216;  // bytes
constexpr int kPolicyTries = 10;

struct Read {
  unique_fd fd;
  struct stat status;
};

// All files of the policy that are there, in order; nothing where one of `paths` after the first went away meanwhile.
Result<std::optional<std::vector<PolicyText>>> read_files(const std::vector<std::string>& paths, TrustedPlaces& places,
                                                          std::vector<Read>& read) {
  std::vector<PolicyText> texts;
  read.clear();
  for (const auto& path : paths) {
    auto file = places.open(path);
    if (!file) return std::unexpected(std::move(file.error()));
    if (!*file && path != paths.front()) return std::nullopt;
    if (!*file) continue;
    struct stat status{};
    auto text = read_whole((*file)->get(), path, kMaxFileSize, &status);
    if (!text) return std::unexpected(std::move(text.error()));
    texts.push_back({path, *std::move(text)});
    read.push_back({**std::move(file), status});
  }
  return texts;
}

}  // namespace

// A drop-in that is put in place or renamed while the directory is listed could be missed, and with it a rule that
// denies: so what was read counts only if the directory has the same names afterwards.
Result<std::vector<PolicyText>> read_policy_files(TrustedPlaces& places, const KeepFile& keep) {
  for (int tries = 0; tries < kPolicyTries; ++tries) {
    if (tries > 0) places = TrustedPlaces();
    const auto names = places.list(kPolicyDirectory, ".json");
    if (!names) return std::unexpected(names.error());
    std::vector<std::string> paths = {kPolicyFile};
    for (const auto& name : *names) paths.push_back(std::string(kPolicyDirectory) + "/" + name);
    std::vector<Read> read;
    auto texts = read_files(paths, places, read);
    if (!texts) return std::unexpected(std::move(texts.error()));
    const auto after = places.list(kPolicyDirectory, ".json");
    if (!after) return std::unexpected(after.error());
    if (!*texts || *after != *names) continue;
    if (keep)
      for (auto& file : read) keep(std::move(file.fd), file.status);
    return **std::move(texts);
  }
  return fail(Code::bad_policy, std::string(kPolicyDirectory) + " is being changed without a pause",
              "Nobody is granted anything until it stays as it is for a moment.");
}

Result<PolicyText> read_policy_file(int fd, const std::string& path) {
  if (auto trusted = check_trusted_file(fd, path); !trusted) return std::unexpected(std::move(trusted.error()));
  auto text = read_whole(fd, path, kMaxFileSize);
  if (!text) return std::unexpected(std::move(text.error()));
  return PolicyText{path, *std::move(text)};
}

namespace {

Result<std::string> read_account_file(const std::string& path, TrustedPlaces& places) {
  auto file = places.open(path);
  if (!file) return std::unexpected(std::move(file.error()));
  if (!*file) return std::string();
  return read_whole((*file)->get(), path, kMaxAccounts);
}

}  // namespace

Result<std::string> read_account_file(const std::string& path) {
  TrustedPlaces places;
  return read_account_file(path, places);
}

Result<Accounts> read_accounts(TrustedPlaces& places) {
  auto passwd = read_account_file(kPasswdFile, places);
  if (!passwd) return std::unexpected(std::move(passwd.error()));
  auto group = read_account_file(kGroupFile, places);
  if (!group) return std::unexpected(std::move(group.error()));
  return Accounts(*std::move(passwd), *std::move(group));
}

}  // namespace umlnet::policy
