// What the library makes of a helper that answers anything: the bytes by themselves, and a real process that sends them
// (lying_helper.c). The first byte chooses the call.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "libumlnet/client/helper.h"
#include "libumlnet/client/helper_session.h"
#include "libumlnet/core/uml4_frames.h"
#include "require.h"

using namespace umlnet;
using namespace umlnet::client;

namespace {

constexpr int kTimeout = 30'000;  // milliseconds; the liar never makes one wait

// Lines for a terminal: no control bytes but tab and, where there are lines, newline.
bool is_shown(std::string_view text, bool lines) {
  return std::ranges::all_of(text, [&](char c) { return (c >= ' ' && c <= '~') || c == '\t' || (lines && c == '\n'); });
}

void require_codecs(std::string_view bytes) {
  REQUIRE_THAT(is_shown(uml4::decode_text(bytes), true));
  REQUIRE_THAT(uml4::decode_text(bytes).size() <= bytes.size());
  if (const auto tap = uml4::decode_tap_reply(bytes)) {
    REQUIRE_THAT(is_shown(tap->text, true));
    const auto again = uml4::decode_tap_reply(uml4::tap_reply(tap->device, tap->text));
    REQUIRE_THAT(again && again->device == tap->device);
    REQUIRE_THAT(again->text == tap->text.substr(0, uml4::kMaxReply - IfName::kSize - 1));
  } else {
    fuzz::require_readable(tap.error());
  }
  // What the helper itself may send is never more than a page, and is read again as it was.
  const auto framed = uml4::framed_text(bytes), opening = uml4::control_opening(true, bytes);
  REQUIRE_THAT(framed.size() <= uml4::kMaxReply && opening.size() <= uml4::kMaxReply);
  REQUIRE_THAT(uml4::tap_refusal(bytes).size() <= uml4::kMaxReply);
  std::array<std::uint8_t, sizeof(int)> head{};
  std::memcpy(head.data(), framed.data(), head.size());
  REQUIRE_THAT(uml4::decode_text_length(head) == framed.size() - head.size());
  if (bytes.size() >= head.size()) {
    std::memcpy(head.data(), bytes.data(), head.size());
    if (const auto length = uml4::decode_text_length(head))
      REQUIRE_THAT(*length <= uml4::kMaxReply);
    else
      fuzz::require_readable(length.error());
  }
}

// The liar, where it finds the answers of this process.
class Liar {
 public:
  Liar() {
    char directory[] = "/tmp/umlnet-fuzz-XXXXXX";
    REQUIRE_THAT(::mkdtemp(directory) != nullptr);
    directory_ = directory;
    REQUIRE_THAT(::symlink(UMLNET_LYING_HELPER, path().c_str()) == 0);
  }
  ~Liar() {
    ::unlink(answers().c_str());
    ::unlink(path().c_str());
    ::rmdir(directory_.c_str());
  }
  std::string path() const { return directory_ + "/liar"; }
  void say(std::span<const std::uint8_t> answer) const {
    const unique_fd file(::open(answers().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    REQUIRE_THAT(file);
    REQUIRE_THAT(::write(file.get(), answer.data(), answer.size()) == static_cast<ssize_t>(answer.size()));
  }

 private:
  std::string answers() const { return path() + ".answer"; }
  std::string directory_;
};

int open_fds() {
  int count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

void require_failure(const Failure& failure, int status) {
  REQUIRE_THAT(failure.code == UMLNET_REFUSED || failure.code == UMLNET_PROTOCOL || failure.code == UMLNET_CLOSED ||
                   failure.code == UMLNET_SYSTEM,
               failure.message);
  REQUIRE_THAT(failure.message.size() > 8 && is_shown(failure.message, false), failure.message);
  REQUIRE_THAT(is_shown(failure.helper, true));
  REQUIRE_THAT(failure.exit_status == -1 || failure.exit_status == status);
}

const IfName& device() {
  static const IfName name = *IfName::parse("tap7");
  return name;
}
GuestAddress address() { return {*Ipv4::parse("10.50.0.7"), Ipv4Mask(24)}; }

void ask_for_tap(const Helper& helper, int status, int fds) {
  const auto tap = helper.tuntap_up(Ipv4::parse("10.99.0.254"));
  if (!tap) return require_failure(tap.error(), status);
  REQUIRE_THAT(fds == 1);
  REQUIRE_THAT(tap->fd.get() > 2 && (::fcntl(tap->fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  REQUIRE_THAT(is_shown(tap->text, true));
}

void ask_for_address(const Helper& helper, int status) {
  const auto done = helper.change_address(AddressChange::add, device(), address());
  if (!done) return require_failure(done.error(), status);
  REQUIRE_THAT(status == 0);
  REQUIRE_THAT(is_shown(*done, true));
}

void ask_for_session(const Helper& helper, int status) {
  auto session = HelperSession::open(helper, device(), std::nullopt);
  if (!session) return require_failure(session.error(), status);
  REQUIRE_THAT(session->data() > 2);
  REQUIRE_THAT(is_shown(session->text(), true));
  for (const auto change : {AddressChange::add, AddressChange::remove}) {
    const auto done = session->change_address(change, device(), address());
    if (!done)
      require_failure(done.error(), status);
    else
      REQUIRE_THAT(!done->starts_with("uml_net: ") && is_shown(*done, true));
  }
  if (const auto closed = session->close(); !closed) require_failure(closed.error(), status);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const std::span<const std::uint8_t> answer(data + 1, size - 1);
  require_codecs(std::string_view(reinterpret_cast<const char*>(answer.data()), answer.size()));

  static const Liar liar;
  liar.say(answer);
  const auto helper = Helper::find(liar.path().c_str(), kTimeout);
  REQUIRE_THAT(helper.has_value());
  const int before = open_fds();
  const int status = answer[0] == 255 ? -1 : answer[0];
  switch (data[0] % 3) {
    case 0: ask_for_tap(*helper, status, answer[1] % 9); break;
    case 1: ask_for_address(*helper, status); break;
    default: ask_for_session(*helper, status); break;
  }
  REQUIRE_THAT(open_fds() == before);
  return 0;
}
