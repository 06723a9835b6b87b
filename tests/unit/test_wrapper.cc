#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <new>
#include <type_traits>
#include <vector>

#include "libumlnet/core/unique_fd.h"
#include "tests/unit/qemu_user.h"
#include "umlnet/umlnet.hpp"

// A using-directive would find the library's own names as well: this program is linked with both.
namespace abi = umlnet::abi1;

namespace {

struct Strange {};  // an exception of no standard type

// What is written comes back. Setup strings name what open(), add_address() and read() throw by the device's name.
class Loop : public abi::Transport {
 public:
  static inline int open = 0;

  explicit Loop(std::string device) : device_(std::move(device)) { ++open; }
  ~Loop() override { --open; }

  std::optional<std::size_t> read(void* frame, std::size_t room) override {
    if (device_ == "closed") throw abi::Error(UMLNET_CLOSED, "over");
    if (device_ == "strange") throw Strange();
    if (frames_.empty()) return std::nullopt;
    const auto first = std::move(frames_.front());
    frames_.pop_front();
    std::copy_n(first.begin(), std::min(first.size(), room), static_cast<char*>(frame));
    return first.size();
  }
  bool write(const void* frame, std::size_t size) override {
    if (frames_.size() == 2) return false;
    frames_.emplace_back(static_cast<const char*>(frame), size);
    return true;
  }
  void add_address(const std::string& address, const std::string& netmask) override {
    if (address == "10.0.0.66") throw abi::Error(UMLNET_REFUSED, "not " + address + "/" + netmask, EPERM);
  }
  const char* device() const noexcept override { return device_.c_str(); }

