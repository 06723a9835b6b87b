#include "uml_net/recorder/journal.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "libumlnet/core/plain_text.h"
#include "policy/files/trusted_file.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/sys/keep_fds.h"

namespace umlnet::audit {
namespace {

constexpr std::string_view kSocket = "/run/systemd/journal/socket";

// Of syslog(3).
std::string_view priority_of(Event event) {
  switch (event) {
    case Event::accept:
    case Event::exit: return "6";    // informational
    case Event::reject: return "5";  // notice
    case Event::alert: return "1";   // alert
  }
  return "1";
}

// What a person reads in the journal: "reject: uid 1001 (alice) tuntap: no rule ...".
std::string sentence(const Record& record) {
  std::string text(event_name(record.event));
  if (record.stage == Stage::intent) text += " (intent)";
  text += ": uid " + std::to_string(record.caller.uid);
  if (record.caller.user) text += " (" + escaped(*record.caller.user, 64) + ")";
  if (!record.operation.empty()) text += " " + escaped(record.operation, 64);
  std::string what;
  for (const auto& change : record.changes) what += (what.empty() ? "" : ", ") + change;
  if (!record.error.empty()) what = record.error;
  if (what.empty()) what = record.reason;
  return text + ": " + escaped(what, 1000);
}

}  // namespace

Result<Journal> Journal::connect() {
  const std::string path(kSocket);
  if (auto trusted = check_trusted_socket(path); !trusted) return std::unexpected(std::move(trusted.error()));
  unique_fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  static_assert(kSocket.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, kSocket.data(), kSocket.size());
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(Code::audit, errno, "cannot connect to " + path);
  auto numbered = give_number(std::move(fd), fd_number::kJournal);
  if (!numbered) return std::unexpected(std::move(numbered.error()));
  return Journal(*std::move(numbered));
}

Result<void> Journal::send(const Record& record, const std::string& line) {
  const std::string fields = journal_fields(record, line);
  ssize_t sent = -1;
  do {
    sent = ::send(fd_.get(), fields.data(), fields.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail_errno(Code::audit, errno, "cannot send to " + std::string(kSocket));
  return {};
}

std::string journal_fields(const Record& record, const std::string& line) {
  std::string fields;
  const auto put = [&](std::string_view key, std::string_view value) {
    if (value.empty()) return;
    fields += key;
    fields += '=';
    fields += printable(value);  // a newline would begin a field
    fields += '\n';
  };
  put("MESSAGE", sentence(record));
  put("PRIORITY", priority_of(record.event));
  put("SYSLOG_IDENTIFIER", "uml_net");
  put("UMLNET_ID", record.id.str());
  put("UMLNET_EVENT", event_name(record.event));
  put("UMLNET_STAGE", stage_name(record.stage));
  put("UMLNET_UID", std::to_string(record.caller.uid));
  put("UMLNET_OPERATION", record.operation);
  put("UMLNET_DEVICE", device_of(record));
  put("UMLNET_ADDRESS", address_of(record));
  put("UMLNET_RULE", record.rule);
  put("UMLNET_JSON", std::string_view(line).substr(0, line.find('\n')));
  return fields;
}

}  // namespace umlnet::audit
