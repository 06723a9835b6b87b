#include "libumlnet/cli/network_managers.h"

#include <fnmatch.h>

#include <algorithm>
#include <map>

#include "libumlnet/cli/words.h"

namespace umlnet::cli {
namespace {

constexpr const char* kTap = "tap0";  // stands for all that the kernel names for uml_net

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

// Of settings, as each program separates them.
std::vector<std::string> items_of(const std::string& value, std::string_view separators) {
  std::vector<std::string> items;
  std::size_t start = 0;
  while (start < value.size()) {
    const auto end = std::min(value.find_first_of(separators, start), value.size());
    if (auto item = trimmed(std::string_view(value).substr(start, end - start)); !item.empty())
      items.push_back(std::move(item));
    start = end + 1;
  }
  return items;
}

bool is_match(const std::string& pattern, const char* name) { return ::fnmatch(pattern.c_str(), name, 0) == 0; }

// Of a list of device specifications of NetworkManager: "interface-name:tap*", "type:tun", "*", "except:...".
bool specifies_tap(const std::vector<std::string>& list) {
  bool found = false;
  for (std::string item : list) {
    constexpr std::string_view kExcept = "except:", kName = "interface-name:", kType = "type:";
    const bool except = item.starts_with(kExcept);
    if (except) item.erase(0, kExcept.size());
    bool hit = item == "*" || is_match(item, kTap);
    if (item.starts_with(kName)) {
      item.erase(0, kName.size());
      if (item.starts_with("=")) item.erase(0, 1);
      hit = is_match(item, kTap);
    } else if (item.starts_with(kType)) {
      hit = item == "type:tun";
    }
    if (hit && except) return false;
    found |= hit;
  }
  return found;
}

bool is_true(const std::string& value) { return value == "yes" || value == "true" || value == "1" || value == "on"; }
bool is_false(const std::string& value) { return value == "no" || value == "false" || value == "0" || value == "off"; }

// Of several directories, those first in `directories` take the place of files of the same name in later ones.
std::map<std::string, std::string> files_by_name(const HostView& host, const std::vector<std::string>& directories,
                                                 std::string_view suffix) {
  std::map<std::string, std::string> files;
  for (const auto& directory : directories)
    for (const auto& name : host.list(directory))
      if (name.ends_with(suffix)) files.emplace(name, std::string(directory).append("/").append(name));
  return files;
}

// Negated lists ("!wl*") and several items are as networkd has them.
bool matches_any(const std::string& value, std::initializer_list<const char*> names) {
  auto items = items_of(value, " \t");
  const bool negated = !items.empty() && items.front().starts_with("!");
  if (negated) items.front().erase(0, 1);
  const bool hit = std::ranges::any_of(items, [&](const std::string& item) {
    return std::ranges::any_of(names, [&](const char* name) { return is_match(item, name); });
  });
  return hit != negated;
}

}  // namespace

std::vector<Setting> settings_in(std::string_view text) {
  std::vector<Setting> settings;
  std::string section;
  for (const auto& raw : split(text, '\n')) {
    const auto line = trimmed(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[' && line.back() == ']') {
      section = line.substr(1, line.size() - 2);
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    settings.push_back({section, trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1))});
  }
  return settings;
}

bool network_manager_leaves_taps(const std::vector<std::string>& files) {
  std::vector<std::string> unmanaged;
  // A [device...] section is one rule; of several that match, the one that was read first counts.
  struct Section {
    std::string match = "*", managed;
  };
  std::vector<std::pair<std::string, Section>> sections;
  for (const auto& file : files)
    for (const auto& setting : settings_in(file)) {
      const auto items = items_of(setting.value, ",;");
      if (setting.section == "keyfile" && setting.key == "unmanaged-devices") unmanaged = items;
      if (setting.section == "keyfile" && setting.key == "unmanaged-devices+")
        unmanaged.insert(unmanaged.end(), items.begin(), items.end());
      if (setting.section == "keyfile" && setting.key == "unmanaged-devices-")
        std::erase_if(unmanaged, [&](const auto& item) { return std::ranges::find(items, item) != items.end(); });
      if (!setting.section.starts_with("device")) continue;
      auto it = std::ranges::find(sections, setting.section, &std::pair<std::string, Section>::first);
      if (it == sections.end()) it = sections.insert(it, {setting.section, {}});
      if (setting.key == "match-device") it->second.match = setting.value;
      if (setting.key == "managed") it->second.managed = setting.value;
    }
  if (specifies_tap(unmanaged)) return true;
  for (const auto& [name, section] : sections)
    if (!section.managed.empty() && specifies_tap(items_of(section.match, ",;"))) return is_false(section.managed);
  return false;
}

