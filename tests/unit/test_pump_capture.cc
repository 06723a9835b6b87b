// The record of a pump's frames: whole blocks, whatever its reader does, and never at the cost of the pump.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <cstdlib>

#include "tests/unit/pump_fixture.h"

using namespace pump_test;

namespace {

std::uint32_t word(const Bytes& bytes, std::size_t at) {
  std::uint32_t value = 0;
  REQUIRE(at + 4 <= bytes.size());
  std::memcpy(&value, &bytes[at], sizeof value);
  return value;
}

struct Record {
  Bytes frame;
  std::uint32_t length = 0, flags = 0;
  std::uint64_t dropped = 0;
};

struct Parsed {
  std::vector<Record> records;
  std::vector<std::uint32_t> types;  // of all blocks
  bool is_torn = false;              // ends within a block
};

Parsed parse(const Bytes& bytes) {
  Parsed parsed;
  for (std::size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < 12 || bytes.size() - at < word(bytes, at + 4)) {
      parsed.is_torn = true;
      break;
    }
    const std::uint32_t type = word(bytes, at), size = word(bytes, at + 4);
    REQUIRE(size >= 12);
    REQUIRE(word(bytes, at + size - 4) == size);
    parsed.types.push_back(type);
    if (type == 6) {
      Record record;
      const std::uint32_t kept = word(bytes, at + 20);
      record.length = word(bytes, at + 24);
      const auto data = bytes.begin() + static_cast<std::ptrdiff_t>(at + 28);
      record.frame.assign(data, data + kept);
      std::size_t option = at + 28 + (kept + 3) / 4 * 4;
      while (option + 8 <= at + size && word(bytes, option) != 0) {
        const std::uint32_t code = word(bytes, option) & 0xffff, length = word(bytes, option) >> 16;
        if (code == 2) record.flags = word(bytes, option + 4);
        if (code == 4) std::memcpy(&record.dropped, &bytes[option + 4], 8);
        option += 4 + (length + 3) / 4 * 4;
      }
      parsed.records.push_back(record);
    }
    at += size;
  }
  return parsed;
}

Bytes contents(int fd) {
  struct stat status{};
  REQUIRE(::fstat(fd, &status) == 0);
  Bytes bytes(static_cast<std::size_t>(status.st_size));
  REQUIRE(::pread(fd, bytes.data(), bytes.size(), 0) == status.st_size);
  return bytes;
}

umlnet_pump_options capturing(int fd, std::uint32_t snaplen = 0) {
  umlnet_pump_options options = UMLNET_PUMP_OPTIONS_INIT;
  options.capture_fd = fd;
  options.capture_snaplen = snaplen;
  return options;
}

struct Pipe {
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    out.reset(fds[0]);
    in.reset(fds[1]);
  }
  unique_fd out, in;
};

// All that comes until the other side closes.
Bytes read_all(int fd) {
  Bytes all, piece(65536);
  for (;;) {
    const ssize_t size = ::read(fd, piece.data(), piece.size());
    if (size <= 0) return all;
    all.insert(all.end(), piece.begin(), piece.begin() + size);
  }
}

// `count` frames of 1,500 bytes, one after the other, from end to end.
void exchange(const Pair& a, const Pair& b, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    send_all(a.peer.get(), frame(1500, i));
    CHECK(receive(b.peer.get()) == frame(1500, i));
  }
}

}  // namespace

TEST_CASE("capture: a file has every frame as it was read, its direction, and what is missing") {
  const unique_fd file(::memfd_create("capture", MFD_CLOEXEC));
  Pair a(SOCK_DGRAM), b(SOCK_DGRAM);
  const auto options = capturing(file.get());
  Pump pump(end_of(UMLNET_ETHERTAP, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get(), 10), &options);
  pump.run_in_thread();
  send_all(a.peer.get(), joined({0, 0}, frame(101, 1)));
  CHECK(receive(b.peer.get()).size() == 111);
  send_all(b.peer.get(), joined(Bytes(10), frame(2000, 2)));  // too long for ethertap
  send_all(b.peer.get(), Bytes(12));                          // too short for anything
  send_all(b.peer.get(), joined(Bytes(10), frame(60, 3)));
  CHECK(receive(a.peer.get()).size() == 62);
  send_all(b.peer.get(), joined(Bytes(10), frame(70, 4)));
  CHECK(receive(a.peer.get()).size() == 72);
  umlnet_pump_stop(pump.get());
  CHECK(pump.join() == UMLNET_OK);

  const Parsed parsed = parse(contents(file.get()));
  CHECK_FALSE(parsed.is_torn);
  CHECK(parsed.types == std::vector<std::uint32_t>{0x0a0d0d0a, 1, 6, 6, 6, 6, 5});
  REQUIRE(parsed.records.size() == 4);
  CHECK(parsed.records[0].frame == frame(101, 1));
  CHECK(parsed.records[0].flags == 1);
  CHECK(parsed.records[0].dropped == 0);
  CHECK(parsed.records[1].frame == frame(2000, 2));
  CHECK(parsed.records[1].flags == 2);
  CHECK(parsed.records[2].frame == frame(60, 3));
  CHECK(parsed.records[3].frame == frame(70, 4));
  // The short one, and the long one, which was recorded before it was dropped.
  CHECK(parsed.records[1].dropped + parsed.records[2].dropped + parsed.records[3].dropped == 2);
  CHECK(pump.counters().captured == 4);
  CHECK(pump.counters().not_captured == 0);
}

