// One check of `umlnet doctor`, and what it comes to.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "libumlnet/cli/host_view.h"

namespace umlnet::cli {

enum class Health {
  ok,
  warning,      // works, and may not be what is meant
  problem,      // does not work
  cannot_tell,  // this user may not look, or there is nothing to look with
};

struct Finding {
  Health health = Health::ok;
  std::string found;
  std::string mend;  // a command where there is one; empty where nothing is to be mended
};

struct Examination {
  const HostView& host;
  std::string helper;              // its path; empty: none was found
  std::optional<std::string> lan;  // the host's device to the LAN that guests are to be seen in, as the user says
};

struct Check {
  const char* name;
  Finding (*examine)(const Examination&);
};

// In the order in which a request needs what they look at.
std::span<const Check> all_checks();

inline Finding ok(std::string found) { return {Health::ok, std::move(found), {}}; }
inline Finding warning(std::string found, std::string mend) {
  return {Health::warning, std::move(found), std::move(mend)};
}
inline Finding problem(std::string found, std::string mend) {
  return {Health::problem, std::move(found), std::move(mend)};
}
inline Finding cannot_tell(std::string found, std::string mend = "ask as root: sudo umlnet doctor") {
  return {Health::cannot_tell, std::move(found), std::move(mend)};
}

}  // namespace umlnet::cli