 private:
  std::string device_;
  std::deque<std::string> frames_;
};

// A program that stands in for uml_net, as long as this object lives.
class FakeHelper {
 public:
  explicit FakeHelper(const std::string& script) {
    char place[] = "/tmp/umlnet-fake-XXXXXX";
    const umlnet::unique_fd file(::mkstemp(place));
    REQUIRE(file);
    REQUIRE(::write(file.get(), script.data(), script.size()) == static_cast<ssize_t>(script.size()));
    REQUIRE(::fchmod(file.get(), 0700) == 0);
    path_ = place;
  }
  FakeHelper(const FakeHelper&) = delete;
  FakeHelper& operator=(const FakeHelper&) = delete;
  ~FakeHelper() { ::unlink(path_.c_str()); }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void register_loop() {
  static const bool once = [] {
    abi::register_transport("loop", [](const abi::Setup& setup, const abi::Options& options) {
      if (setup.device == "refused") throw abi::Error(UMLNET_REFUSED, "the loop says no", EACCES);
      if (setup.device == "memory") throw std::bad_alloc();
      if (setup.device == "strange-open") throw Strange();
      if (setup.device == "nothing") return std::unique_ptr<Loop>();
      if (options.note) options.note("loop " + setup.device + " made\n");
      return std::make_unique<Loop>(setup.device);
    });
    return true;
  }();
  static_cast<void>(once);
}

template <class Function>
abi::Error failure_of(Function function) {
  try {
    function();
  } catch (const abi::Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  return {UMLNET_OK, ""};
}

}  // namespace

TEST_CASE("wrapper: a setup string") {
  const auto setup = abi::Setup::parse("ethertap,tap7,fe:fd:0:0:0:1,10.0.0.254");
  CHECK(setup.transport == "ethertap");
  CHECK(setup.device == "tap7");
  CHECK(setup.gateway == "10.0.0.254");
  REQUIRE(setup.mac.has_value());
  CHECK(setup.mac->at(5) == 1);
  CHECK(!abi::Setup::parse("tuntap").mac);

  const auto error = failure_of([] { abi::Setup::parse("slip"); });
  CHECK(error.code() == UMLNET_INVALID);
  CHECK(std::string(error.code_name()) == "UMLNET_INVALID");
  CHECK(std::string(error.what()).find("slip") != std::string::npos);
  CHECK(error.exit_status() == -1);
  CHECK(error.helper().empty());
}

TEST_CASE("wrapper: a text with a zero byte is not cut") {
  using namespace std::string_literals;
  CHECK(failure_of([] { abi::Setup::parse("tuntap\0,tap0"s); }).code() == UMLNET_INVALID);
  abi::Nic nic("tuntap");
  CHECK(failure_of([&] { nic.add_address("10.0.0.1\0 "s, "24"); }).code() == UMLNET_INVALID);
  abi::Options options;
  options.helper = "/bin/false\0"s;
  CHECK(failure_of([&] { abi::Nic("tuntap", options); }).code() == UMLNET_INVALID);
}

TEST_CASE("wrapper: what is no TAP device to attach to") {
  CHECK(failure_of([] { abi::tap_attach("tap/0"); }).code() == UMLNET_INVALID);
  CHECK(failure_of([] { abi::tap_attach("tap0", 11); }).code() == UMLNET_INVALID);
  CHECK(umlnet_tap_attach("tap0", 0, nullptr, nullptr) == UMLNET_INVALID);
}

TEST_CASE("wrapper: a transport in C++, from one end to the other") {
  register_loop();
  const auto names = abi::transports();
  CHECK(std::find(names.begin(), names.end(), "loop") != names.end());
  CHECK(failure_of([] { abi::register_transport("loop", [](auto&&...) { return nullptr; }); }).code() == UMLNET_STATE);
  CHECK(failure_of([] { abi::register_transport("empty", nullptr); }).code() == UMLNET_INVALID);

  std::vector<std::string> notes;
  abi::Options options;
  options.note = [&](std::string_view text) { notes.emplace_back(text); };
  abi::Nic nic("loop,a", options);
  const std::string sent(60, 'x');
  char got[100] = {};
  CHECK(failure_of([&] { nic.read(got, sizeof got); }).code() == UMLNET_STATE);
  CHECK(nic.device().empty());
  nic.open();
  CHECK(nic.device() == "a");
  CHECK(nic.fd() == -1);
  CHECK(nic.setup().device == "a");
  CHECK(notes == std::vector<std::string>{"loop a made\n"});
  CHECK(failure_of([&] { nic.open(); }).code() == UMLNET_STATE);

  CHECK(!nic.read(got, sizeof got));
  CHECK(nic.write(sent.data(), sent.size()));
  CHECK(nic.write(sent.data(), sent.size()));
  CHECK(!nic.write(sent.data(), sent.size()));
  CHECK(nic.read(got, sizeof got) == sent.size());
  CHECK(got == sent);

  nic.add_address("10.0.0.1", "24");
  const auto refused = failure_of([&] { nic.add_address("10.0.0.66", "24"); });
  CHECK(refused.code() == UMLNET_REFUSED);
  CHECK(refused.errnum() == EPERM);
  CHECK(std::string(refused.what()) == "not 10.0.0.66/255.255.255.0");
  nic.close();
  CHECK(Loop::open == 0);
}

TEST_CASE("wrapper: whatever a transport throws is an Error on the other side of C") {
  register_loop();
  const auto opening = [](const std::string& device) { return failure_of([&] { abi::Nic("loop," + device).open(); }); };
  CHECK(opening("refused").code() == UMLNET_REFUSED);
  CHECK(opening("refused").errnum() == EACCES);
  CHECK(std::string(opening("refused").what()) == "the loop says no");
  CHECK(opening("memory").code() == UMLNET_MEMORY);
  CHECK(opening("strange-open").code() == UMLNET_SYSTEM);
  CHECK(opening("nothing").code() == UMLNET_SYSTEM);
  for (const auto& [device, code] : {std::pair("closed", UMLNET_CLOSED), std::pair("strange", UMLNET_SYSTEM)}) {
    abi::Nic nic("loop," + std::string(device));
    nic.open();
    char frame[100];
    CHECK(failure_of([&] { nic.read(frame, sizeof frame); }).code() == code);
  }
  CHECK(Loop::open == 0);
}

TEST_CASE("wrapper: what a note throws comes out of the call that caused it, and what that did stays done") {
  register_loop();
  bool angry = true;
  abi::Options options;
  options.note = [&](std::string_view) {
    if (angry) throw Strange();
  };
  {
    abi::Nic nic("loop,a,,10.0.0.254", options);
    CHECK_THROWS_AS(nic.open(), Strange);
    CHECK(nic.device() == "a");
    angry = false;
    nic.close();
    nic.open();  // and is not thrown once more
    angry = true;
    CHECK_THROWS_AS(nic.add_address("10.0.0.254", "24"), Strange);  // is noted: it equals the gateway
  }
  CHECK(Loop::open == 0);
}

TEST_CASE("wrapper: an interface that is moved, moved from, and assigned over") {
  register_loop();
  std::vector<std::string> notes;
  abi::Options options;
  options.note = [&](std::string_view text) { notes.emplace_back(text); };
  abi::Nic first("loop,a", options);
  first.open();
  abi::Nic second(std::move(first));
  CHECK(second.device() == "a");
  CHECK(first.fd() == -1);
  CHECK(first.device().empty());
  CHECK(failure_of([&] { first.open(); }).code() == UMLNET_INVALID);
  CHECK(failure_of([&] { first.close(); }).code() == UMLNET_INVALID);
  CHECK(failure_of([&] { first.setup(); }).code() == UMLNET_INVALID);
  CHECK(failure_of([&] { abi::End::of(first); }).code() == UMLNET_INVALID);

  abi::Nic other("loop,b", options);
  other.open();
  CHECK(Loop::open == 2);
  second = std::move(other);  // what it was is closed
  CHECK(Loop::open == 1);
  CHECK(second.device() == "b");
  second.close();
  second.open();
  CHECK(notes.back() == "loop b made\n");
  auto& itself = second;
  second = std::move(itself);
  CHECK(second.device() == "b");
}

TEST_CASE("wrapper: a device and a session of the native protocol") {
  if (skip_without_shared_memory()) return;
  // A helper that says what it is told to; its fd 1 is the socket.
  const FakeHelper helper(R"(#!/bin/sh
case "$*" in
  "5 session") printf '{"status":"ok","id":"i","session":true,"fds":0,"notes":["hello"]}\n'; exec cat <&1 >/dev/null ;;
  "5 open queues=2 vnet-hdr") printf '{"status":"error","code":"denied","error":"no","advice":"Ask."}\n'; exit 77 ;;
  "5 remove device=tap7") printf '{"status":"ok","id":"i","device":"tap7","removed":true,"fds":0,"notes":[]}\n' ;;
esac
)");
  abi::Options options;
  options.helper = helper.path();
  std::string heard;
  options.note = [&](std::string_view text) { heard += text; };
  abi::DeviceRequest request;
  request.queues = 2;
  request.vnet_hdr = true;
  const auto refusal = failure_of([&] { const abi::Device device(request, options); });
  CHECK(refusal.code() == UMLNET_REFUSED);
  CHECK(refusal.exit_status() == 77);
  CHECK(refusal.helper() == "no\nAsk.\n");
  request.addresses = {"10.0.0.1", "nowhere"};
  CHECK(failure_of([&] { const abi::Device device(request, options); }).code() == UMLNET_INVALID);
  request.addresses = {std::string("10.0.0.1\0", 9)};
  CHECK(failure_of([&] { const abi::Device device(request, options); }).code() == UMLNET_INVALID);
  CHECK(failure_of([] {
          abi::End::of(abi::Device(abi::DeviceRequest(), abi::Options{"/nowhere/uml_net", {}, {}}));
        }).code() == UMLNET_NO_HELPER);
  abi::Device::remove("tap7", options);
  CHECK(heard == "tap7 removed\n");

  abi::Session session(options);
  CHECK(heard == "tap7 removed\nhello\n");
  CHECK(session.fd() >= 0);
  abi::Session moved = std::move(session);
  CHECK(failure_of([&] { session.close(); }).code() == UMLNET_INVALID);
  CHECK(failure_of([&] { moved.remove("a b"); }).code() == UMLNET_INVALID);
  moved.close();
  CHECK(failure_of([&] { moved.open({}); }).code() == UMLNET_CLOSED);
}

