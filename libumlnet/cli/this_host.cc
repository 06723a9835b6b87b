#include "libumlnet/cli/this_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>

#include "libumlnet/cli/network_state.h"
#include "libumlnet/cli/policy_review.h"
#include "libumlnet/cli/words.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostRead = 1048576;    // bytes of a file
constexpr std::size_t kMostOutput = 8388608;  // bytes of what a program says: a ruleset can be long
constexpr std::chrono::seconds kPatience{5};  // for a program
constexpr const char* kAdministrators = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";

std::optional<std::string> find_in(const std::string& directories, const std::string& name) {
  for (const auto& directory : split(directories, ':')) {
    // An empty part means the current directory; no program of the host's is looked for there.
    if (!directory.starts_with('/')) continue;
    auto path = std::string(directory).append("/").append(name);
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return std::nullopt;
}

struct Pipe {
  unique_fd read, write;

  static Result<Pipe> open() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return fail_errno(Code::kernel, errno, "cannot make a pipe");
    return Pipe{unique_fd(fds[0]), unique_fd(fds[1])};
  }
};

// The program's first words are its path. With the environment of this process, but for the language of messages.
Result<pid_t> spawn(const std::vector<std::string>& words, int out, int err) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  char language[] = "LC_ALL=C";
  std::vector<char*> variables = {language};
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!std::string_view(*variable).starts_with("LC_ALL=")) variables.push_back(*variable);
  variables.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), variables.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno(Code::kernel, error, "cannot start " + words[0]);
  return pid;
}

// Whether both pipes came to their end in time.
bool gather(const Pipe& out, const Pipe& err, ProgramOutput& output) {
  const auto deadline = Clock::now() + kPatience;
  pollfd polls[] = {{.fd = out.read.get(), .events = POLLIN, .revents = 0},
                    {.fd = err.read.get(), .events = POLLIN, .revents = 0}};
  std::string* const texts[] = {&output.out, &output.err};
  while (polls[0].fd >= 0 || polls[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    if (::poll(polls, 2, static_cast<int>(left)) < 0 && errno != EINTR) return false;
    for (std::size_t i = 0; i < 2; ++i) {
      if (polls[i].fd < 0 || polls[i].revents == 0) continue;
      char block[16384];
      const ssize_t size = ::read(polls[i].fd, block, sizeof block);
      if (size <= 0) {
        polls[i].fd = -1;
        continue;
      }
      texts[i]->append(block, static_cast<std::size_t>(size));
      if (texts[i]->size() > kMostOutput) return false;
    }
  }
  return true;
}

Result<ProgramOutput> run_program(const std::vector<std::string>& words) {
  auto out = Pipe::open();
  auto err = Pipe::open();
  if (!out || !err) return std::unexpected(out ? err.error() : out.error());
  const auto pid = spawn(words, out->write.get(), err->write.get());
  if (!pid) return std::unexpected(pid.error());
  out->write.reset();
  err->write.reset();
  ProgramOutput output;
  const bool in_time = gather(*out, *err, output);
  if (!in_time) ::kill(*pid, SIGKILL);  // its real uid is ours, whatever privilege it has
  out->read.reset();
  err->read.reset();
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) return fail(Code::kernel, words[0] + " gives no answer");
  output.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return output;
}

}  // namespace

policy::Caller ThisHost::viewer() const {
  policy::Caller caller = this_process();
  if (const auto known = accounts()) caller.user = known->accounts.name_of(caller.uid);
  return caller;
}

Result<KnownAccounts> ThisHost::accounts() const {
  if (!accounts_) accounts_ = read_known_accounts();
  return *accounts_;
}

Result<FileFacts> ThisHost::look_at(const std::string& path) const {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return fail_errno(Code::kernel, errno, path);
  return FileFacts{.mode = status.st_mode,
                   .uid = status.st_uid,
                   .gid = status.st_gid,
                   .links = status.st_nlink,
                   .device = status.st_rdev};
}