TEST_CASE("capture: no more of a frame than was asked for") {
  const unique_fd file(::memfd_create("capture", MFD_CLOEXEC));
  Pair a(SOCK_DGRAM), b(SOCK_DGRAM);
  const auto options = capturing(file.get(), 64);
  Pump pump(end_of(UMLNET_DGRAM, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get()), &options);
  pump.run_in_thread();
  exchange(a, b, 10);
  umlnet_pump_stop(pump.get());
  CHECK(pump.join() == UMLNET_OK);
  const Parsed parsed = parse(contents(file.get()));
  REQUIRE(parsed.records.size() == 10);
  for (const auto& record : parsed.records) {
    CHECK(record.frame.size() == 64);
    CHECK(record.length == 1500);
  }
}

TEST_CASE("capture: a reader that does not read costs records, counted, and never a frame") {
  constexpr std::uint32_t kFrames = 3000;  // more than buffer and pipe hold
  for (const bool is_socket : {false, true}) {
    CAPTURE(is_socket);
    Pipe pipe;
    Pair socket(SOCK_STREAM);
    unique_fd reader = is_socket ? std::move(socket.peer) : std::move(pipe.out);
    unique_fd writer = is_socket ? std::move(socket.pump) : std::move(pipe.in);
    Pair a(SOCK_DGRAM), b(SOCK_DGRAM);
    const auto options = capturing(writer.get());
    Pump pump(end_of(UMLNET_DGRAM, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get()), &options);
    pump.run_in_thread();
    exchange(a, b, kFrames);
    CHECK(pump.counters().not_captured > 0);
    Bytes got;
    std::thread reading([&] { got = read_all(reader.get()); });
    // It reads again: there is room for new records, and these say what is missing before them.
    for (int i = 0; i < 5000 && pump.counters().captured < 700; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    exchange(a, b, 10);
    umlnet_pump_stop(pump.get());
    CHECK(pump.join() == UMLNET_OK);
    writer.reset();
    reading.join();

    const Parsed parsed = parse(got);
    CHECK_FALSE(parsed.is_torn);
    CHECK(parsed.types.back() == 5);
    const auto counters = pump.counters();
    CHECK(counters.captured == parsed.records.size());
    CHECK(counters.captured + counters.not_captured == kFrames + 10);
    std::uint64_t missing = 0;
    for (const auto& record : parsed.records) missing += record.dropped;
    CHECK(missing == counters.not_captured);
    CHECK(parsed.records.back().frame == frame(1500, 9));
  }
}

TEST_CASE("capture: a reader that never reads does not hold up the end either") {
  Pipe pipe;
  Pair a(SOCK_DGRAM), b(SOCK_DGRAM);
  const auto options = capturing(pipe.in.get());
  Pump pump(end_of(UMLNET_DGRAM, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get()), &options);
  pump.run_in_thread();
  exchange(a, b, 1000);
  umlnet_pump_stop(pump.get());
  CHECK(pump.join() == UMLNET_OK);
  const auto counters = pump.counters();
  CHECK(counters.captured + counters.not_captured == 1000);
  // Its next reader finds what was written, up to a block that was cut at the pipe's end.
  pipe.in.reset();
  CHECK(::fcntl(pipe.out.get(), F_SETFL, O_NONBLOCK) == 0);
  const Parsed parsed = parse(read_all(pipe.out.get()));
  CHECK(parsed.records.size() == counters.captured);
}

namespace {

std::atomic<int> signals_seen = 0;
void see(int) { ++signals_seen; }

class SignalsSeen {
 public:
  SignalsSeen() {
    signals_seen = 0;
    struct sigaction action{};
    action.sa_handler = see;
    ::sigaction(SIGPIPE, &action, &pipe_);
    ::sigaction(SIGXFSZ, &action, &size_);
  }
  ~SignalsSeen() {
    ::sigaction(SIGPIPE, &pipe_, nullptr);
    ::sigaction(SIGXFSZ, &size_, nullptr);
  }

 private:
  struct sigaction pipe_{}, size_{};
};

}  // namespace

TEST_CASE("capture: a reader that goes, and a file at its limit, raise no signal and do not end the pump") {
  const SignalsSeen seen;
  Pair a(SOCK_DGRAM), b(SOCK_DGRAM);
  SUBCASE("a pipe") {
    Pipe pipe;
    const auto options = capturing(pipe.in.get());
    Pump pump(end_of(UMLNET_DGRAM, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get()), &options);
    pump.run_in_thread();
    exchange(a, b, 5);
    pipe.out.reset();
    exchange(a, b, 50);
    CHECK(pump.counters().not_captured >= 49);
    umlnet_pump_stop(pump.get());
    CHECK(pump.join() == UMLNET_OK);
    CHECK(pump.counters().captured + pump.counters().not_captured == 55);
  }
  SUBCASE("a file") {
    char name[] = "/tmp/umlnet-capture-XXXXXX";
    const unique_fd file(::mkstemp(name));
    ::unlink(name);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{.rlim_cur = 20'000, .rlim_max = before.rlim_max};
    const auto options = capturing(file.get());
    Pump pump(end_of(UMLNET_DGRAM, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get()), &options);
    ::setrlimit(RLIMIT_FSIZE, &limit);
    pump.run_in_thread();
    exchange(a, b, 2000);
    ::setrlimit(RLIMIT_FSIZE, &before);  // there is room again
    CHECK(pump.counters().not_captured > 0);
    exchange(a, b, 10);
    umlnet_pump_stop(pump.get());
    CHECK(pump.join() == UMLNET_OK);
    const Parsed parsed = parse(contents(file.get()));
    CHECK_FALSE(parsed.is_torn);
    const auto counters = pump.counters();
    CHECK(parsed.records.size() == counters.captured);
    CHECK(counters.captured + counters.not_captured == 2010);
  }
  CHECK(signals_seen == 0);
}
