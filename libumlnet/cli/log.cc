// umlnet log: the audit log of uml_net, for people.
#include <getopt.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libumlnet/cli/audit_filter.h"
#include "libumlnet/cli/audit_statistics.h"
#include "libumlnet/cli/audit_story.h"
#include "libumlnet/cli/audit_table.h"
#include "libumlnet/cli/followed_log.h"
#include "libumlnet/cli/log_file.h"
#include "libumlnet/cli/rotated_logs.h"
#include "libumlnet/cli/subcommand.h"
#include "libumlnet/cli/terminal.h"
#include "libumlnet/cli/trouble.h"
#include "libumlnet/cli/unfinished_requests.h"
#include "libumlnet/cli/user_names.h"
#include "libumlnet/cli/words.h"
#include "libumlnet/core/plain_text.h"
#include "policy/location.h"

namespace umlnet::cli {
namespace {

constexpr char kHelp[] =
    R"(Usage: umlnet log [OPTION...]

Shows the audit log of uml_net: who asked for which change of the host's
network, when, and what came of it. A request is one line; times are local.
The log is root's, unless the administrator lets others read it.

  What was refused today, and why:
    umlnet log --since today --denied
  All of one request or session, step by step, by the id that the table shows:
    umlnet log --id 052b7ac0
  How much who asks for, and how long it takes:
    umlnet log --since 7d --stats
  As it comes:
    umlnet log --follow
  For programs, the very lines of the log:
    umlnet log --json --user alice | jq .result.changes

Which lines. With --since or --id, those of rotated files too, unless they are
compressed.
  -s, --since WHEN     from then on: 90s, 10m, 2h, 3d or 1w ago, "today",
                       "yesterday", 2026-11-24, "2026-11-24 05:45", or RFC 3339
  -u, --user USER      of this user, by name or number. May be given again
  -d, --device DEV     that name this device. May be given again
  -i, --id ID          of this id, or of those that begin so: tells the story
  -D, --denied         what was refused, or failed
  -F, --file FILE      of this file, and no other; - is stdin. May be given
                       again, oldest first: zcat audit.jsonl.2.gz |
                       umlnet log --file -
How.
  -f, --follow         go on with what comes; without --since or --id, begin with
                       the last ten
  -S, --stats          counts and latencies by user and operation
  -j, --json           the lines as they are; with --stats, one JSON object
  -U, --utc            times in UTC
  -h, --help           this text

Exit status: 0, 64 usage, 66 there is no such log or no such id, 74 it cannot
be read to its end, 77 it is not yours to read.
)";

constexpr std::size_t kTail = 10;  // lines that --follow begins with
constexpr std::size_t kShortestId = 4;
constexpr timespec kBetweenLooks = {0, 250'000'000};
// The helper waits up to five seconds for its caller to take the reply.
constexpr std::chrono::seconds kStillAtWork{10};

struct Options {
  AuditFilter filter;
  std::vector<std::string> files;
  bool follow = false, stats = false, json = false;
  Zone zone = Zone::local;
};

constexpr char kShort[] = ":s:u:d:i:DF:fSjUh";
constexpr option kLong[] = {
    {"since", required_argument, nullptr, 's'},  {"user", required_argument, nullptr, 'u'},
    {"device", required_argument, nullptr, 'd'}, {"id", required_argument, nullptr, 'i'},
    {"denied", no_argument, nullptr, 'D'},       {"file", required_argument, nullptr, 'F'},
    {"follow", no_argument, nullptr, 'f'},       {"stats", no_argument, nullptr, 'S'},
    {"json", no_argument, nullptr, 'j'},         {"utc", no_argument, nullptr, 'U'},
    {"help", no_argument, nullptr, 'h'},         {nullptr, 0, nullptr, 0},
};

Microseconds now() { return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()); }

AuditFilter::User user_of(const std::string& text) {
  if (const auto uid = number(text, 4294967294)) return {.name = "", .uid = *uid};
  const auto uid = uid_of_user(text);
  return {.name = text, .uid = uid ? std::optional<std::uint64_t>(*uid) : std::nullopt};
}

