#include "libumlnet/core/seccomp_filter.h"

#include <seccomp.h>

#include <memory>
#include <type_traits>

namespace umlnet {
namespace {

struct Release {
  void operator()(scmp_filter_ctx context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release>;

template <class Rules>
Result<Context> compile(const Rules& rules) {
  constexpr std::string_view kDoing = "cannot build the seccomp filter";
  Context context(seccomp_init(SCMP_ACT_KILL_PROCESS));
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
  if (error != 0) return fail_errno(Code::kernel, -error, std::string(kDoing));
  return context;
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

Result<void> SeccompFilter::enter() const {
  auto context = compile(rules_);
  if (!context) return std::unexpected(std::move(context.error()));
  if (const int error = seccomp_load(context->get()); error != 0)
    return fail_errno(Code::kernel, -error, "cannot enter the seccomp filter",
                      "The kernel must be built with CONFIG_SECCOMP_FILTER.");
  return {};
}

Result<void> SeccompFilter::export_bpf(int fd) const {
  auto context = compile(rules_);
  if (!context) return std::unexpected(std::move(context.error()));
  if (const int error = seccomp_export_bpf(context->get(), fd); error != 0)
    return fail_errno(Code::kernel, -error, "cannot write the seccomp filter");
  return {};
}

}  // namespace umlnet