TEST_CASE("wrapper: an Error is copied without a chance to fail, and keeps the helper's words") {
  static_assert(std::is_nothrow_copy_constructible_v<abi::Error>);
  static_assert(std::is_nothrow_move_constructible_v<abi::Nic> && !std::is_copy_constructible_v<abi::Nic>);
  static_assert(std::is_nothrow_move_constructible_v<abi::Pump> && !std::is_copy_constructible_v<abi::Pump>);
  umlnet_error error = {UMLNET_REFUSED, 1, 77, "no", "uml_net: no\n"};
  const abi::Error first(error);
  const auto copy = first;
  CHECK(copy.code() == UMLNET_REFUSED);
  CHECK(copy.errnum() == 1);
  CHECK(copy.exit_status() == 77);
  CHECK(copy.helper() == "uml_net: no\n");
}

namespace {

// Two connected sockets: `pump` is for a pump, `peer` is the test's.
struct Pair {
  umlnet::unique_fd pump, peer;
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    pump.reset(ends[0]);
    peer.reset(ends[1]);
  }
};

const std::string kFrame(60, 'f');

std::optional<std::size_t> nothing(void*, std::size_t) { return std::nullopt; }
bool swallow(const void*, std::size_t) { return true; }

}  // namespace

TEST_CASE("wrapper: a pump with callbacks, run until it is stopped") {
  Pair pair;
  std::string heard;
  abi::Pump* running = nullptr;
  abi::Pump made(abi::End::dgram(pair.pump.get()).name("wire"),
                 abi::End::callback(nothing, [&](const void* frame, std::size_t size) {
                   heard.assign(static_cast<const char*>(frame), size);
                   running->stop();
                   return true;
                 }));
  abi::Pump pump(std::move(made));  // what the callbacks belong to moves along
  running = &pump;
  REQUIRE(::send(pair.peer.get(), kFrame.data(), kFrame.size(), 0) == 60);
  CHECK(pump.run() == abi::Ended::stopped);
  CHECK(heard == kFrame);
  CHECK(pump.counters().a_to_b.frames == 1);
  CHECK(pump.fd() == -1);
  CHECK(failure_of([&] { pump.wait(); }).code() == UMLNET_STATE);
  CHECK(failure_of([&] { pump.start(); }).code() == UMLNET_UNSUPPORTED);
  CHECK(failure_of([&] { made.run(); }).code() == UMLNET_INVALID);
  CHECK(made.counters().a_to_b.frames == 0);
  made.stop();
}

