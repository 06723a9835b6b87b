// Writes the filters of the tables as a C++ source: generate ARCHITECTURE yes|no OUTPUT, "yes" for a build with
// sanitizers. Runs on the build machine; the numbers of system calls are those of the architecture, by libseccomp.
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "uml_net/filters/table.h"

namespace umlnet::filters {
namespace {

using Program = std::vector<sock_filter>;

[[noreturn]] void fail(const Table& table, const std::string& what) {
  throw std::runtime_error("filter " + std::string(table.name) + ": " + what);
}

void check(const Table& table, int result, const std::string& doing) {
  if (result != 0) fail(table, doing + ": error " + std::to_string(result));
}

// Where the machine lacks a system call, what its C library makes instead.
struct Substitute {
  std::string_view call, instead;
  std::optional<Condition> condition;
};
const Substitute kSubstitutes[] = {{"poll", "ppoll", is_null(3)}, {"readlink", "readlinkat", std::nullopt}};

class Generator {
 public:
  Generator(const Table& table, std::uint32_t architecture)
      : table_(table), architecture_(architecture), context_(seccomp_init(SCMP_ACT_KILL_PROCESS), seccomp_release) {
    if (!context_) fail(table, "seccomp_init failed");
    if (architecture != seccomp_arch_native()) {
      check(table, seccomp_arch_add(context_.get(), architecture), "adding the architecture");
      check(table, seccomp_arch_remove(context_.get(), seccomp_arch_native()), "removing the native architecture");
    }
    check(table, seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "other tables");
    // A binary tree: the kernel runs the program for every system call.
    check(table, seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimizing");
  }

  void allow(std::string_view call, std::vector<Condition> conditions) {
    for (const auto& [name, instead, condition] : kSubstitutes)
      if (call == name && !exists(call)) {
        call = instead;
        if (condition) conditions.push_back(*condition);
        break;
      }
    if (!exists(call)) fail(table_, "there is no system call " + std::string(call));
    // Rules have the numbers of the build machine, which libseccomp translates.
    const int number = seccomp_syscall_resolve_name(std::string(call).c_str());
    for (const auto& condition : conditions) {
      // A pinned address is one of several words that are put in later: nothing else may be compared with that
      // argument, which one of those words could be equal to.
      auto& is_pinned = pinned_.try_emplace({number, condition.argument}, condition.word.has_value()).first->second;
      if (is_pinned != condition.word.has_value())
        fail(table_, std::string(call) + " compares what is patched in with other values");
    }
    std::vector<scmp_arg_cmp> comparisons;
    add(number, conditions, comparisons);
  }

  Program program() const {
    const int file = ::memfd_create("filter", MFD_CLOEXEC);
    if (file < 0) fail(table_, "memfd_create failed");
    check(table_, seccomp_export_bpf(context_.get(), file), "exporting");
    Program program(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)) / sizeof(sock_filter));
    const auto size = static_cast<ssize_t>(program.size() * sizeof(sock_filter));
    const bool is_read = size > 0 && ::pread(file, program.data(), static_cast<std::size_t>(size), 0) == size;
    ::close(file);
    if (!is_read || program.size() > BPF_MAXINSNS) fail(table_, "no program of a size that the kernel takes");
    return program;
  }

  // Words that the program is to have a place for.
  const std::set<Word>& words() const { return words_; }

 private:
  bool exists(std::string_view call) const {
    return seccomp_syscall_resolve_name_arch(architecture_, std::string(call).c_str()) >= 0;
  }

  // Each choice of one value for each of the conditions is one rule of libseccomp.
  void add(int number, std::span<const Condition> conditions, std::vector<scmp_arg_cmp>& comparisons) {
    if (conditions.empty()) {
      const auto count = static_cast<unsigned>(comparisons.size());
      check(table_, seccomp_rule_add_exact_array(context_.get(), SCMP_ACT_ALLOW, number, count, comparisons.data()),
            "allowing system call " + std::to_string(number));
      return;
    }
    const Condition& condition = conditions.front();
    std::vector<std::uint64_t> values;
    values.reserve(condition.values.size() + 1);
    for (const auto& value : condition.values) values.push_back(value.value & condition.mask.value);
    if (condition.word) {
      const bool is_address = condition.mask.value == UINT64_MAX;
      words_.insert(*condition.word);
      if (is_address) words_.insert(Word::upper_half);
      values.push_back(std::uint64_t{is_address ? placeholder(Word::upper_half) : 0} << 32 |
                       placeholder(*condition.word));
    }
    for (const std::uint64_t value : values) {
      comparisons.push_back({condition.argument, SCMP_CMP_MASKED_EQ, condition.mask.value, value});
      add(number, conditions.subspan(1), comparisons);
      comparisons.pop_back();
    }
  }

