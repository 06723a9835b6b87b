// The filters of the helper's processes, made by libseccomp of the tables (tables.cc) when the helper was built.
#pragma once

#include "uml_net/filters/filter.h"

namespace umlnet::filters {

extern const Filter kFront, kFrontWithNamed;  // without and with the descriptor that the call names
extern const Filter kCallerWorker;
extern const Filter kSessionRelay, kSealedRelay;  // with and without a controller
extern const Filter kAnnouncer;

}  // namespace umlnet::filters