NetworkFile what_of_taps(std::string_view text) {
  bool matches = false, unmanaged = false;
  for (const auto& [section, key, value] : settings_in(text)) {
    if (section == "Link" && key == "Unmanaged") unmanaged = is_true(value);
    if (section != "Match") continue;
    matches = true;
    const bool fits = key == "Name"     ? matches_any(value, {kTap})
                      : key == "Type"   ? matches_any(value, {"ether"})
                      : key == "Kind"   ? matches_any(value, {"tun", "tap"})
                      : key == "Driver" ? matches_any(value, {"tun"})
                                        : false;  // by an address, a path and the like: not one that was just made
    if (!fits) return NetworkFile::of_others;
  }
  if (!matches) return NetworkFile::of_others;
  return unmanaged ? NetworkFile::leaves_alone : NetworkFile::takes_over;
}

Finding examine_network_manager(const Examination& examination) {
  const auto& host = examination.host;
  if (!host.is_running("NetworkManager")) return ok("NetworkManager does not run");
  constexpr const char* kEtc = "/etc/NetworkManager/conf.d";
  std::vector<std::string> files;
  const auto add = [&](const std::string& path) {
    if (const auto text = host.read(path)) files.push_back(*text);
  };
  // A file of /etc shadows those of its name.
  const auto etc = host.list(kEtc);
  for (const std::string directory : {"/usr/lib/NetworkManager/conf.d", "/run/NetworkManager/conf.d"})
    for (const auto& [name, path] : files_by_name(host, {directory}, ".conf"))
      if (std::ranges::find(etc, name) == etc.end()) add(path);
  add("/etc/NetworkManager/NetworkManager.conf");
  for (const auto& [name, path] : files_by_name(host, {kEtc}, ".conf")) add(path);
  if (network_manager_leaves_taps(files)) return ok("NetworkManager runs, and is told to leave tap devices alone");
  return warning(
      "NetworkManager runs, and nothing tells it to leave tap devices alone",
      "printf '[keyfile]\\nunmanaged-devices+=interface-name:tap*\\n' >/etc/NetworkManager/conf.d/90-umlnet.conf "
      "&& systemctl reload NetworkManager");
}

Finding examine_networkd(const Examination& examination) {
  const auto& host = examination.host;
  if (!host.is_running("systemd-network")) return ok("systemd-networkd does not run");
  // The first file that speaks of a device decides.
  for (const auto& [name, path] : files_by_name(host,
                                                {"/etc/systemd/network", "/run/systemd/network",
                                                 "/usr/local/lib/systemd/network", "/usr/lib/systemd/network"},
                                                ".network")) {
    const auto text = host.read(path);
    if (!text) return cannot_tell(text.error().line());
    switch (what_of_taps(*text)) {
      case NetworkFile::of_others: continue;
      case NetworkFile::leaves_alone:
        return ok("systemd-networkd runs, and " + path + " has it leave tap devices alone");
      case NetworkFile::takes_over:
        return warning(
            "systemd-networkd runs, and takes over tap devices by " + path,
            "printf '[Match]\\nName=tap*\\n[Link]\\nUnmanaged=yes\\n' >/etc/systemd/network/00-umlnet.network "
            "&& networkctl reload");
    }
  }
  return ok("systemd-networkd runs, and no file of its speaks of tap devices");
}

}  // namespace umlnet::cli
