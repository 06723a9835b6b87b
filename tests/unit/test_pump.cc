// What goes through a pump, from socket to socket.
#include <doctest/doctest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>
#include <functional>
#include <mutex>

#include "tests/unit/pump_fixture.h"

using namespace pump_test;

TEST_CASE("pump: stream and datagrams, both ways") {
  Pair stream(SOCK_STREAM), dgram(SOCK_DGRAM);
  Pump pump(end_of(UMLNET_STREAM, stream.pump.get()), end_of(UMLNET_DGRAM, dgram.pump.get()));
  pump.run_in_thread();
  for (const std::size_t size : {14U, 60U, 1514U, 9000U, 65550U}) {
    send_all(stream.peer.get(), in_stream(frame(size, 1)));
    CHECK(receive(dgram.peer.get()) == frame(size, 1));
    send_all(dgram.peer.get(), frame(size, 2));
    CHECK(receive_exactly(stream.peer.get(), size + 4) == in_stream(frame(size, 2)));
  }
  const auto counters = pump.counters(5, 5);
  for (const auto& direction : {counters.a_to_b, counters.b_to_a}) {
    CHECK(direction.frames == 5);
    CHECK(direction.bytes == 14 + 60 + 1514 + 9000 + 65550);
    CHECK(direction.too_short + direction.too_long + direction.malformed + direction.refused == 0);
  }
}

TEST_CASE("pump: sequenced packets, both ways, and their end behind the last of them") {
  Pair packets(SOCK_SEQPACKET), dgram(SOCK_DGRAM);
  Pump pump(end_of(UMLNET_DGRAM, packets.pump.get()), end_of(UMLNET_DGRAM, dgram.pump.get()));
  for (const std::size_t size : {14U, 1514U, 65550U}) send_all(packets.peer.get(), frame(size, 1));
  send_all(dgram.peer.get(), frame(60, 2));
  pump.run_in_thread();
  for (const std::size_t size : {14U, 1514U, 65550U}) CHECK(receive(dgram.peer.get()) == frame(size, 1));
  CHECK(receive(packets.peer.get()) == frame(60, 2));
  send_all(packets.peer.get(), frame(99, 3));
  packets.peer.reset();
  CHECK(receive(dgram.peer.get()) == frame(99, 3));
  CHECK(pump.join() == UMLNET_OK);
  CHECK(pump.end() == UMLNET_PUMP_A_GONE);
  CHECK(pump.counters().a_to_b.frames == 4);
  CHECK(pump.counters().a_to_b.too_short == 0);
}

TEST_CASE("pump: ethertap's padding and sizes") {
  Pair ethertap(SOCK_DGRAM), dgram(SOCK_DGRAM);
  Pump pump(end_of(UMLNET_ETHERTAP, ethertap.pump.get()), end_of(UMLNET_DGRAM, dgram.pump.get()));
  pump.run_in_thread();
  send_all(ethertap.peer.get(), joined({0xaa, 0xbb}, frame(1514, 1)));
  CHECK(receive(dgram.peer.get()) == frame(1514, 1));
  for (const std::size_t size : {1U, 15U, 1517U}) send_all(ethertap.peer.get(), Bytes(size));
  send_all(ethertap.peer.get(), joined({0, 0}, frame(14, 2)));
  CHECK(receive(dgram.peer.get()) == frame(14, 2));

  send_all(dgram.peer.get(), frame(1515, 3));
  send_all(dgram.peer.get(), frame(13, 3));
  send_all(dgram.peer.get(), frame(1514, 4));
  CHECK(receive(ethertap.peer.get()) == joined({0, 0}, frame(1514, 4)));
  const auto counters = pump.counters(2, 1);
  CHECK(counters.a_to_b.frames == 2);
  CHECK(counters.a_to_b.too_short == 2);
  CHECK(counters.a_to_b.too_long == 1);
  CHECK(counters.b_to_a.frames == 1);
  CHECK(counters.b_to_a.too_short == 1);
  CHECK(counters.b_to_a.too_long == 1);
}

