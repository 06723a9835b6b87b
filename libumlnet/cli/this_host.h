// The host that this process runs on.
#pragma once

#include <map>
#include <optional>

#include "libumlnet/cli/host_view.h"

namespace umlnet::cli {

class ThisHost : public HostView {
 public:
  policy::Caller viewer() const override;
  Result<KnownAccounts> accounts() const override;
  Result<FileFacts> look_at(const std::string& path) const override;
  Result<FilesystemFacts> filesystem_of(const std::string& path) const override;
  std::string capability_attribute(const std::string& path) const override;
  bool may_execute(const std::string& path) const override;
  int error_of_opening(const std::string& path) const override;
  Result<std::string> read(const std::string& path) const override;
  std::vector<std::string> list(const std::string& directory) const override;
  bool same_file(const std::string& one, const std::string& other) const override;
  std::optional<std::string> find_in_path(const std::string& name) const override;
  std::optional<std::string> find_program(const std::string& name) const override;
  Result<ProgramOutput> run(const std::vector<std::string>& words) const override;
  bool is_running(const std::string& name) const override;
  Result<policy::HostState> network() const override;
  Result<PolicyFacts> policy() const override;

 private:
  // Read once, so that all checks speak of the same.
  mutable std::optional<Result<KnownAccounts>> accounts_;
  mutable std::optional<Result<policy::HostState>> network_;
  mutable std::optional<Result<PolicyFacts>> policy_;
  mutable std::map<std::vector<std::string>, Result<ProgramOutput>> outputs_;
};

}  // namespace umlnet::cli
