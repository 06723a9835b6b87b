#include "libumlnet/cli/tap_holders.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <functional>
#include <memory>
#include <tuple>

#include "libumlnet/cli/words.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {
namespace {

const dev_t kTunDevice = makedev(10, 200);  // Documentation/admin-guide/devices.txt

void for_each_number_in(const std::string& directory, const std::function<void(std::uint32_t)>& each) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), ::closedir);
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr)
    if (const auto value = number(entry->d_name, INT_MAX)) each(*value);
}

std::string read_small_file(const std::string& path) {
  const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(4096, '\0');
  const ssize_t size = fd ? ::read(fd.get(), text.data(), text.size()) : 0;
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text;
}

// The device in an fdinfo of /dev/net/tun; empty where none is attached.
std::string device_in(const std::string& fdinfo) {
  for (const auto& line : split(fdinfo, '\n'))
    if (line.starts_with("iff:")) {
      const auto begin = line.find_first_not_of(" \t", 4);
      return begin != std::string::npos ? line.substr(begin) : "";
    }
  return "";
}

std::string network_namespace_of(const std::string& process) {
  char target[64];
  const ssize_t size = ::readlink((process + "/ns/net").c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<std::size_t>(size)) : "";
}

}  // namespace

std::vector<TapHolder> find_tap_holders() {
  const std::string here = network_namespace_of("/proc/self");
  std::vector<TapHolder> holders;
  for_each_number_in("/proc", [&](std::uint32_t pid) {
    const std::string process = "/proc/" + std::to_string(pid);
    for_each_number_in(process + "/fd", [&](std::uint32_t fd) {
      // By number: the name of the file depends on who looks from where.
      struct stat status{};
      if (::stat((process + "/fd/" + std::to_string(fd)).c_str(), &status) != 0 || !S_ISCHR(status.st_mode) ||
          status.st_rdev != kTunDevice)
        return;
      TapHolder holder;
      holder.device = device_in(read_small_file(process + "/fdinfo/" + std::to_string(fd)));
      if (holder.device.empty() || ::stat(process.c_str(), &status) != 0) return;
      holder.pid = static_cast<pid_t>(pid);
      holder.uid = status.st_uid;
      holder.command = split(read_small_file(process + "/comm"), '\n').front();
      const std::string there = network_namespace_of(process);
      holder.elsewhere = !there.empty() && there != here;
      holders.push_back(std::move(holder));
    });
  });
  const auto key = [](const TapHolder& holder) { return std::tie(holder.device, holder.pid); };
  std::ranges::sort(holders, {}, key);
  const auto again = std::ranges::unique(holders, {}, key);
  holders.erase(again.begin(), again.end());
  return holders;
}

}  // namespace umlnet::cli
