// The numbers of descriptors that the seccomp filters know. Each process gives its descriptors these numbers before it
// enters its filter (sys/keep_fds.h), so that the filters are constants of the build. They are small, because a caller
// may have lowered the limit on open files.
#pragma once

namespace umlnet::fd_number {

// The front. A descriptor that the call names has number 3 in the front and in the executor.
inline constexpr int kNamed = 3;
inline constexpr int kFrontChannel = 4;  // to the executor

// The executor: channels to its processes, and pidfds of those that it waits for. A session of the native protocol has
// no relay, and only a single request has a rtnetlink socket of another network namespace at a number of its own.
inline constexpr int kFront = 4;
inline constexpr int kFrontPidfd = 5;
inline constexpr int kRecorder = 6;
inline constexpr int kRecorderPidfd = 7;
inline constexpr int kRtnetlink = 8;
inline constexpr int kAnnouncer = 9;
inline constexpr int kCallerWorker = 10;
inline constexpr int kSignals = 11;
inline constexpr int kMonitor = 12;  // notices of changes of the network
inline constexpr int kRelay = 13;
inline constexpr int kRelayPidfd = 14;
inline constexpr int kPeerWatch = 15;        // questions about the data socket's other end
inline constexpr int kTargetNamespace = 13;  // rtnetlink there
// From here on: /dev/net/tun, and what comes with messages.
inline constexpr int kTun = 16;
// What comes with a record of a session is moved to numbers from here on: a number of the session's own that should be
// free, and is taken for open, is never one of the caller's.
inline constexpr int kForeign = 256;

// How many descriptors poll(2) waits for in an ethertap session's controller, and in a session of the native protocol.
inline constexpr int kPolledByController = 4;
inline constexpr int kPolledBySession = 3;

// A worker: the channel to the process that started it, and the one descriptor that it may have besides.
inline constexpr int kWorkerChannel = 3;
inline constexpr int kWorkerKept = 4;  // of the announcer: the packet socket

// The recorder, which is a worker.
inline constexpr int kLog = 4;
inline constexpr int kCounters = 5;
inline constexpr int kJournal = 6;

// A relay of frames.
inline constexpr int kRelayTap = 3;
inline constexpr int kRelayData = 4;
inline constexpr int kRelayController = 5;  // of an ethertap session

}  // namespace umlnet::fd_number
