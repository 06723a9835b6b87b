#include "libumlnet/cli/pump_process.h"

#include <fcntl.h>
#include <sysexits.h>

#include <cerrno>

namespace umlnet::cli {
namespace {

constexpr int kPatience = 3'000;  // milliseconds from stop() to the process's end; a slow capture has half a second

}  // namespace

Outcome<PumpProcess> PumpProcess::start(umlnet_end a, const std::string& a_name, umlnet_end b,
                                        const std::string& b_name, const PumpOptions& options) {
  PumpProcess process;
  process.totals_->a = a_name;
  process.totals_->b = b_name;
  a.name = process.totals_->a.c_str();
  b.name = process.totals_->b.c_str();
  umlnet_pump_options for_library = UMLNET_PUMP_OPTIONS_INIT;
  for_library.capture_fd = options.capture;
  for_library.capture_snaplen = options.snaplen;
  if (!options.program.empty()) for_library.program = options.program.c_str();

  umlnet_error error;
  umlnet_pump* pump = nullptr;
  if (umlnet_pump_new(&a, &b, &for_library, &pump, &error) != UMLNET_OK) return trouble(error);
  process.pump_.reset(pump);
  process.started_ = std::chrono::steady_clock::now();
  if (options.sandbox) {
    if (umlnet_pump_start(pump, &error) == UMLNET_OK) return process;
    auto failure = trouble(error);
    if (error.code == UMLNET_NO_HELPER) failure.error().text += ". --pump-program PATH says where it is";
    return failure;
  }

  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return trouble_errno(EX_OSERR, "cannot start the pump", errno);
  process.thread_ = std::make_unique<InThread>();
  process.thread_->ended.reset(pipe[0]);
  process.thread_->ended_end.reset(pipe[1]);
  process.thread_->thread = std::thread([pump, &thread = *process.thread_] {
    thread.code = umlnet_pump_run(pump, &thread.end, &thread.error);
    thread.ended_end.reset();
  });
  return process;
}

PumpProcess::~PumpProcess() {
  if (pump_ != nullptr && !over_) stop();
}

int PumpProcess::fd() const { return thread_ != nullptr ? thread_->ended.get() : umlnet_pump_fd(pump_.get()); }

umlnet_counters PumpProcess::counters() const {
  umlnet_counters counters{};
  umlnet_pump_counters(pump_.get(), &counters, sizeof counters);
  return counters;
}

const Totals& PumpProcess::stop() {
  if (over_) return *totals_;
  over_ = true;
  umlnet_pump_stop(pump_.get());
  umlnet_pump_end end = UMLNET_PUMP_STOPPED;
  umlnet_error error = {};
  umlnet_code code = UMLNET_OK;
  if (thread_ != nullptr) {
    thread_->thread.join();
    code = thread_->code;
    end = thread_->end;
    error = thread_->error;
  } else {
    // A process that a guest has taken over, or that somebody has stopped, ends when it is killed.
    code = umlnet_pump_wait(pump_.get(), kPatience, &end, &error);
  }
  totals_->counters = counters();
  totals_->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  if (code != UMLNET_OK) {
    totals_->ended = Totals::Ended::failed;
    totals_->error = error.message;
    exit_status_ = exit_status_of(error);
    if (code == UMLNET_TIMEOUT) {
      totals_->error = "the pump process did not end in time, and has been killed";
      exit_status_ = EX_SOFTWARE;
      pump_.reset();
    }
  } else {
    totals_->ended = end == UMLNET_PUMP_A_GONE   ? Totals::Ended::a_gone
                     : end == UMLNET_PUMP_B_GONE ? Totals::Ended::b_gone
                                                 : Totals::Ended::stopped;
  }
  return *totals_;
}

}  // namespace umlnet::cli
