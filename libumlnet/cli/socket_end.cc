#include "libumlnet/cli/socket_end.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "libumlnet/cli/words.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {
namespace {

class Path {
 public:
  static std::optional<Path> of(const std::string& text) {
    Path path;
    if (text.empty() || text.size() >= sizeof path.address_.sun_path) return std::nullopt;
    path.address_.sun_family = AF_UNIX;
    text.copy(static_cast<char*>(path.address_.sun_path), text.size());
    return path;
  }
  const char* c_str() const { return static_cast<const char*>(address_.sun_path); }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return sizeof address_; }

 private:
  sockaddr_un address_ = {};
};

std::unexpected<Trouble> no_path(const std::string& words, const std::string& form) {
  return malformed(words, "the form is " + form + ", a path has 1 to 107 bytes");
}

// A socket that has its place in the file system, for as long as this lives.
class BoundSocket {
 public:
  BoundSocket() = default;
  BoundSocket(const BoundSocket&) = delete;
  BoundSocket& operator=(const BoundSocket&) = delete;
  ~BoundSocket() { reset(); }

  Outcome<void> bind(int type, const Path& path) {
    fd_.reset(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    if (!fd_) return trouble_errno(EX_OSERR, "cannot make a socket", errno);
    const std::string doing = std::string("cannot make the socket ") + path.c_str();
    if (::bind(fd_.get(), path.address(), path.size()) == 0) {
      path_ = path;
      return {};
    }
    if (errno == EADDRINUSE)
      return trouble(EX_CANTCREAT, doing + ": there is something; remove it where nobody uses it any more");
    return trouble_errno(EX_CANTCREAT, doing, errno);
  }
  int fd() const { return fd_.get(); }
  void reset() {
    fd_.reset();
    if (path_) ::unlink(path_->c_str());
    path_.reset();
  }

 private:
  unique_fd fd_;
  std::optional<Path> path_;
};

constexpr int kLookAgain = 100;  // milliseconds between two looks at what cannot be waited for

umlnet_end as_end(umlnet_framing framing, int fd) {
  umlnet_end end = UMLNET_END_INIT;
  end.framing = framing;
  end.fd = fd;
  return end;
}

class ConnectedStream : public End {
 public:
  explicit ConnectedStream(Path path) : path_(path) {}

  Outcome<bool> open(const Signals& signals) override {
    // Where others wait to be accepted, a connect() that blocks would wait with them, and hear no signal.
    fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) return trouble_errno(EX_OSERR, "cannot make a socket", errno);
    int error = 0;
    while ((error = ::connect(fd_.get(), path_.address(), path_.size()) != 0 ? errno : 0) == EAGAIN)
      if (signals.wait_for(-1, kLookAgain) != 0) return false;
    if (error == 0) return true;
    const std::string doing = std::string("cannot connect to ") + path_.c_str();
    if (error == ENOENT || error == ECONNREFUSED)
      return trouble(EX_UNAVAILABLE, doing + ": " + ::strerror(error) + ". Nobody listens there (yet?)");
    return trouble_errno(error == EACCES ? EX_NOPERM : EX_UNAVAILABLE, doing, error);
  }
  Outcome<umlnet_end> end() override { return as_end(UMLNET_STREAM, fd_.get()); }
  std::string name() const override { return path_.c_str(); }
  Outcome<void> close() override {
    fd_.reset();
    return {};
  }

 private:
  Path path_;
  unique_fd fd_;
};

class ListeningStream : public End {
 public:
  explicit ListeningStream(Path path) : path_(path) {}

  Outcome<bool> open(const Signals& signals) override {
    if (auto bound = listener_.bind(SOCK_STREAM | SOCK_NONBLOCK, path_); !bound) return std::unexpected(bound.error());
    const std::string doing = std::string("cannot wait for a connection to ") + path_.c_str();
    if (::listen(listener_.fd(), 1) != 0) return trouble_errno(EX_OSERR, doing, errno);
    while (signals.wait_for(listener_.fd(), -1) == 0) {
      const int fd = ::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) continue;
      if (fd < 0) return trouble_errno(EX_OSERR, doing, errno);
      fd_.reset(fd);
      return true;
    }
    return false;
  }
  Outcome<umlnet_end> end() override { return as_end(UMLNET_STREAM, fd_.get()); }
  std::string name() const override { return path_.c_str(); }
  Outcome<void> close() override {
    fd_.reset();
    listener_.reset();
    return {};
  }

 private:
  Path path_;
  BoundSocket listener_;
  unique_fd fd_;
};

class Datagrams : public End {
 public:
  Datagrams(Path local, Path remote) : local_(local), remote_(remote) {}

  Outcome<bool> open(const Signals& signals) override {
    if (auto bound = socket_.bind(SOCK_DGRAM, local_); !bound) return std::unexpected(bound.error());
    // Neither side can be there before the other, so this one waits.
    while (::connect(socket_.fd(), remote_.address(), remote_.size()) != 0) {
      if (errno != ENOENT && errno != ECONNREFUSED)
        return trouble_errno(errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE,
                             std::string("cannot connect to ") + remote_.c_str(), errno);
      if (signals.wait_for(-1, kLookAgain) != 0) return false;
    }
    return true;
  }
  Outcome<umlnet_end> end() override { return as_end(UMLNET_DGRAM, socket_.fd()); }
  std::string name() const override { return remote_.c_str(); }
  Outcome<void> close() override {
    socket_.reset();
    return {};
  }

 private:
  Path local_, remote_;
  BoundSocket socket_;
};

}  // namespace

Outcome<std::unique_ptr<End>> connected_stream_end(const std::string& words, const std::string& behind_prefix) {
  const auto path = Path::of(behind_prefix);
  if (!path) return no_path(words, "stream:PATH");
  return std::make_unique<ConnectedStream>(*path);
}

Outcome<std::unique_ptr<End>> listening_stream_end(const std::string& words, const std::string& behind_prefix) {
  const auto path = Path::of(behind_prefix);
  if (!path) return no_path(words, "stream-listen:PATH");
  return std::make_unique<ListeningStream>(*path);
}

Outcome<std::unique_ptr<End>> datagram_end(const std::string& words, const std::string& behind_prefix) {
  const auto paths = split(behind_prefix, ',');
  const auto local = Path::of(paths[0]);
  const auto remote = paths.size() == 2 ? Path::of(paths[1]) : std::nullopt;
  if (!local || !remote) return no_path(words, "dgram:LOCAL,REMOTE");
  return std::make_unique<Datagrams>(*local, *remote);
}

}  // namespace umlnet::cli
