#include "libumlnet/core/seccomp_filter.h"

#include <seccomp.h>

#include <cstdlib>
#include <memory>
#include <type_traits>

namespace umlnet {
namespace {

struct Release {
  void operator()(scmp_filter_ctx context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release>;

template <class Rules>
Result<Context> compile(std::uint32_t otherwise, const Rules& rules, std::span<const int> killing) {
  constexpr std::string_view kDoing = "cannot build the seccomp filter";
  Context context(seccomp_init(otherwise));
  if (!context) return fail(Code::kernel, std::string(kDoing));
  int error = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  for (const auto& rule : rules) {
    std::vector<scmp_arg_cmp> comparisons;
    comparisons.reserve(rule.conditions.size());
    for (const auto& where : rule.conditions)
      comparisons.push_back({where.argument, SCMP_CMP_MASKED_EQ, where.mask, where.value});
    // The array form: the variadic one drops what its count does not cover, without a word.
    if (error == 0)
      error = seccomp_rule_add_array(context.get(), SCMP_ACT_ALLOW, rule.syscall,
                                     static_cast<unsigned>(comparisons.size()), comparisons.data());
  }
  for (const int syscall : killing)
    if (error == 0) error = seccomp_rule_add_array(context.get(), SCMP_ACT_KILL_PROCESS, syscall, 0, nullptr);
  if (error != 0) return fail_errno(Code::kernel, -error, std::string(kDoing));
  return context;
}

std::uint32_t action_of(SeccompFilter::Otherwise otherwise) {
  return otherwise == SeccompFilter::Otherwise::trap ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS;
}

}  // namespace

SeccompFilter& SeccompFilter::allow(int syscall, std::initializer_list<Where> conditions) {
  rules_.push_back({syscall, conditions});
  return *this;
}

SeccompFilter& SeccompFilter::allow_each(std::span<const int> syscalls) {
  for (const int syscall : syscalls) allow(syscall);
  return *this;
}

SeccompFilter& SeccompFilter::allow_on_fd(int syscall, int fd) {
  if (fd >= 0) allow(syscall, {Where::equals(0, static_cast<std::uint64_t>(fd))});
  return *this;
}

SeccompFilter& SeccompFilter::kill_on(int syscall) {
  killing_.push_back(syscall);
  return *this;
}

Result<void> SeccompFilter::enter() const {
  auto context = compile(action_of(otherwise_), rules_, killing_);
  if (!context) return std::unexpected(std::move(context.error()));
  if (const int error = seccomp_load(context->get()); error != 0)
    return fail_errno(Code::kernel, -error, "cannot enter the seccomp filter",
                      "The kernel must be built with CONFIG_SECCOMP_FILTER.");
  return {};
}

Result<void> SeccompFilter::export_bpf(int fd) const {
  auto context = compile(action_of(otherwise_), rules_, killing_);
  if (!context) return std::unexpected(std::move(context.error()));
  if (const int error = seccomp_export_bpf(context->get(), fd); error != 0)
    return fail_errno(Code::kernel, -error, "cannot write the seccomp filter");
  return {};
}

std::string syscall_name(std::uint32_t arch, int number) {
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const std::unique_ptr<char, Free> name(seccomp_syscall_resolve_num_arch(arch, number));
  return name != nullptr ? name.get() : "system call " + std::to_string(number);
}

}  // namespace umlnet
