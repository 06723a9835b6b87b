// A file of lines, read on and on as it grows, in memory that does not depend on it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "libumlnet/cli/trouble.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {

class LogFile {
 public:
  // Longer ones are no lines of an audit log, which have 4096 bytes at the most. Told of by their first bytes.
  static constexpr std::size_t kLongestLine = 65536;

  struct Line {
    std::string_view text;  // without newline; valid during the call
    std::uint64_t number;   // counts from 1
    bool whole;             // false: too long, or the file ends in the middle of it
  };
  using Each = std::function<void(const Line&)>;

  // "-" is stdin.
  static Outcome<LogFile> open(const std::string& path);

  const std::string& path() const { return path_; }

  // Every line from where the last call stopped up to the end of the file. A last line without newline is not read yet:
  // its writer may be at it. Begins anew where the file was cut, or written anew, since then.
  Outcome<void> read_on(const Each& each);
  // The last line without newline, if there is one: for a reader that does not come back.
  void read_rest(const Each& each);

  // Which file it is, whatever its name; and whether it has a name at all.
  struct Identity {
    dev_t device;
    ino_t inode;
    auto operator<=>(const Identity&) const = default;
  };
  Identity identity() const { return identity_; }
  bool is_deleted() const;

 private:
  LogFile(std::string path, unique_fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  void begin_anew_where_replaced();
  Outcome<bool> fill();
  void take_lines(const Each& each);

  std::string path_;
  unique_fd fd_;
  Identity identity_{};
  bool regular_ = false;
  std::string buffer_;  // what was read and is no line yet
  off_t taken_ = 0;     // bytes of the lines that are done with
  std::uint64_t lines_ = 0;
  bool skipping_ = false;  // in a line that is too long
  std::string last_line_;  // stands before taken_, unless the file was written anew
};

}  // namespace umlnet::cli