  const Table& table_;
  std::uint32_t architecture_;
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  std::map<std::pair<int, unsigned>, bool> pinned_;
  std::set<Word> words_;
};

std::vector<Place> places_of(const Table& table, const Program& program, const std::set<Word>& words) {
  std::vector<Place> places;
  for (const Word word : words) {
    const std::size_t before = places.size();
    for (std::size_t i = 0; i < program.size(); ++i) {
      if (program[i].k != placeholder(word)) continue;
      if (program[i].code != (BPF_JMP | BPF_JEQ | BPF_K)) fail(table, "a word is not where a comparison is");
      places.push_back({word, static_cast<std::uint16_t>(i)});
    }
    if (places.size() == before) fail(table, "a word has no place");
  }
  return places;
}

void write(std::ostream& out, const Table& table, const Program& program, const std::vector<Place>& places) {
  const std::string name = "k" + std::string(table.name);
  out << "constexpr sock_filter " << name << "Program[] = {\n";
  for (const auto& line : program)
    out << "    {0x" << std::hex << line.code << std::dec << ", " << +line.jt << ", " << +line.jf << ", 0x" << std::hex
        << line.k << std::dec << "},\n";
  out << "};\n";
  if (!places.empty()) {
    out << "constexpr Place " << name << "Places[] = {\n";
    for (const auto& place : places)
      out << "    {static_cast<Word>(" << static_cast<int>(place.word) << "), " << place.instruction << "},\n";
    out << "};\n";
  }
  out << "extern constexpr Filter " << name << " = {" << name << "Program, ";
  out << (places.empty() ? "{}" : name + "Places") << "};\n\n";
}

void write_all(std::ostream& out, std::uint32_t architecture, bool sanitized) {
  std::map<std::string, std::uint64_t> named;
  const auto add_name = [&](const Number& number) {
    if (number.name != nullptr) named.emplace(number.name, number.value);
  };
  for (const auto& table : tables())
    for (const auto& rule : table.rules)
      for (const auto& condition : rule.conditions) {
        add_name(condition.mask);
        std::ranges::for_each(condition.values, add_name);
      }
  out << "// Made by uml_net/filters/generate.cc.\n";
  for (const char* header : {"fcntl.h", "linux/if_tun.h", "linux/netlink.h", "linux/nsfs.h", "linux/sockios.h",
                             "linux/wait.h", "sys/ioctl.h", "sys/mman.h", "sys/resource.h", "sys/socket.h"})
    out << "#include <" << header << ">\n";
  out << "\n#include <csignal>\n#include <cstdint>\n\n#include \"uml_net/filters/filters.h\"\n\n";
  for (const auto& [name, value] : named)
    out << "static_assert(static_cast<std::uint64_t>(" << name << ") == " << value << "U);\n";
  out << "\nnamespace umlnet::filters {\n\n";
  for (const auto& table : tables()) {
    Generator generator(table, architecture);
    for (const auto& rule : table.rules)
      for (const auto& call : rule.calls) generator.allow(call, rule.conditions);
    if (sanitized)
      for (const auto& call : table.for_sanitizers) generator.allow(call, {});
    const Program program = generator.program();
    write(out, table, program, places_of(table, program, generator.words()));
  }
  out << "}  // namespace umlnet::filters\n";
}

std::uint32_t architecture_of(const std::string& name) {
  // libseccomp would ask the kernel of the build machine which actions it knows.
  constexpr unsigned kKnowsKillProcess = 3;
  if (seccomp_api_set(kKnowsKillProcess) != 0) throw std::runtime_error("libseccomp is too old");
  const std::uint32_t architecture = seccomp_arch_resolve_name(name.c_str());
  if (architecture == 0) throw std::runtime_error("libseccomp does not know the architecture " + name);
  return architecture;
}

}  // namespace
}  // namespace umlnet::filters

int main(int argc, char** argv) try {
  if (argc != 4) throw std::runtime_error("expected an architecture, yes or no, and a file");
  std::ofstream out(argv[3]);
  umlnet::filters::write_all(out, umlnet::filters::architecture_of(argv[1]), argv[2] == std::string("yes"));
  if (!out.flush()) throw std::runtime_error(std::string("cannot write ") + argv[3]);
} catch (const std::exception& exception) {
  std::fprintf(stderr, "generate: %s\n", exception.what());
  return EXIT_FAILURE;
}
