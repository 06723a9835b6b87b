#include "libumlnet/cli/rotated_logs.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>

namespace umlnet::cli {
namespace {

struct Found {
  Microseconds written;  // last
  std::string path;
};

bool is_number_or_date(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789-") == std::string_view::npos;
}

std::vector<std::string> paths_in_order(std::vector<Found> found) {
  std::ranges::sort(found, {}, [](const Found& file) { return std::tie(file.written, file.path); });
  std::vector<std::string> paths;
  paths.reserve(found.size());
  for (auto& file : found) paths.push_back(std::move(file.path));
  return paths;
}

}  // namespace

RotatedLogs rotated_logs(const std::string& path, Microseconds since) {
  const auto slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string_view name = std::string_view(path).substr(slash == std::string::npos ? 0 : slash + 1);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), ::closedir);

  std::vector<Found> plain, compressed;
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr) {
    std::string_view rest = entry->d_name;
    if (!rest.starts_with(name)) continue;
    rest.remove_prefix(name.size());
    if (!rest.starts_with('.') && !rest.starts_with('-')) continue;
    rest.remove_prefix(1);
    const std::string_view number = rest.substr(0, rest.find('.'));
    const std::string_view suffix = rest.substr(number.size());
    const bool packed = suffix == ".gz" || suffix == ".xz" || suffix == ".zst" || suffix == ".bz2";
    if (!is_number_or_date(number) || (!suffix.empty() && !packed)) continue;

    std::string found = (slash == std::string::npos ? "" : directory) + entry->d_name;
    struct stat status{};
    if (::stat(found.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const Microseconds written(std::chrono::seconds(status.st_mtim.tv_sec) +
                               std::chrono::microseconds(status.st_mtim.tv_nsec / 1000));
    // Compressing may keep whole seconds only.
    if (written + std::chrono::seconds(1) < since) continue;
    (packed ? compressed : plain).push_back({written, std::move(found)});
  }
  return {.plain = paths_in_order(std::move(plain)), .compressed = paths_in_order(std::move(compressed))};
}

}  // namespace umlnet::cli
