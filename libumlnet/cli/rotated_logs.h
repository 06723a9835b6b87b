// The older files of a log that is rotated by renaming: audit.jsonl.1, audit.jsonl-20261124, audit.jsonl.2.gz.
#pragma once

#include <string>
#include <vector>

#include "libumlnet/core/timestamp.h"

namespace umlnet::cli {

struct RotatedLogs {
  std::vector<std::string> plain;       // paths, oldest first
  std::vector<std::string> compressed;  // likewise
};

// Those of `path` that were written to at `since` or later. None where the directory cannot be read.
RotatedLogs rotated_logs(const std::string& path, Microseconds since);

}  // namespace umlnet::cli
