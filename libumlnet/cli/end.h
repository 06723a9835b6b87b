// One end of `umlnet pump`, as its command line names it.
#pragma once

#include <memory>
#include <string>

#include "libumlnet/cli/helper_options.h"
#include "libumlnet/cli/signals.h"
#include "libumlnet/cli/trouble.h"

namespace umlnet::cli {

class End {
 public:
  virtual ~End() = default;

  // Looks at the words only: a setup string, tap:, stream:, stream-listen:, dgram: or fd: with what belongs behind it.
  static Outcome<std::unique_ptr<End>> named(const std::string& words, const HelperOptions& options);

  // Of a network that uml_net makes.
  virtual bool takes_addresses() const { return false; }
  virtual Outcome<void> add_address(const std::string& words);
  // False where a signal asked the program to end while this waited for the other side.
  virtual Outcome<bool> open(const Signals& signals) = 0;
  // Its descriptors are this object's; the name is not filled in.
  virtual Outcome<umlnet_end> end() = 0;
  // What people call it, once it is open.
  virtual std::string name() const = 0;
  // In order; the destructor does it otherwise.
  virtual Outcome<void> close() = 0;
};

}  // namespace umlnet::cli
