#include "uml_net/recorder/pinned.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "uml_net/filters/fd_numbers.h"
#include "uml_net/filters/filters.h"

namespace umlnet {
namespace {

using filters::Word;

constexpr std::uint64_t kNoLinks = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr std::uint32_t kNoDescriptor = UINT32_MAX;

std::uint32_t upper_half(const void* address) {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(address) >> 32);
}
std::uint32_t lower_half(const void* address) {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(address));
}

}  // namespace

constexpr Pinned kPinned = {
    .tun = PinnedPath<size_of_path("/dev/net/tun")>("/dev/net/tun"),
    .log = PinnedPath<size_of_path(policy::kAuditLog)>(policy::kAuditLog),
    .policy_root = PinnedPath<size_of_path(policy::kPolicyRoot)>(policy::kPolicyRoot),
    .policy_directory = PinnedPath<size_of_path(policy::kPolicyDirectory)>(policy::kPolicyDirectory),
    .tun_how = {.flags = O_RDWR | O_CLOEXEC, .mode = 0, .resolve = 0},
    .log_how = {.flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, .mode = 0, .resolve = kNoLinks},
    .root_how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .mode = 0, .resolve = kNoLinks},
    .directory_how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .mode = 0, .resolve = kNoLinks},
    .file_how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                 .mode = 0,
                 .resolve = RESOLVE_BENEATH | kNoLinks},
};

unique_fd open_pinned(const char* path, const open_how& how) {
  return unique_fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how)));
}

Result<void> enter_recorder_filter(const RecorderPowers& powers) {
  std::vector<filters::PatchedWord> words = {
      {Word::upper_half, upper_half(&kPinned)},
      {Word::log_path, lower_half(&kPinned.log)},
      {Word::log_how, lower_half(&kPinned.log_how)},
      {Word::locked_file, static_cast<std::uint32_t>(powers.has_counters ? fd_number::kCounters : fd_number::kLog)},
      {Word::journal, powers.has_journal ? std::uint32_t{fd_number::kJournal} : kNoDescriptor},
  };
  if (!powers.reads_policy) return filters::enter(filters::kRecorderWithoutPolicy, words);
  words.insert(words.end(), {{Word::policy_root, lower_half(&kPinned.policy_root)},
                             {Word::root_how, lower_half(&kPinned.root_how)},
                             {Word::policy_directory, lower_half(&kPinned.policy_directory)},
                             {Word::directory_how, lower_half(&kPinned.directory_how)},
                             {Word::file_how, lower_half(&kPinned.file_how)}});
  if (!powers.opens_tun) return filters::enter(filters::kRecorder, words);
  words.insert(words.end(),
               {{Word::tun_path, lower_half(&kPinned.tun)}, {Word::tun_how, lower_half(&kPinned.tun_how)}});
  return filters::enter(filters::kRecorderWithTun, words);
}

}  // namespace umlnet
