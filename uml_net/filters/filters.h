// The filters of the helper's processes, made by libseccomp of the tables (tables.cc) when the helper was built.
#pragma once

#include "uml_net/filters/filter.h"

namespace umlnet::filters {

extern const Filter kFront, kFrontWithNamed;  // without and with the descriptor that the call names
// The executor's: of a single request; of `5 open`; of an ethertap session; of a session of the native protocol.
extern const Filter kOneShot, kOneShotOpen, kController, kNativeSession;
// The recorder's: it opens /dev/net/tun or not; and where there is no directory for the policy.
extern const Filter kRecorder, kRecorderWithTun, kRecorderWithoutPolicy;
extern const Filter kCallerWorker;
extern const Filter kSessionRelay, kSealedRelay;  // with and without a controller
extern const Filter kAnnouncer;

}  // namespace umlnet::filters