bool is_beginning_of_id(std::string_view text) {
  return text.size() >= kShortestId && text.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

Outcome<void> check(const Options& options) {
  if (options.stats && options.follow) return misuse("--stats has no end with --follow");
  if (options.follow && options.files.size() > 1) return misuse("--follow follows one --file");
  if (options.follow && !options.files.empty() && options.files[0] == "-")
    return misuse("--follow is for files; what comes on stdin is shown as it comes");
  return {};
}

// Nothing: the help was asked for.
Outcome<std::optional<Options>> parse(int argc, char** argv) {
  Options options;
  std::string since;
  for (int letter = 0; (letter = ::getopt_long(argc, argv, kShort, kLong, nullptr)) != -1;) {
    const std::string value = ::optarg != nullptr ? ::optarg : "";
    switch (letter) {
      case 's': since = value; break;
      case 'u': options.filter.users.push_back(user_of(value)); break;
      case 'd': options.filter.devices.push_back(value); break;
      case 'i':
        options.filter.id = value;
        std::ranges::transform(value, options.filter.id.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (!is_beginning_of_id(options.filter.id))
          return misuse("--id " + printable(value) + ": it is an id, or at least " + std::to_string(kShortestId) +
                        " characters of its beginning");
        break;
      case 'D': options.filter.denied = true; break;
      case 'F': options.files.push_back(value); break;
      case 'f': options.follow = true; break;
      case 'S': options.stats = true; break;
      case 'j': options.json = true; break;
      case 'U': options.zone = Zone::utc; break;
      case 'h': return std::nullopt;
      case ':': return misuse(std::string(argv[::optind - 1]) + " needs a value");
      default: return bad_option(letter, argv);
    }
  }
  if (::optind < argc) return misuse("there is nothing to do with " + in_quotes(argv[::optind]));
  if (!since.empty()) {
    options.filter.since = parse_since(since, now(), options.zone);
    if (!options.filter.since)
      return misuse("--since " + printable(since) +
                    ": it is a time such as 10m, 2h, 3d, today, 2026-11-24 or \"2026-11-24 05:45\"");
  }
  if (const auto fit = check(options); !fit) return std::unexpected(fit.error());
  return options;
}

// What becomes of the lines that were asked for.
class View {
 public:
  explicit View(const Options& options)
      : options_(options),
        table_(stdout, options.zone, terminal_width(STDOUT_FILENO)),
        story_(stdout, options.zone, terminal_width(STDOUT_FILENO)) {}

  void add(const AuditEntry& entry, std::string_view line) {
    ++shown_;
    if (options_.stats) {
      statistics_.add(entry);
    } else if (options_.json) {
      std::fwrite(line.data(), 1, line.size(), stdout);
      std::fputc('\n', stdout);
    } else if (!options_.filter.id.empty()) {
      story_.add(entry);
    } else {
      unfinished_.add(entry);
      if (!entry.intent) table_.add(entry);
    }
  }

  void show_begun_before(Microseconds time) {
    for (const auto& intent : unfinished_.take_begun_before(time)) table_.add(intent, "unfinished");
  }

  void end() {
    if (options_.stats) {
      std::fputs((options_.json ? statistics_.json() : statistics_.table()).c_str(), stdout);
    } else if (!options_.json) {
      story_.end();
      show_begun_before(Microseconds::max());
    }
  }

  std::size_t shown() const { return shown_; }

 private:
  const Options& options_;
  AuditTable table_;
  AuditStory story_;
  AuditStatistics statistics_;
  UnfinishedRequests unfinished_;
  std::size_t shown_ = 0;
};

// Lines that are not shown because they are none.
class PassedOver {
 public:
  void add(const LogFile& file, std::uint64_t number, std::string_view text, NoEntry why) {
    Kind& kind = why == NoEntry::cut ? cut_ : foreign_;
    if (kind.count++ == 0)
      kind.first = printable(file.path()) + ":" + std::to_string(number) + ": " + printable(text.substr(0, 60));
  }

  // To stderr, where there is something to tell since the last time.
  void tell() {
    tell(foreign_, " line is no whole line of an audit log, and was",
         " lines are no whole lines of an audit log, and were");
    tell(cut_, " line was cut, because uml_net could not write all of it, and was",
         " lines were cut, because uml_net could not write all of them, and were");
  }

 private:
  struct Kind {
    std::size_t count = 0;
    std::string first;
  };

  static void tell(Kind& kind, const char* one, const char* many) {
    if (kind.count != 0)
      std::fprintf(stderr, "umlnet log: %zu%s passed over. The first is %s\n", kind.count, kind.count == 1 ? one : many,
                   kind.first.c_str());
    kind.count = 0;
  }

  Kind foreign_, cut_;
};

class Reading {
 public:
  explicit Reading(const Options& options) : options_(options), view_(options) {}

  int run() {
    const auto read = options_.follow ? follow() : once();
    return read ? *read : tell("log", read.error());
  }

 private:
  void take(const LogFile& file, const LogFile::Line& line) {
    if (const auto entry = parse_audit_line(line.text); entry && line.whole) return take(*entry, line.text);
    const auto parts = split_at_records(line.text);
    for (const auto& part : parts) {
      const auto entry = parse_audit_line(part);
      // The last one of a line without its end may go on.
      const bool whole = line.whole || &part != &parts.back();
      if (entry && whole)
        take(*entry, part);
      else
        passed_over_.add(file, line.number, part, entry ? NoEntry::cut : entry.error());
    }
    if (parts.empty()) passed_over_.add(file, line.number, {}, NoEntry::foreign);
  }

  void take(const AuditEntry& entry, std::string_view line) {
    if (!options_.filter.matches(entry)) return;
    if (!tail_) return view_.add(entry, line);
    tail_->emplace_back(entry, line);
    if (tail_->size() > kTail) tail_->pop_front();
  }

  Outcome<void> read_all(LogFile& file) {
    const auto each = [&](const LogFile::Line& line) { take(file, line); };
    if (auto read = file.read_on(each); !read) return read;
    if (!options_.follow) file.read_rest(each);
    return {};
  }

  // Files in front of the log itself, where what was asked for may be in them. `log` is open already: what is renamed
  // from here on is read once, under whatever name.
  Outcome<void> read_rotated(const LogFile& log) {
    if (!options_.files.empty() || (!options_.filter.since && options_.filter.id.empty())) return {};
    const auto rotated = rotated_logs(log.path(), options_.filter.since.value_or(Microseconds::min()));
    compressed_ = rotated.compressed;
    for (const auto& path : rotated.plain) {
      auto file = LogFile::open(path);
      if (!file && ::access(path.c_str(), F_OK) != 0) continue;  // removed meanwhile
      if (!file) return std::unexpected(file.error());
      if (file->identity() == log.identity()) continue;
      if (auto read = read_all(*file); !read) return read;
    }
    return {};
  }

  // Whoever named no file may not know where there should be one.
  Outcome<LogFile> open(const std::string& path) const {
    auto file = LogFile::open(path);
    if (!file && file.error().status == EX_NOINPUT && options_.files.empty())
      file.error().text +=
          "\numl_net writes its log there once it is installed, see umlnet-audit(5). --file FILE reads another.";
    return file;
  }

  Outcome<int> once() {
    const auto files = options_.files.empty() ? std::vector<std::string>{policy::kAuditLog} : options_.files;
    for (const auto& path : files) {
      auto file = open(path);
      if (!file) return std::unexpected(file.error());
      if (auto read = read_rotated(*file); !read) return std::unexpected(read.error());
      if (auto read = read_all(*file); !read) return std::unexpected(read.error());
    }
    view_.end();
    std::fflush(stdout);
    passed_over_.tell();
    return finish();
  }

  // What was not found may be elsewhere.
  int finish() const {
    if (!compressed_.empty()) {
      std::string files;
      for (const auto& path : compressed_) files += " " + printable(path);
      std::fprintf(stderr,
                   "umlnet log: compressed files were not read. To read them: zcat%s | umlnet log --file - ...\n",
                   files.c_str());
    }
    if (view_.shown() != 0) return EX_OK;
    const bool by_id = !options_.filter.id.empty();
    std::fprintf(stderr, "umlnet log: %s\n",
                 by_id ? ("there is no line of id " + options_.filter.id).c_str() : "no line of the log fits");
    return by_id ? EX_NOINPUT : EX_OK;
  }

  Outcome<int> follow() {
    const std::string path = options_.files.empty() ? policy::kAuditLog : options_.files[0];
    auto file = open(path);
    if (!file) return std::unexpected(file.error());
    if (!options_.filter.since && options_.filter.id.empty()) tail_.emplace();
    if (auto read = read_rotated(*file); !read) return std::unexpected(read.error());
    if (auto read = read_all(*file); !read) return std::unexpected(read.error());
    if (tail_) {
      const auto last = *std::exchange(tail_, std::nullopt);
      for (const auto& [entry, line] : last) view_.add(entry, line);
    }
    for (FollowedLog log(path, *std::move(file));;) {
      // Whoever reads this wants it now, and is told when nobody does any more.
      if (std::fflush(stdout) != 0) return EX_IOERR;
      passed_over_.tell();
      ::nanosleep(&kBetweenLooks, nullptr);
      if (auto read = log.read_on([&](const LogFile& from, const LogFile::Line& line) { take(from, line); }); !read)
        return std::unexpected(read.error());
      view_.show_begun_before(now() - kStillAtWork);
    }
  }

  const Options& options_;
  View view_;
  PassedOver passed_over_;
  std::vector<std::string> compressed_;
  // While the beginning of --follow is read, what may be shown of it.
  std::optional<std::deque<std::pair<AuditEntry, std::string>>> tail_;
};

int log(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) return tell("log", options.error());
  if (!*options) {
    std::fputs(kHelp, stdout);
    return EX_OK;
  }
  return Reading(**options).run();
}

}  // namespace

const Subcommand kLog = {"log", "who asked uml_net for what, and what came of it", kHelp, log};

}  // namespace umlnet::cli
