#include "libumlnet/cli/fd_end.h"

#include <fcntl.h>
#include <sysexits.h>

#include <array>
#include <cerrno>
#include <climits>

#include "libumlnet/cli/vnet_header.h"
#include "libumlnet/cli/words.h"
#include "libumlnet/core/plain_text.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {
namespace {

struct Framing {
  const char* name;
  umlnet_framing framing;
  bool takes_vnet;
};
constexpr std::array kFramings = {
    Framing{"tap", UMLNET_TAP, true},
    Framing{"stream", UMLNET_STREAM, true},
    Framing{"dgram", UMLNET_DGRAM, true},
    Framing{"ethertap", UMLNET_ETHERTAP, false},
};

class FdEnd : public End {
 public:
  FdEnd(int number, const Framing& framing, unsigned vnet_hdr)
      : number_(number), framing_(framing), vnet_hdr_(vnet_hdr) {
    // At once: what this program opens later must not be taken for it.
    if (::fcntl(number, F_SETFD, FD_CLOEXEC) == 0) fd_.reset(number);
  }

  Outcome<bool> open(const Signals&) override {
    if (fd_.get() < 0) return trouble_errno(EX_NOINPUT, name(), EBADF);
    return true;
  }
  Outcome<umlnet_end> end() override {
    umlnet_end end = UMLNET_END_INIT;
    end.framing = framing_.framing;
    end.fd = fd_.get();
    end.vnet_hdr = vnet_hdr_;
    // What stands behind a socket may want its frames finished.
    end.offloads = framing_.framing == UMLNET_TAP ? offloads_of_tap(vnet_hdr_) : 0;
    return end;
  }
  std::string name() const override { return "fd " + std::to_string(number_); }
  Outcome<void> close() override {
    fd_.reset();
    return {};
  }

 private:
  int number_;
  const Framing& framing_;
  unsigned vnet_hdr_;
  unique_fd fd_;
};

}  // namespace

Outcome<std::unique_ptr<End>> fd_end(const std::string& words, const std::string& behind_prefix) {
  const auto wrong = [&](const std::string& why) { return malformed(words, why); };
  const auto fields = split(behind_prefix, ',');
  if (fields.size() < 2 || fields.size() > 3) return wrong("the form is fd:N,tap|stream|dgram|ethertap[,vnet=10|12]");
  const auto fd = number(fields[0], INT_MAX);
  if (!fd) return wrong(in_quotes(fields[0]) + " is not the number of a descriptor");
  for (const auto& framing : kFramings) {
    if (fields[1] != framing.name) continue;
    if (fields.size() == 2) return std::make_unique<FdEnd>(static_cast<int>(*fd), framing, 0);
    if (!framing.takes_vnet) return wrong("ethertap has no virtio-net header");
    const auto vnet_hdr = parse_vnet_header(words, fields[2]);
    if (!vnet_hdr) return std::unexpected(vnet_hdr.error());
    return std::make_unique<FdEnd>(static_cast<int>(*fd), framing, *vnet_hdr);
  }
  return wrong(in_quotes(fields[1]) + " is not tap, stream, dgram or ethertap");
}

}  // namespace umlnet::cli
