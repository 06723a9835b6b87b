// The second sink of the audit log, where policy asks for it: systemd-journald, by its native protocol.
#pragma once

#include <string>

#include "libumlnet/core/error.h"
#include "libumlnet/core/unique_fd.h"
#include "uml_net/recorder/audit_record.h"

namespace umlnet::audit {

class Journal {
 public:
  // Connects to journald's socket, which must be root's, behind directories of root's. Needs no privilege. To be called
  // before the seccomp filter forbids sockets. The socket is fd_number::kJournal.
  static Result<Journal> connect();

  // Sends the record, and the line that stands in the log for it, without waiting: a journal that does not take it is
  // an error, and no more.
  Result<void> send(const Record& record, const std::string& line);

 private:
  explicit Journal(unique_fd fd) : fd_(std::move(fd)) {}
  unique_fd fd_;
};

// The record as fields of journald's native protocol: one "KEY=value" a line, no value with a newline in it.
std::string journal_fields(const Record& record, const std::string& line);

}  // namespace umlnet::audit
