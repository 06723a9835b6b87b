// Where in the files of a policy its rules and their keys stand. The policy itself does not remember: a decision needs
// it nowhere.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "libumlnet/core/strict_json.h"
#include "policy/loader/load.h"

namespace umlnet::cli {

struct Place {
  std::string file;
  unsigned line = 0;

  std::string str() const { return file + ":" + std::to_string(line); }
};

class PolicyPlaces {
 public:
  // Of files that load() takes.
  explicit PolicyPlaces(std::span<const policy::PolicyText> files);

  // Of `item` in the list behind `key` of `rule`; of the key where the item is empty or not found, of the rule where
  // the key is.
  Place of(const std::string& rule, const std::string& key = {}, const std::string& item = {}) const;

 private:
  struct Rule {
    std::string file;
    JsonValue json;
  };
  std::map<std::string, Rule> rules_;
};

}  // namespace umlnet::cli