Result<FilesystemFacts> ThisHost::filesystem_of(const std::string& path) const {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0)
    return fail_errno(Code::kernel, errno, "cannot look at the file system of " + path);
  return FilesystemFacts{.nosuid = (status.f_flag & ST_NOSUID) != 0,
                         .read_only = (status.f_flag & ST_RDONLY) != 0,
                         .free = std::uint64_t{status.f_bfree} * status.f_frsize};
}

std::string ThisHost::capability_attribute(const std::string& path) const {
  char value[64];
  const ssize_t size = ::lgetxattr(path.c_str(), "security.capability", value, sizeof value);
  return size > 0 ? std::string(value, static_cast<std::size_t>(size)) : "";
}

bool ThisHost::may_execute(const std::string& path) const { return ::access(path.c_str(), X_OK) == 0; }

int ThisHost::error_of_opening(const std::string& path) const {
  const unique_fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  return fd ? 0 : errno;
}

Result<std::string> ThisHost::read(const std::string& path) const {
  const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail_errno(Code::kernel, errno, "cannot open " + path);
  std::string text;
  char block[16384];
  ssize_t size = 0;
  while (text.size() < kMostRead && (size = ::read(fd.get(), block, sizeof block)) > 0)
    text.append(block, static_cast<std::size_t>(size));
  if (size < 0) return fail_errno(Code::kernel, errno, "cannot read " + path);
  return text;
}

std::vector<std::string> ThisHost::list(const std::string& directory) const {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(directory.c_str()), ::closedir);
  if (!opened) return names;
  while (const dirent* entry = ::readdir(opened.get()))
    if (const std::string name = entry->d_name; !name.starts_with('.')) names.push_back(name);
  std::ranges::sort(names);
  return names;
}

bool ThisHost::same_file(const std::string& one, const std::string& other) const {
  struct stat first{}, second{};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

std::optional<std::string> ThisHost::find_in_path(const std::string& name) const {
  const char* path = ::secure_getenv("PATH");
  return find_in(path != nullptr ? path : "", name);
}

std::optional<std::string> ThisHost::find_program(const std::string& name) const {
  auto found = find_in_path(name);
  return found ? found : find_in(kAdministrators, name);
}

Result<ProgramOutput> ThisHost::run(const std::vector<std::string>& words) const {
  auto known = outputs_.find(words);
  if (known == outputs_.end()) known = outputs_.emplace(words, run_program(words)).first;
  return known->second;
}

bool ThisHost::is_running(const std::string& name) const {
  for (const auto& process : list("/proc")) {
    if (process[0] < '0' || process[0] > '9') continue;
    const auto comm = read("/proc/" + process + "/comm");
    if (comm && *comm == name + "\n") return true;
  }
  return false;
}

Result<policy::HostState> ThisHost::network() const {
  if (network_) return *network_;
  auto state = read_network_state();
  if (!state) return *(network_ = fail(Code::kernel, state.error().text));
  const auto forwarding = read("/proc/sys/net/ipv4/ip_forward");
  state->all.forwarding = forwarding && forwarding->starts_with('1');
  network_ = *std::move(state);
  return *network_;
}

Result<PolicyFacts> ThisHost::policy() const {
  const auto read_it = [&]() -> Result<PolicyFacts> {
    const auto known = accounts();
    if (!known) return std::unexpected(known.error());
    const auto texts = read_installed_policy();
    if (!texts) return std::unexpected(texts.error());
    auto loaded = policy::load(*texts, known->accounts);
    if (!loaded) return std::unexpected(loaded.error());
    const auto now = network();
    const auto warnings = review(*loaded, known->memberships, now ? &*now : nullptr).size();
    return PolicyFacts{*std::move(loaded), warnings};
  };
  if (!policy_) policy_ = read_it();
  return *policy_;
}

}  // namespace umlnet::cli