TEST_CASE("pump: a stream may come byte by byte, or all at once") {
  Pair stream(SOCK_STREAM), dgram(SOCK_DGRAM);
  Pump pump(end_of(UMLNET_STREAM, stream.pump.get()), end_of(UMLNET_DGRAM, dgram.pump.get()));
  pump.run_in_thread();
  for (const std::uint8_t byte : joined(in_stream(frame(40, 1)), in_stream(frame(20, 2)))) {
    send_all(stream.peer.get(), {byte});
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  CHECK(receive(dgram.peer.get()) == frame(40, 1));
  CHECK(receive(dgram.peer.get()) == frame(20, 2));
  Bytes all;
  for (std::uint32_t i = 0; i < 300; ++i) all = joined(all, in_stream(frame(14 + i, i)));
  std::thread sender([&] { send_all(stream.peer.get(), all); });
  for (std::uint32_t i = 0; i < 300; ++i) CHECK(receive(dgram.peer.get()) == frame(14 + i, i));
  sender.join();
}

namespace {

// One way of a pump, whatever is at its ends: `give` sends a frame, `take` receives one.
struct Way {
  std::function<void(const Bytes&)> give;
  std::function<Bytes()> take;
};

Way way_between(umlnet_framing from, int from_peer, umlnet_framing to, int to_peer) {
  return {.give =
              [=](const Bytes& frame) {
                send_all(from_peer, from == UMLNET_STREAM     ? in_stream(frame)
                                    : from == UMLNET_ETHERTAP ? joined({0, 0}, frame)
                                                              : frame);
              },
          .take = [=]() -> Bytes {
            if (to == UMLNET_STREAM) return receive_from_stream(to_peer);
            Bytes bytes = receive(to_peer);
            if (to == UMLNET_ETHERTAP) bytes.erase(bytes.begin(), bytes.begin() + 2);
            return bytes;
          }};
}

int type_of(umlnet_framing framing) { return framing == UMLNET_STREAM ? SOCK_STREAM : SOCK_DGRAM; }

}  // namespace

TEST_CASE("pump: behind a slow reader frames wait, and none is lost, torn or overtaken; the other way goes on") {
  for (const auto from : {UMLNET_STREAM, UMLNET_DGRAM, UMLNET_ETHERTAP})
    for (const auto to : {UMLNET_STREAM, UMLNET_DGRAM, UMLNET_ETHERTAP}) {
      CAPTURE(from);
      CAPTURE(to);
      Pair a(type_of(from)), b(type_of(to));
      for (const int fd : {a.pump.get(), b.pump.get(), a.peer.get(), b.peer.get()}) {
        const int little = 8192;
        ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
      }
      Pump pump(end_of(from, a.pump.get()), end_of(to, b.pump.get()));
      pump.run_in_thread();
      const Way there = way_between(from, a.peer.get(), to, b.peer.get());
      const Way back = way_between(to, b.peer.get(), from, a.peer.get());
      constexpr std::uint32_t kFrames = 2000;
      const auto size_of = [](std::uint32_t i) { return std::size_t{20} + i * 7919 % 1490; };
      std::thread sender([&] {
        for (std::uint32_t i = 0; i < kFrames; ++i) there.give(frame(size_of(i), i));
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      back.give(frame(99, 12345));
      CHECK(back.take() == frame(99, 12345));
      for (std::uint32_t i = 0; i < kFrames; ++i) {
        if (i % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        const Bytes got = there.take();
        if (got != frame(size_of(i), i)) {
          CHECK(got == frame(size_of(i), i));
          break;
        }
      }
      sender.join();
      const auto counters = pump.counters(kFrames, 1);
      CHECK(counters.a_to_b.frames == kFrames);
      CHECK(counters.a_to_b.waits > 0);
      CHECK(counters.b_to_a.frames == 1);
    }
}

TEST_CASE("pump: a stream whose reader takes odd pieces gets whole frames") {
  Pair a(SOCK_DGRAM), b(SOCK_STREAM);
  const int little = 4096;
  ::setsockopt(b.pump.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
  Pump pump(end_of(UMLNET_DGRAM, a.pump.get()), end_of(UMLNET_STREAM, b.pump.get()));
  pump.run_in_thread();
  Bytes expected;
  std::thread sender([&] {
    for (std::uint32_t i = 0; i < 60; ++i) send_all(a.peer.get(), frame(1 + i % 7 * 9000 + 20, i));
  });
  for (std::uint32_t i = 0; i < 60; ++i) expected = joined(expected, in_stream(frame(1 + i % 7 * 9000 + 20, i)));
  Bytes got;
  std::minstd_rand random(1);
  while (got.size() < expected.size()) {
    Bytes piece(1 + random() % 3000);
    const ssize_t size = ::recv(b.peer.get(), piece.data(), piece.size(), 0);
    REQUIRE(size > 0);
    piece.resize(static_cast<std::size_t>(size));
    got = joined(got, piece);
  }
  sender.join();
  CHECK(got == expected);
}

TEST_CASE("pump: the other side goes") {
  Pair a(SOCK_STREAM), b(SOCK_DGRAM);
  SUBCASE("a stream that is closed, behind its last frame") {
    Pump pump(end_of(UMLNET_STREAM, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get()));
    send_all(a.peer.get(), joined(in_stream(frame(50, 1)), in_stream(frame(60, 2))));
    a.peer.reset();
    pump.run_in_thread();
    CHECK(pump.join() == UMLNET_OK);
    CHECK(pump.end() == UMLNET_PUMP_A_GONE);
    CHECK(receive(b.peer.get()) == frame(50, 1));
    CHECK(receive(b.peer.get()) == frame(60, 2));
  }
  SUBCASE("a stream that is closed while both have something to say: what it said still arrives") {
    Pump pump(end_of(UMLNET_DGRAM, b.pump.get()), end_of(UMLNET_STREAM, a.pump.get()));
    send_all(a.peer.get(), in_stream(frame(50, 1)));
    send_all(b.peer.get(), frame(70, 3));
    a.peer.reset();
    pump.run_in_thread();
    CHECK(pump.join() == UMLNET_OK);
    CHECK(pump.end() == UMLNET_PUMP_B_GONE);
    CHECK(receive(b.peer.get()) == frame(50, 1));
  }
  SUBCASE("a stream that is shut down one way") {
    Pump pump(end_of(UMLNET_DGRAM, b.pump.get()), end_of(UMLNET_STREAM, a.pump.get()));
    pump.run_in_thread();
    ::shutdown(a.peer.get(), SHUT_WR);
    CHECK(pump.join() == UMLNET_OK);
    CHECK(pump.end() == UMLNET_PUMP_B_GONE);
  }
  SUBCASE("a datagram socket: with the next frame for it") {
    Pump pump(end_of(UMLNET_STREAM, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get()));
    pump.run_in_thread();
    b.peer.reset();
    send_all(a.peer.get(), in_stream(frame(50, 1)));
    CHECK(pump.join() == UMLNET_OK);
    CHECK(pump.end() == UMLNET_PUMP_B_GONE);
  }
  SUBCASE("an empty datagram is no end") {
    Pump pump(end_of(UMLNET_DGRAM, b.pump.get()), end_of(UMLNET_STREAM, a.pump.get()));
    pump.run_in_thread();
    REQUIRE(::send(b.peer.get(), "", 0, 0) == 0);
    send_all(b.peer.get(), frame(50, 1));
    CHECK(receive_from_stream(a.peer.get()) == frame(50, 1));
    CHECK(pump.counters().a_to_b.too_short == 1);
  }
  SUBCASE("a reader that hangs up while frames wait for it") {
    const int little = 4096;
    ::setsockopt(a.pump.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    Pump pump(end_of(UMLNET_DGRAM, b.pump.get()), end_of(UMLNET_STREAM, a.pump.get()));
    pump.run_in_thread();
    for (std::uint32_t i = 0; i < 20; ++i) send_all(b.peer.get(), frame(1500, i));
    while (pump.counters().a_to_b.waits == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    a.peer.reset();
    CHECK(pump.join() == UMLNET_OK);
    CHECK(pump.end() == UMLNET_PUMP_B_GONE);
  }
}

TEST_CASE("pump: a stream that makes no sense ends it, behind the frames before") {
  Pair a(SOCK_STREAM), b(SOCK_DGRAM);
  Pump pump(end_of(UMLNET_STREAM, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get()));
  send_all(a.peer.get(), joined(in_stream(frame(50, 1)), {0x7f, 0xff, 0xff, 0xff, 1, 2, 3}));
  pump.run_in_thread();
  CHECK(pump.join() == UMLNET_PROTOCOL);
  CHECK(std::string(pump.error().message).find("end a (a)") != std::string::npos);
  CHECK(receive(b.peer.get()) == frame(50, 1));
}

namespace {

std::atomic<umlnet_pump*> to_stop;
void stop_it(int) { umlnet_pump_stop(to_stop); }

}  // namespace

TEST_CASE("pump: stops") {
  Pair a(SOCK_STREAM), b(SOCK_DGRAM);
  Pump pump(end_of(UMLNET_STREAM, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get()));
  umlnet_pump_end end = UMLNET_PUMP_A_GONE;
  SUBCASE("before it runs, once") {
    umlnet_pump_stop(pump.get());
    CHECK(umlnet_pump_run(pump.get(), &end, nullptr) == UMLNET_OK);
    CHECK(end == UMLNET_PUMP_STOPPED);
    // What it was told to do it has done: it runs again.
    pump.run_in_thread();
    send_all(a.peer.get(), in_stream(frame(50, 1)));
    CHECK(receive(b.peer.get()) == frame(50, 1));
  }
  SUBCASE("from another thread, and two do not run it at once") {
    pump.run_in_thread();
    send_all(a.peer.get(), in_stream(frame(50, 1)));
    CHECK(receive(b.peer.get()) == frame(50, 1));
    CHECK(umlnet_pump_run(pump.get(), &end, nullptr) == UMLNET_STATE);
    CHECK(umlnet_pump_start(pump.get(), nullptr) == UMLNET_STATE);
    umlnet_pump_stop(pump.get());
    CHECK(pump.join() == UMLNET_OK);
    CHECK(pump.end() == UMLNET_PUMP_STOPPED);
  }
  SUBCASE("from a signal handler") {
    to_stop = pump.get();
    struct sigaction action{}, before{};
    action.sa_handler = stop_it;
    REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
    std::thread thread([&] { CHECK(umlnet_pump_run(pump.get(), &end, nullptr) == UMLNET_OK); });
    send_all(a.peer.get(), in_stream(frame(50, 1)));
    CHECK(receive(b.peer.get()) == frame(50, 1));
    ::pthread_kill(thread.native_handle(), SIGUSR1);
    thread.join();
    CHECK(end == UMLNET_PUMP_STOPPED);
    ::sigaction(SIGUSR1, &before, nullptr);
  }
  SUBCASE("while a frame is half written, which the next run completes") {
    const int little = 4096;
    ::setsockopt(a.pump.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    pump.run_in_thread();
    for (std::uint32_t i = 0; i < 20; ++i) send_all(b.peer.get(), frame(5000, i));
    while (pump.counters().b_to_a.waits == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    umlnet_pump_stop(pump.get());
    CHECK(pump.join() == UMLNET_OK);
    pump.run_in_thread();
    for (std::uint32_t i = 0; i < 20; ++i) CHECK(receive_from_stream(a.peer.get()) == frame(5000, i));
  }
}

namespace {

// The host program's own end: frames in two queues.
struct Queues {
  std::mutex mutex;
  std::deque<Bytes> to_pump, from_pump;
  std::size_t room = 1000;
  umlnet_code says = UMLNET_AGAIN;  // where there is nothing to read
  unique_fd event{::eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE)};

  static umlnet_code read(void* user, void* frame, std::size_t room, std::size_t* size) {
    auto& self = *static_cast<Queues*>(user);
    const std::lock_guard lock(self.mutex);
    std::uint64_t one = 0;
    (void)!::read(self.event.get(), &one, sizeof one);
    if (self.to_pump.empty()) return self.says;
    const Bytes bytes = self.to_pump.front();
    self.to_pump.pop_front();
    if (bytes.size() > room) return UMLNET_PROTOCOL;
    std::memcpy(frame, bytes.data(), bytes.size());
    *size = bytes.size();
    return UMLNET_OK;
  }
  static umlnet_code write(void* user, const void* frame, std::size_t size) {
    auto& self = *static_cast<Queues*>(user);
    const std::lock_guard lock(self.mutex);
    if (self.from_pump.size() >= self.room) return UMLNET_AGAIN;
    const auto* bytes = static_cast<const std::uint8_t*>(frame);
    self.from_pump.emplace_back(bytes, bytes + size);
    return UMLNET_OK;
  }
  void give(const Bytes& frame) {
    const std::lock_guard lock(mutex);
    to_pump.push_back(frame);
    const std::uint64_t one = 1;
    (void)!::write(event.get(), &one, sizeof one);
  }
  Bytes take() {
    for (int i = 0; i < 20'000; ++i) {
      {
        const std::lock_guard lock(mutex);
        if (!from_pump.empty()) {
          const Bytes bytes = from_pump.front();
          from_pump.pop_front();
          return bytes;
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {};
  }
  umlnet_end end(bool has_fd) {
    umlnet_end end = end_of(UMLNET_CALLBACK, has_fd ? event.get() : -1);
    end.read = read;
    end.write = write;
    end.user = this;
    return end;
  }
};

}  // namespace

TEST_CASE("pump: functions of the host program as an end, with something to poll and without") {
  for (const bool has_fd : {true, false}) {
    Queues queues;
    queues.room = 5;
    Pair stream(SOCK_STREAM);
    Pump pump(queues.end(has_fd), end_of(UMLNET_STREAM, stream.pump.get()));
    pump.run_in_thread();
    for (std::uint32_t i = 0; i < 200; ++i) queues.give(frame(14 + i * 5, i));
    queues.give(Bytes(13));
    queues.give(Bytes(80'000));
    queues.give(frame(100, 1));
    for (std::uint32_t i = 0; i < 200; ++i) CHECK(receive_from_stream(stream.peer.get()) == frame(14 + i * 5, i));
    CHECK(receive_from_stream(stream.peer.get()) == frame(100, 1));
    std::thread sender([&] {
      for (std::uint32_t i = 0; i < 100; ++i) send_all(stream.peer.get(), in_stream(frame(200, i)));
    });
    for (std::uint32_t i = 0; i < 100; ++i) CHECK(queues.take() == frame(200, i));
    sender.join();
    CHECK(pump.counters().a_to_b.too_short == 1);
    CHECK(pump.counters().a_to_b.malformed == 1);
    CHECK(umlnet_pump_enter_sandbox(pump.get(), nullptr) == UMLNET_STATE);  // it runs
    {
      const std::lock_guard lock(queues.mutex);
      queues.says = UMLNET_CLOSED;
    }
    queues.give(frame(20, 1));
    CHECK(pump.join() == UMLNET_OK);
    CHECK(pump.end() == UMLNET_PUMP_A_GONE);
    CHECK(umlnet_pump_enter_sandbox(pump.get(), nullptr) == UMLNET_UNSUPPORTED);
    CHECK(umlnet_pump_start(pump.get(), nullptr) == UMLNET_UNSUPPORTED);
  }
}

TEST_CASE("pump: what is not an end is refused") {
  Pair stream(SOCK_STREAM), dgram(SOCK_DGRAM), other(SOCK_DGRAM);
  const unique_fd null(::open("/dev/null", O_RDWR)), tun(::open("/dev/net/tun", O_RDWR));
  const unique_fd unconnected(::socket(AF_UNIX, SOCK_DGRAM, 0));
  const umlnet_end good = end_of(UMLNET_DGRAM, other.pump.get());
  umlnet_end unset{};
  umlnet_end nameless = end_of(UMLNET_STREAM, stream.pump.get());
  nameless.name = "tap\n";
  const std::pair<umlnet_end, const char*> cases[] = {
      {unset, "not filled in"},
      {nameless, "name"},
      {end_of(UMLNET_TAP, null.get()), "is not of /dev/net/tun"},
      {end_of(UMLNET_TAP, tun.get()), tun ? "is not tied to a device" : "is not of"},
      {end_of(UMLNET_TAP, -1), "is not of /dev/net/tun"},
      {end_of(UMLNET_STREAM, dgram.pump.get()), "is not a stream socket"},
      {end_of(UMLNET_DGRAM, stream.pump.get()), "is not a datagram socket"},
      {end_of(UMLNET_DGRAM, null.get()), "is not a datagram socket"},
      {end_of(UMLNET_DGRAM, unconnected.get()), "is not connected"},
      {end_of(UMLNET_ETHERTAP, dgram.pump.get(), 10), "ethertap has no vnet_hdr"},
      {end_of(UMLNET_ETHERTAP, stream.pump.get()), "is not a datagram socket"},
      {end_of(UMLNET_STREAM, stream.pump.get(), 11), "vnet_hdr"},
      {end_of(UMLNET_STREAM, stream.pump.get(), 0, UMLNET_OFFLOAD_CSUM), "offloads without vnet_hdr"},
      {end_of(UMLNET_STREAM, stream.pump.get(), 12, 64), "offloads have bits"},
      {end_of(UMLNET_CALLBACK, -1), "lacks read or write"},
      {end_of(static_cast<umlnet_framing>(6), stream.pump.get()), "framing"},
      {good, "both ends"},
  };
  for (const auto& [end, words] : cases) {
    umlnet_pump* pump = nullptr;
    umlnet_error error;
    CHECK(umlnet_pump_new(&end, &good, nullptr, &pump, &error) == UMLNET_INVALID);
    CHECK(pump == nullptr);
    CHECK_MESSAGE(std::string(error.message).find(words) != std::string::npos, error.message);
  }
  umlnet_pump_options options = UMLNET_PUMP_OPTIONS_INIT;
  const umlnet_end a = end_of(UMLNET_STREAM, stream.pump.get());
  for (const int fd : {null.get(), stream.pump.get(), dgram.peer.get(), 4711}) {
    options.capture_fd = fd;
    umlnet_pump* pump = nullptr;
    CHECK(umlnet_pump_new(&a, &good, &options, &pump, nullptr) == UMLNET_INVALID);
  }
  umlnet_pump_free(nullptr);
}