TEST_CASE("wrapper: what the callbacks of a pump throw comes out of run()") {
  const auto run = [](abi::End::Read read, abi::End::Write write) {
    Pair pair;
    REQUIRE(::send(pair.peer.get(), kFrame.data(), kFrame.size(), 0) == 60);
    return abi::Pump(abi::End::dgram(pair.pump.get()), abi::End::callback(std::move(read), std::move(write))).run();
  };
  CHECK_THROWS_AS(run(nothing, [](const void*, std::size_t) -> bool { throw Strange(); }), Strange);
  CHECK_THROWS_AS(run([](void*, std::size_t) -> std::optional<std::size_t> { throw Strange(); }, swallow), Strange);
  const auto error = failure_of(
      [&] { run(nothing, [](const void*, std::size_t) -> bool { throw abi::Error(UMLNET_REFUSED, "no"); }); });
  CHECK(error.code() == UMLNET_REFUSED);
  CHECK(std::string(error.what()) == "no");
  // An end that is gone is no failure.
  CHECK(run(nothing, [](const void*, std::size_t) -> bool { throw abi::Error(UMLNET_CLOSED, ""); }) ==
        abi::Ended::b_gone);
}

TEST_CASE("wrapper: ends that are none, an interface as one") {
  CHECK(failure_of([] { abi::End::callback(nothing, nullptr); }).code() == UMLNET_INVALID);
  CHECK(failure_of([] { abi::Pump(abi::End::tap(-1), abi::End::dgram(-1)); }).code() == UMLNET_INVALID);

  register_loop();
  abi::Nic nic("loop,a");
  CHECK(failure_of([&] { abi::End::of(nic); }).code() == UMLNET_STATE);
  nic.open();
  REQUIRE(nic.write(kFrame.data(), kFrame.size()));
  abi::Nic moved = std::move(nic);
  std::string heard;
  abi::Pump pump(abi::End::of(moved), abi::End::callback(nothing, [&](const void* frame, std::size_t size) -> bool {
                   heard.assign(static_cast<const char*>(frame), size);
                   throw abi::Error(UMLNET_CLOSED, "enough");
                 }));
  CHECK(pump.run() == abi::Ended::b_gone);
  CHECK(heard == kFrame);

  // Assigned over: the old ends' callbacks go with the old pump, and only they.
  Pair pair;
  pump = abi::Pump(abi::End::dgram(pair.pump.get()), abi::End::of(moved));
  pump.stop();
  CHECK(pump.run() == abi::Ended::stopped);
}
