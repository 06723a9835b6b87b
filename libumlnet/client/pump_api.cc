// The pump section of umlnet.h.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "libumlnet/client/failure.h"
#include "libumlnet/client/installed.h"
#include "libumlnet/client/off_stdio.h"
#include "libumlnet/client/pump.h"
#include "libumlnet/client/pump_memory.h"
#include "libumlnet/client/pump_process.h"
#include "libumlnet/client/sandbox.h"
#include "libumlnet/client/tun_attach.h"
#include "umlnet/umlnet.h"

struct umlnet_pump {
  umlnet::client::PumpConfig config;
  umlnet_end a, b;
  std::string program;
  umlnet::client::SharedPumpMemory memory;
  umlnet::unique_fd stop;
  // Where it runs: in this process, or in another one. Neither is the case while it is being started.
  std::unique_ptr<umlnet::client::Pump> here;
  std::optional<umlnet::client::PumpProcess> process = {};
  std::atomic<bool> runs = false;
  bool in_sandbox = false;
};

namespace umlnet::client {
namespace {

constexpr int kLastPatience = 2'000;  // milliseconds from umlnet_pump_free()'s stop to its kill

// A program that was built with an earlier header knows fewer members.
Outcome<umlnet_end> whole(const umlnet_end* end, const char* which) {
  if (end == nullptr || end->size < offsetof(umlnet_end, name))
    return failed(UMLNET_INVALID, std::string("end ") + which + " of the pump is not filled in (UMLNET_END_INIT)");
  umlnet_end result = UMLNET_END_INIT;
  std::memcpy(&result, end, std::min(end->size, sizeof result));
  if (result.framing == UMLNET_CALLBACK && (result.read == nullptr || result.write == nullptr))
    return failed(UMLNET_INVALID, std::string("end ") + which + " of the pump lacks read or write");
  return result;
}

EndConfig numbers_of(const umlnet_end& end, std::string_view name) {
  EndConfig config{.framing = static_cast<std::uint32_t>(end.framing),
                   .fd = end.fd,
                   .vnet_hdr = end.vnet_hdr,
                   .offloads = end.offloads};
  if (end.name != nullptr) name = end.name;
  name.copy(config.name, sizeof config.name - 1);
  return config;
}

Outcome<void> prepare(const EndConfig& end) {
  if (end.framing != UMLNET_TAP) return {};
  const int flags = ::fcntl(end.fd, F_GETFL);
  if (flags < 0 || ::fcntl(end.fd, F_SETFL, flags | O_NONBLOCK) != 0)
    return failed_errno(errno, "cannot set fd " + std::to_string(end.fd) + " to non-blocking");
  if (end.vnet_hdr != 0) take_unfinished_frames(end.fd);
  return {};
}

Outcome<std::unique_ptr<umlnet_pump>> make_pump(const umlnet_end* a, const umlnet_end* b,
                                                const umlnet_pump_options* given) {
  const auto end_a = whole(a, "a"), end_b = whole(b, "b");
  if (!end_a) return std::unexpected(end_a.error());
  if (!end_b) return std::unexpected(end_b.error());
  umlnet_pump_options options = UMLNET_PUMP_OPTIONS_INIT;
  if (given != nullptr) std::memcpy(&options, given, std::min(given->size, sizeof options));

  PumpConfig config{.a = numbers_of(*end_a, "a"),
                    .b = numbers_of(*end_b, "b"),
                    .capture_fd = std::max(options.capture_fd, -1),
                    .capture_snaplen = options.capture_snaplen};
  if (config.capture_fd >= 0) config.capture_kind = capture_kind_of(config.capture_fd);
  if (auto checked = check_config(config); !checked) return std::unexpected(std::move(checked.error()));
  auto memory = SharedPumpMemory::make();
  if (!memory) return std::unexpected(std::move(memory.error()));
  unique_fd stop = off_stdio(unique_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (!stop) return failed_errno(errno, "cannot make the pump's stop");

  std::unique_ptr<umlnet_pump> pump(
      new umlnet_pump{.config = config,
                      .a = *end_a,
                      .b = *end_b,
                      .program = options.program != nullptr ? options.program : kInstalledPump,
                      .memory = std::move(*memory),
                      .stop = std::move(stop),
                      .here = nullptr});
  pump->here =
      std::make_unique<Pump>(config, Pump::Callbacks{&pump->a, &pump->b}, pump->memory->counters, pump->stop.get());
  for (const EndConfig* end : {&config.a, &config.b})
    if (auto done = prepare(*end); !done) return std::unexpected(std::move(done.error()));
  return pump;
}

bool has_callbacks(const umlnet_pump& pump) {
  return pump.config.a.framing == UMLNET_CALLBACK || pump.config.b.framing == UMLNET_CALLBACK;
}

// Nobody else runs it, until this goes.
class Running {
 public:
  explicit Running(umlnet_pump& pump) : pump_(pump), is_ours_(!pump.runs.exchange(true)) {}
  ~Running() {
    if (is_ours_) pump_.runs = false;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  Outcome<void> check() const {
    if (!is_ours_) return failed(UMLNET_STATE, "the pump runs already");
    if (pump_.here == nullptr) return failed(UMLNET_STATE, "the pump was given to a process of its own");
    return {};
  }

 private:
  umlnet_pump& pump_;
  bool is_ours_;
};

void store(umlnet_pump_end* target, umlnet_pump_end end) {
  if (target != nullptr) *target = end;
}

Outcome<void> run(umlnet_pump& pump, umlnet_pump_end* end) {
  const Running running(pump);
  if (auto may = running.check(); !may) return may;
  const auto outcome = told(pump.here->run({}), pump.config);
  if (!outcome) return std::unexpected(outcome.error());
  store(end, *outcome);
  return {};
}

Outcome<void> sandbox(umlnet_pump& pump) {
  const Running running(pump);
  if (auto may = running.check(); !may) return may;
  if (pump.in_sandbox) return failed(UMLNET_STATE, "the process is in the pump's sandbox already");
  if (has_callbacks(pump)) return failed(UMLNET_UNSUPPORTED, "a pump with callbacks cannot be in a sandbox");
  if (auto entered = enter_sandbox(pump.here->fds({}), pump.memory->violation); !entered) return entered;
  pump.here->is_in_sandbox();
  pump.in_sandbox = true;
  return {};
}

Outcome<void> start(umlnet_pump& pump) {
  const Running running(pump);
  if (auto may = running.check(); !may) return may;
  if (has_callbacks(pump)) return failed(UMLNET_UNSUPPORTED, "a pump with callbacks cannot be in a process of its own");
  auto process = PumpProcess::start(pump.program, pump.config, pump.memory, pump.stop.get());
  if (!process) return std::unexpected(std::move(process.error()));
  pump.process.emplace(std::move(*process));
  pump.here.reset();
  return {};
}

Outcome<void> wait(umlnet_pump& pump, int timeout_ms, umlnet_pump_end* end) {
  if (!pump.process) return failed(UMLNET_STATE, "the pump has no process of its own");
  const auto outcome = pump.process->wait(Deadline::in(timeout_ms));
  if (!outcome) return failed(UMLNET_TIMEOUT, "the pump process still runs");
  if (!*outcome) return std::unexpected(outcome->error());
  store(end, **outcome);
  return {};
}

}  // namespace
}  // namespace umlnet::client

using umlnet::client::at_border;

extern "C" {

umlnet_code umlnet_pump_new(const umlnet_end* a, const umlnet_end* b, const umlnet_pump_options* options,
                            umlnet_pump** pump, umlnet_error* error) {
  return at_border(error, [&]() -> umlnet::client::Outcome<void> {
    if (pump == nullptr) return umlnet::client::failed(UMLNET_INVALID, "there is no place for the pump");
    *pump = nullptr;
    auto made = umlnet::client::make_pump(a, b, options);
    if (!made) return std::unexpected(std::move(made.error()));
    *pump = made->release();
    return {};
  });
}

umlnet_code umlnet_pump_run(umlnet_pump* pump, umlnet_pump_end* end, umlnet_error* error) {
  return at_border(error, [&] { return umlnet::client::run(*pump, end); });
}

void umlnet_pump_stop(umlnet_pump* pump) {
  const int before = errno;
  const std::uint64_t once = 1;
  (void)!::write(pump->stop.get(), &once, sizeof once);
  errno = before;
}

void umlnet_pump_counters(const umlnet_pump* pump, umlnet_counters* counters, size_t size) {
  const umlnet_counters now = pump->memory->counters.get();
  if (size > sizeof now) std::memset(reinterpret_cast<char*>(counters) + sizeof now, 0, size - sizeof now);
  std::memcpy(counters, &now, std::min(size, sizeof now));
}

umlnet_code umlnet_pump_enter_sandbox(umlnet_pump* pump, umlnet_error* error) {
  return at_border(error, [&] { return umlnet::client::sandbox(*pump); });
}

umlnet_code umlnet_pump_start(umlnet_pump* pump, umlnet_error* error) {
  return at_border(error, [&] { return umlnet::client::start(*pump); });
}

umlnet_code umlnet_pump_wait(umlnet_pump* pump, int timeout_ms, umlnet_pump_end* end, umlnet_error* error) {
  return at_border(error, [&] { return umlnet::client::wait(*pump, timeout_ms, end); });
}

int umlnet_pump_fd(const umlnet_pump* pump) { return pump->process ? pump->process->end_fd() : -1; }

void umlnet_pump_free(umlnet_pump* pump) {
  if (pump == nullptr) return;
  at_border(nullptr, [&]() -> umlnet::client::Outcome<void> {
    if (!pump->process) return {};
    umlnet_pump_stop(pump);
    if (!pump->process->wait(umlnet::client::Deadline::in(umlnet::client::kLastPatience))) pump->process->kill();
    return {};
  });
  delete pump;
}

}  // extern "C"
