// The numbers of descriptors that the seccomp filters know. Each process gives its descriptors these numbers before it
// enters its filter (sys/keep_fds.h), so that the filters are constants of the build. They are small, because a caller
// may have lowered the limit on open files.
#pragma once

namespace umlnet::fd_number {

// The front. A descriptor that the call names has number 3 in the front and in the executor.
inline constexpr int kNamed = 3;
inline constexpr int kFrontChannel = 4;  // to the executor

// A worker: the channel to the process that started it, and the one descriptor that it may have besides.
inline constexpr int kWorkerChannel = 3;
inline constexpr int kWorkerKept = 4;  // of the announcer: the packet socket

// A relay of frames.
inline constexpr int kRelayTap = 3;
inline constexpr int kRelayData = 4;
inline constexpr int kRelayController = 5;  // of an ethertap session

}  // namespace umlnet::fd_number
