/*
 * umlnet.hpp: umlnet.h for C++17. Objects that clean up after themselves, errors as exceptions, callbacks as
 * std::function; everything else is as umlnet.h says, and is not said again here.
 *
 *   umlnet::Nic nic("tuntap,,,10.0.0.254");
 *   nic.add_address("10.0.0.1", "24");
 *   nic.open();
 *
 * What holds for every class and function:
 *
 * - What umlnet.h returns as a code is thrown as umlnet::Error, and nothing is left half done. The two codes that are
 * no failure are values: nothing to read is std::nullopt, no room to write is false. std::bad_alloc is thrown where
 *   memory runs out on this side of the C functions; on the other side that is an Error with UMLNET_MEMORY.
 * - A Nic, Device, Session or Pump owns what it holds and belongs to one thread at a time. It can be moved, also while
 * it is open or runs in a process; one that was moved from can only be assigned to or destroyed (all else throws
 * UMLNET_INVALID).
 * - No exception passes through the C library. What a callback throws is kept, and thrown again by the member function
 *   during which it was thrown; each place says how. Destructors throw nothing.
 * - A std::string that holds a zero byte is UMLNET_INVALID: C would see only the part before it.
 *
 * Header only, and nothing of it is in libumlnet. The library has a namespace umlnet of its own inside: the shared one
 * shows nothing of that, and next to the static one the inline namespace below, which is part of the linker's name of
 * everything here, keeps the two apart. Where a class here changes so that old and new object files cannot be mixed,
 * the inline namespace gets the next number.
 */
#ifndef UMLNET_UMLNET_HPP
#define UMLNET_UMLNET_HPP

#if !defined(__cplusplus) || __cplusplus < 201703L
#error "umlnet.hpp needs C++17; umlnet.h is for C11 and for every C++"
#endif

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "umlnet.h"

/* An exception must be the same type in every shared object of a program, also in those built with hidden names. */
#pragma GCC visibility push(default)

namespace umlnet {
inline namespace abi1 {

/* ------------------------------------------------------------------------------------------------------- errors -- */

/* One failure, as umlnet_error has it. what() is its message. Copying throws nothing. */
class Error : public std::runtime_error {
 public:
  explicit Error(const umlnet_error& error)
      : std::runtime_error(error.message),
        code_(error.code),
        errnum_(error.errnum),
        exit_status_(error.exit_status),
        helper_(std::make_shared<const std::string>(error.helper)) {}

  /* For transports and ends of your own. */
  Error(umlnet_code code, const std::string& message, int errnum = 0)
      : std::runtime_error(message), code_(code), errnum_(errnum) {}

  umlnet_code code() const noexcept { return code_; }
  const char* code_name() const noexcept { return umlnet_code_name(code_); }
  /* errno where the kernel gave one, else 0. */
  int errnum() const noexcept { return errnum_; }
  /* uml_net's, where it ran to its end; else -1. */
  int exit_status() const noexcept { return exit_status_; }
  /* uml_net's own words, in lines, or "". Lives as long as the last copy of this Error. */
  std::string_view helper() const noexcept { return helper_ ? std::string_view(*helper_) : std::string_view(); }

 private:
  umlnet_code code_;
  int errnum_;
  int exit_status_ = -1;
  std::shared_ptr<const std::string> helper_; /* shared, so that copying cannot fail */
};

/* Not for programs. */
namespace detail {

inline void check(umlnet_code code, const umlnet_error& error) {
  if (code != UMLNET_OK) throw Error(error);
}

/* For the functions that give no umlnet_error. */
[[noreturn]] inline void fail(umlnet_code code, const char* what) {
  throw Error(code, std::string(what) + ": " + umlnet_code_name(code));
}

inline const char* c_string(const std::string& text) {
  if (text.find('\0') != std::string::npos)
    throw Error(UMLNET_INVALID, "a text that holds a zero byte is no argument for umlnet");
  return text.c_str();
}

/* The same, where an empty text stands for NULL. */
inline const char* c_string_or_null(const std::string& text) { return text.empty() ? nullptr : c_string(text); }

/* Rounded up, and cut to what an int holds. */
inline int milliseconds(std::chrono::milliseconds time) noexcept {
  constexpr auto most = std::numeric_limits<int>::max();
  return time.count() < 0 ? -1 : time.count() > most ? most : static_cast<int>(time.count());
}

/* The exception that is being handled, as C has it. */
inline umlnet_code caught(umlnet_error* error) noexcept {
  try {
    throw;
  } catch (const Error& thrown) {
    return umlnet_error_set(error, thrown.code() == UMLNET_OK ? UMLNET_SYSTEM : thrown.code(), thrown.errnum(),
                            thrown.what());
  } catch (const std::bad_alloc&) {
    return umlnet_error_set(error, UMLNET_MEMORY, 0, "out of memory");
  } catch (const std::exception& thrown) {
    return umlnet_error_set(error, UMLNET_SYSTEM, 0, thrown.what());
  } catch (...) {
    return umlnet_error_set(error, UMLNET_SYSTEM, 0, "an exception of an unknown type was thrown");
  }
}

/* What a callback threw, until C has returned. */
class Kept {
 public:
  void keep_current() noexcept {
    if (!exception_) exception_ = std::current_exception();
  }
  void forget() noexcept { exception_ = nullptr; }
  void rethrow() {
    if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
  }

 private:
  std::exception_ptr exception_;
};

}  // namespace detail

/* ------------------------------------------------------------------------------------------------- setup strings -- */

/* What a setup string says. Fields that it does not give are "" or std::nullopt. */
struct Setup {
  std::string transport;
  std::string device;
  std::string gateway;
  std::optional<std::array<std::uint8_t, 6>> mac;

  Setup() = default;
  explicit Setup(const umlnet_setup& setup) : transport(setup.transport), device(setup.device), gateway(setup.gateway) {
    if (setup.has_mac == 0) return;
    mac.emplace();
    for (std::size_t i = 0; i < mac->size(); ++i) (*mac)[i] = setup.mac[i];
  }

  /* umlnet_setup_parse(). Throws UMLNET_INVALID. Any thread. */
  static Setup parse(const std::string& text) {
    umlnet_setup setup = {};
    umlnet_error error = {};
    detail::check(umlnet_setup_parse(detail::c_string(text), &setup, &error), error);
    return Setup(setup);
  }
};

/* ---------------------------------------------------------------------------------------------------- interfaces -- */

/* How uml_net is called, and who hears what it says: umlnet_options. */
struct Options {
  /* Path of uml_net, or a name that is looked up in PATH. "": where it was installed, else "uml_net" in PATH. */
  std::string helper;
  /* What one call of uml_net may take before it is killed. 0: 10 seconds. Negative: no limit. */
  std::chrono::milliseconds timeout{0};
  /* Hears what uml_net explains where it did what it was asked for, and warnings, in lines that end in newline; in the
   * thread and during the call that causes it. What it throws is thrown by that call, once that is through: what the
   * call did stays done. Where the call itself fails, its Error goes before. Empty: not told. */
  std::function<void(std::string_view text)> note;
};

/* Not for programs. */
namespace detail {

/* Who hears what uml_net says. At a place of its own, which C knows. */
class Notes {
 public:
  explicit Notes(std::function<void(std::string_view)> note) : note_(std::move(note)) {}

  umlnet_options c_options(const Options& options) {
    umlnet_options c_options = UMLNET_OPTIONS_INIT;
    c_options.helper = c_string_or_null(options.helper);
    c_options.timeout_ms = milliseconds(options.timeout);
    if (note_) c_options.note = hear;
    c_options.user = this;
    return c_options;
  }

  /* Calls a function of C's, and throws what it returns, or else what hearing it threw. */
  template <class Function>
  void during(Function function) {
    kept_.forget();
    umlnet_error error = {};
    check(function(&error), error);
    kept_.rethrow();
  }

 private:
  static void hear(void* user, const char* text) noexcept {
    auto& self = *static_cast<Notes*>(user);
    try {
      self.note_(text);
    } catch (...) {
      self.kept_.keep_current();
    }
  }

  std::function<void(std::string_view)> note_;
  Kept kept_;
};

}  // namespace detail

/* umlnet_nic: one network interface of a guest. */
class Nic {
 public:
  /* umlnet_nic_new(). Closed, without addresses. Throws UMLNET_INVALID. */
  explicit Nic(const std::string& setup, Options options = {})
      : notes_(std::make_unique<detail::Notes>(std::move(options.note))) {
    const umlnet_options c_options = notes_->c_options(options);
    umlnet_nic* nic = nullptr;
    umlnet_error error = {};
    detail::check(umlnet_nic_new(detail::c_string(setup), &c_options, &nic, &error), error);
    nic_.reset(nic);
  }

  Nic(Nic&&) noexcept = default;
  Nic& operator=(Nic&& other) noexcept {
    Nic taken(std::move(other)); /* what this one was goes with it, and in the right order */
    std::swap(notes_, taken.notes_);
    std::swap(nic_, taken.nic_);
    return *this;
  }
  /* Closes it where it is open. An address that could not be withdrawn is lost here; close() tells. */
  ~Nic() = default;

  /* umlnet_nic_open(). Blocks until uml_net has answered. Throws UMLNET_NO_HELPER, UMLNET_REFUSED, UMLNET_TIMEOUT,
   * UMLNET_PROTOCOL, UMLNET_SYSTEM; UMLNET_STATE where it is open. */
  void open() {
    call([&](umlnet_error* error) { return umlnet_nic_open(nic_.get(), error); });
  }

  /* umlnet_nic_close(). It is closed also where this throws. */
  void close() {
    call([&](umlnet_error* error) { return umlnet_nic_close(nic_.get(), error); });
  }

  /* umlnet_nic_add_address(), umlnet_nic_delete_address(). While it is open they ask uml_net, block, and throw as
   * open() does; UMLNET_INVALID at any time. */
  void add_address(const std::string& address, const std::string& netmask) {
    call([&](umlnet_error* error) {
      return umlnet_nic_add_address(nic_.get(), detail::c_string(address), detail::c_string(netmask), error);
    });
  }
  void delete_address(const std::string& address, const std::string& netmask) {
    call([&](umlnet_error* error) {
      return umlnet_nic_delete_address(nic_.get(), detail::c_string(address), detail::c_string(netmask), error);
    });
  }

  /* For poll(), non-blocking. Belongs to the Nic. -1 while it is closed. */
  int fd() const noexcept { return umlnet_nic_fd(nic_.get()); }
  /* The device's name on the host; "" while it is closed, and where the transport has none. */
  std::string device() const { return umlnet_nic_device(nic_.get()); }
  Setup setup() const {
    if (!nic_) throw Error(UMLNET_INVALID, "there is no interface: the Nic was moved from");
    return Setup(*umlnet_nic_setup(nic_.get()));
  }

  /* One Ethernet frame; never blocks. Its length, or std::nullopt where none is there. Throws UMLNET_CLOSED where the
   * device or the session is gone, UMLNET_STATE while it is closed, UMLNET_PROTOCOL where the frame was lost because it
   * is longer than `room` or no frame at all: then the next one can be read. */
  std::optional<std::size_t> read(void* frame, std::size_t room) {
    std::size_t size = 0;
    const umlnet_code code = umlnet_nic_read(nic_.get(), frame, room, &size);
    if (code == UMLNET_OK) return size;
    if (code == UMLNET_AGAIN) return std::nullopt;
    detail::fail(code, "cannot read a frame");
  }
  /* The other way. false: no room, nothing was written. */
  bool write(const void* frame, std::size_t size) {
    const umlnet_code code = umlnet_nic_write(nic_.get(), frame, size);
    if (code == UMLNET_OK) return true;
    if (code == UMLNET_AGAIN) return false;
    detail::fail(code, "cannot write a frame");
  }

  /* For functions of umlnet.h. Stays with the Nic, also when that is moved. */
  umlnet_nic* get() const noexcept { return nic_.get(); }

 private:
  struct Free {
    void operator()(umlnet_nic* nic) const noexcept { umlnet_nic_free(nic); }
  };
  template <class Function>
  void call(Function function) {
    if (!nic_) throw Error(UMLNET_INVALID, "there is no interface: the Nic was moved from");
    notes_->during(function);
  }

  std::unique_ptr<detail::Notes> notes_; /* before nic_, so that it outlives it: closing tells something too */
  std::unique_ptr<umlnet_nic, Free> nic_;
};

/* ------------------------------------------------------------------------------------------------------- devices -- */

/* What a TAP device is to be: umlnet_device_request. An empty text or list is not asked for. */
struct DeviceRequest {
  std::string device;
  std::vector<std::string> addresses; /* of the host, "10.99.0.254/24" */
  std::vector<std::string> guests;
  std::string guest_mac;
  std::string bridge;
  bool isolated = false;
  std::uint32_t mtu = 0;
  std::string mac; /* of the host's side */
  std::uint32_t queues = 1;
  bool vnet_hdr = false;
  int netns = -1; /* borrowed for the call */
  bool persistent = false;
  bool sealed = false;
  bool anti_spoof = false;
  std::vector<std::string> guest_macs; /* besides guest_mac */
  std::string owner;                   /* "1001", or ":1001" for a group */
};

/* umlnet_device: a TAP device as uml_net has made it, and its descriptors. */
class Device {
 public:
  /* umlnet_device_open(): one call of uml_net. Blocks. Throws UMLNET_INVALID, UMLNET_REFUSED, UMLNET_NO_HELPER,
   * UMLNET_TIMEOUT, UMLNET_PROTOCOL, UMLNET_SYSTEM. */
  explicit Device(const DeviceRequest& request, Options options = {}) {
    detail::Notes notes(std::move(options.note));
    const umlnet_options c_options = notes.c_options(options);
    open(request, notes, [&](const umlnet_device_request* c_request, umlnet_device** device, umlnet_error* error) {
      return umlnet_device_open(c_request, &c_options, device, error);
    });
  }

  Device(Device&&) noexcept = default;
  Device& operator=(Device&&) noexcept = default;
  /* Closes the descriptors that were not taken. The device goes with the last copy of them, unless it is persistent. */
  ~Device() = default;

  /* umlnet_device_remove(): deletes a device of the caller's, whoever holds it. Throws as the constructor does. */
  static void remove(const std::string& device, Options options = {}) {
    detail::Notes notes(std::move(options.note));
    const umlnet_options c_options = notes.c_options(options);
    notes.during(
        [&](umlnet_error* error) { return umlnet_device_remove(detail::c_string(device), &c_options, error); });
  }

  /* umlnet_device_describe(): what was made. Lives as long as the Device, also when that is moved. */
  const umlnet_device_info& info() const {
    if (!device_) throw Error(UMLNET_INVALID, "there is no device: the Device was moved from");
    return *umlnet_device_describe(device_.get());
  }
  std::string name() const { return info().name; }
  /* Of a queue, from 0 on, or the socket of a sealed device: non-blocking, the Device's. take_fd(): the caller's. -1:
   * there is none, or it was taken. */
  int fd(std::size_t index = 0) const noexcept { return umlnet_device_fd(device_.get(), index); }
  int take_fd(std::size_t index = 0) noexcept { return umlnet_device_take_fd(device_.get(), index); }

  /* For functions of umlnet.h. Stays with the Device, also when that is moved. */
  umlnet_device* get() const noexcept { return device_.get(); }

 private:
  friend class Session;
  struct Free {
    void operator()(umlnet_device* device) const noexcept { umlnet_device_free(device); }
  };

  Device() = default;

  template <class Function>
  void open(const DeviceRequest& request, detail::Notes& notes, Function function) {
    const auto c_list = [](const std::vector<std::string>& texts) {
      std::vector<const char*> list;
      list.reserve(texts.size() + 1);
      for (const auto& text : texts) list.push_back(detail::c_string(text));
      list.push_back(nullptr);
      return list;
    };
    const auto addresses = c_list(request.addresses);
    const auto guests = c_list(request.guests);
    const auto guest_macs = c_list(request.guest_macs);
    umlnet_device_request c_request = UMLNET_DEVICE_REQUEST_INIT;
    c_request.device = detail::c_string_or_null(request.device);
    c_request.addresses = addresses.data();
    c_request.guests = guests.data();
    c_request.guest_mac = detail::c_string_or_null(request.guest_mac);
    c_request.bridge = detail::c_string_or_null(request.bridge);
    c_request.isolated = request.isolated;
    c_request.mtu = request.mtu;
    c_request.mac = detail::c_string_or_null(request.mac);
    c_request.queues = request.queues;
    c_request.vnet_hdr = request.vnet_hdr;
    c_request.netns = request.netns;
    c_request.persistent = request.persistent;
    c_request.sealed = request.sealed;
    c_request.anti_spoof = request.anti_spoof;
    c_request.guest_macs = guest_macs.data();
    c_request.owner = detail::c_string_or_null(request.owner);
    notes.during([&](umlnet_error* error) {
      umlnet_device* device = nullptr;
      const umlnet_code code = function(&c_request, &device, error);
      device_.reset(device);
      return code;
    });
  }

  std::unique_ptr<umlnet_device, Free> device_;
};

/* ------------------------------------------------------------------------------------------------------ sessions -- */

/* umlnet_session: one uml_net that makes devices for a VM manager's whole life. Belongs to one thread at a time, since
 * options.note does; umlnet.h has what several threads can share. */
class Session {
 public:
  /* umlnet_session_open(). Blocks. Throws UMLNET_REFUSED, UMLNET_NO_HELPER, UMLNET_TIMEOUT, UMLNET_PROTOCOL,
   * UMLNET_SYSTEM. */
  explicit Session(Options options = {}) : notes_(std::make_unique<detail::Notes>(std::move(options.note))) {
    const umlnet_options c_options = notes_->c_options(options);
    notes_->during([&](umlnet_error* error) {
      umlnet_session* session = nullptr;
      const umlnet_code code = umlnet_session_open(&c_options, &session, error);
      session_.reset(session);
      return code;
    });
  }

  Session(Session&&) noexcept = default;
  Session& operator=(Session&& other) noexcept {
    Session taken(std::move(other)); /* what this one was goes with it, and in the right order */
    std::swap(notes_, taken.notes_);
    std::swap(session_, taken.session_);
    return *this;
  }
  /* Closes it where it is open. What uml_net could not take back is not told here; close() does. */
  ~Session() = default;

  /* umlnet_session_open_device(), umlnet_session_remove_device(). Block. Throw as Device does; UMLNET_CLOSED where the
   * session is over. */
  Device open(const DeviceRequest& request) {
    there();
    Device device;
    device.open(request, *notes_,
                [&](const umlnet_device_request* c_request, umlnet_device** made, umlnet_error* error) {
                  return umlnet_session_open_device(session_.get(), c_request, made, error);
                });
    return device;
  }
  void remove(const std::string& device) {
    there();
    notes_->during([&](umlnet_error* error) {
      return umlnet_session_remove_device(session_.get(), detail::c_string(device), error);
    });
  }

  /* umlnet_session_reload(): takes the policy as it is now. Throws as open() does. */
  void reload() {
    there();
    notes_->during([&](umlnet_error* error) { return umlnet_session_reload(session_.get(), error); });
  }

  /* For poll(): readable once uml_net has ended. Belongs to the Session. */
  int fd() const noexcept { return umlnet_session_fd(session_.get()); }

  /* umlnet_session_close(): waits until uml_net has taken back what it made. Throws UMLNET_TIMEOUT, UMLNET_SYSTEM. */
  void close() {
    there();
    notes_->during([&](umlnet_error* error) { return umlnet_session_close(session_.get(), error); });
  }

  /* For functions of umlnet.h. Stays with the Session, also when that is moved. */
  umlnet_session* get() const noexcept { return session_.get(); }

 private:
  struct Free {
    void operator()(umlnet_session* session) const noexcept { umlnet_session_free(session); }
  };

  void there() const {
    if (!session_) throw Error(UMLNET_INVALID, "there is no session: the Session was moved from");
  }

  std::unique_ptr<detail::Notes> notes_; /* before session_, so that it outlives it */
  std::unique_ptr<umlnet_session, Free> session_;
};

/* --------------------------------------------------------------------------------------------------- transports -- */

/*
 * A transport of your own: one object is one open interface, and its destructor closes it. What its functions throw
 * becomes the code and the message that the caller of umlnet_nic gets (an Error its own code, everything else
 * UMLNET_SYSTEM), so that a Nic throws an Error again.
 */
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /* As Nic has them. Throw Error(UMLNET_CLOSED, ...) at the end. */
  virtual std::optional<std::size_t> read(void* frame, std::size_t room) = 0;
  virtual bool write(const void* frame, std::size_t size) = 0;
  /* The guest has, or no longer has, this address. The netmask is four decimal numbers with dots. */
  virtual void add_address(const std::string& /*address*/, const std::string& /*netmask*/) {}
  virtual void delete_address(const std::string& /*address*/, const std::string& /*netmask*/) {}
  /* For poll(). -1: none. */
  virtual int fd() const noexcept { return -1; }
  /* The device's name on the host, as long as this object lives. "": none. */
  virtual const char* device() const noexcept { return ""; }
};

/* Makes one for an interface that is opened. The options are those of the Nic; its note can be called, and kept, for as
 * long as the Nic lives. */
using TransportFactory = std::function<std::unique_ptr<Transport>(const Setup& setup, const Options& options)>;

namespace detail {

/* A transport's functions as C calls them. */
struct TransportCalls {
  static Transport& self(void* state) noexcept { return *static_cast<Transport*>(state); }

  static umlnet_code open(void* user, const umlnet_setup* setup, const umlnet_options* c_options, void** state,
                          umlnet_error* error) noexcept {
    try {
      Options options;
      if (c_options->helper != nullptr) options.helper = c_options->helper;
      options.timeout = std::chrono::milliseconds(c_options->timeout_ms);
      if (c_options->note != nullptr)
        options.note = [note = c_options->note, listener = c_options->user](std::string_view text) {
          note(listener, std::string(text).c_str());
        };
      auto transport = (*static_cast<const TransportFactory*>(user))(Setup(*setup), options);
      if (!transport) return umlnet_error_set(error, UMLNET_SYSTEM, 0, "the transport's factory made nothing");
      *state = transport.release();
      return UMLNET_OK;
    } catch (...) {
      return caught(error);
    }
  }
  static umlnet_code read(void* state, void* frame, std::size_t room, std::size_t* size) noexcept {
    try {
      const auto length = self(state).read(frame, room);
      *size = length.value_or(0);
      return length ? UMLNET_OK : UMLNET_AGAIN;
    } catch (...) {
      return caught(nullptr);
    }
  }
  static umlnet_code write(void* state, const void* frame, std::size_t size) noexcept {
    try {
      return self(state).write(frame, size) ? UMLNET_OK : UMLNET_AGAIN;
    } catch (...) {
      return caught(nullptr);
    }
  }
  static void close(void* state) noexcept { delete static_cast<Transport*>(state); }
  static umlnet_code add_address(void* state, const char* address, const char* netmask, umlnet_error* error) noexcept {
    try {
      self(state).add_address(address, netmask);
      return UMLNET_OK;
    } catch (...) {
      return caught(error);
    }
  }
  static umlnet_code delete_address(void* state, const char* address, const char* netmask,
                                    umlnet_error* error) noexcept {
    try {
      self(state).delete_address(address, netmask);
      return UMLNET_OK;
    } catch (...) {
      return caught(error);
    }
  }
  static int fd(void* state) noexcept { return self(state).fd(); }
  static const char* device(void* state) noexcept { return self(state).device(); }
};

}  // namespace detail

/* umlnet_transport_register(): from now on, for the whole process, for good; the factory stays with the library. It may
 * be called by several threads at once. Throws UMLNET_INVALID for a name that is none, UMLNET_STATE for one that is
 * taken. Any thread. */
inline void register_transport(const std::string& name, TransportFactory factory, bool needs_device = false) {
  if (!factory) throw Error(UMLNET_INVALID, "a transport needs a factory");
  auto user = std::make_unique<TransportFactory>(std::move(factory));
  umlnet_transport transport = UMLNET_TRANSPORT_INIT;
  transport.name = detail::c_string(name);
  transport.needs_device = needs_device ? 1 : 0;
  transport.user = user.get();
  transport.open = detail::TransportCalls::open;
  transport.read = detail::TransportCalls::read;
  transport.write = detail::TransportCalls::write;
  transport.close = detail::TransportCalls::close;
  transport.add_address = detail::TransportCalls::add_address;
  transport.delete_address = detail::TransportCalls::delete_address;
  transport.fd = detail::TransportCalls::fd;
  transport.device = detail::TransportCalls::device;
  umlnet_error error = {};
  detail::check(umlnet_transport_register(&transport, &error), error);
  [[maybe_unused]] const auto* stays_with_the_library = user.release();
}

/* The names that setup strings can begin with. Any thread. */
inline std::vector<std::string> transports() {
  std::vector<std::string> names;
  for (std::size_t i = 0; const char* name = umlnet_transport_name(i); ++i) names.emplace_back(name);
  return names;
}

/* umlnet_tap_attach(): an fd of the TAP device `device`, which is there already. The caller closes it. Throws
 * UMLNET_REFUSED, UMLNET_INVALID. Any thread. */
inline int tap_attach(const std::string& device, unsigned vnet_hdr = 0) {
  int fd = -1;
  umlnet_error error = {};
  detail::check(umlnet_tap_attach(detail::c_string(device), vnet_hdr, &fd, &error), error);
  return fd;
}

/* ---------------------------------------------------------------------------------------------------------- pump -- */

/* One end of a pump: umlnet_end. A value that can be copied; it owns no fd. */
class End {
 public:
  /* As Nic has them. Throw Error(UMLNET_CLOSED, ...) to say that the end is gone. Whatever else is thrown ends the pump
   * and is thrown again by Pump::run(), but Error(UMLNET_PROTOCOL, ...): that costs one frame. */
  using Read = std::function<std::optional<std::size_t>(void* frame, std::size_t room)>;
  using Write = std::function<bool(const void* frame, std::size_t size)>;

  /* The fd is borrowed until the pump is destroyed, or handed to its process. */
  static End tap(int fd) { return End(UMLNET_TAP, fd); }
  static End ethertap(int fd) { return End(UMLNET_ETHERTAP, fd); }
  static End stream(int fd) { return End(UMLNET_STREAM, fd); }
  static End dgram(int fd) { return End(UMLNET_DGRAM, fd); }
  /* `fd` is polled for something to read; -1 where there is nothing to poll. Copies of the functions stay with the
   * pump, and are called in the thread that runs it. */
  static End callback(Read read, Write write, int fd = -1) {
    if (!read || !write) throw Error(UMLNET_INVALID, "an end of callbacks needs both read and write");
    End end(UMLNET_CALLBACK, fd);
    end.calls_ = std::make_shared<Calls>(Calls{std::move(read), std::move(write), {}});
    end.end_.read = Calls::read_frame;
    end.end_.write = Calls::write_frame;
    end.end_.user = end.calls_.get();
    return end;
  }
  /* umlnet_end_of_nic(). The Nic must stay open, and may be moved, until the pump is destroyed or handed to its
   * process. Throws UMLNET_STATE where it is closed. */
  static End of(Nic& nic) {
    End end(UMLNET_TAP, -1);
    umlnet_error error = {};
    detail::check(umlnet_end_of_nic(nic.get(), &end.end_, &error), error);
    if (end.end_.name != nullptr) end.name(end.end_.name);
    return end;
  }

  /* umlnet_end_of_device(). The Device must keep its descriptor, and may be moved, until the pump is destroyed or
   * handed to its process. Throws UMLNET_STATE where the descriptor was taken, UMLNET_UNSUPPORTED for several queues.
   */
  static End of(const Device& device) {
    End end(UMLNET_TAP, -1);
    umlnet_error error = {};
    detail::check(umlnet_end_of_device(device.get(), &end.end_, &error), error);
    end.name(end.end_.name);
    return end;
  }

  /* `bytes` of virtio-net header before each frame: 0, 10 or 12; `offloads`, UMLNET_OFFLOAD_*: what may be written to
   * this end unfinished. */
  End& vnet_hdr(unsigned bytes, unsigned offloads = 0) noexcept {
    end_.vnet_hdr = bytes;
    end_.offloads = offloads;
    return *this;
  }
  /* For the capture and for messages, instead of "a" or "b". */
  End& name(std::string text) {
    name_ = std::move(text);
    return *this;
  }

 private:
  friend class Pump;

  /* At a place of its own, which C knows. */
  struct Calls {
    Read read;
    Write write;
    detail::Kept kept;

    static umlnet_code read_frame(void* user, void* frame, std::size_t room, std::size_t* size) noexcept {
      auto& self = *static_cast<Calls*>(user);
      try {
        const auto length = self.read(frame, room);
        *size = length.value_or(0);
        return length ? UMLNET_OK : UMLNET_AGAIN;
      } catch (...) {
        return self.keep();
      }
    }
    static umlnet_code write_frame(void* user, const void* frame, std::size_t size) noexcept {
      auto& self = *static_cast<Calls*>(user);
      try {
        return self.write(frame, size) ? UMLNET_OK : UMLNET_AGAIN;
      } catch (...) {
        return self.keep();
      }
    }
    umlnet_code keep() noexcept {
      const umlnet_code code = detail::caught(nullptr);
      if (code != UMLNET_CLOSED && code != UMLNET_PROTOCOL && code != UMLNET_AGAIN) kept.keep_current();
      return code;
    }
  };

  End(umlnet_framing framing, int fd) : end_(UMLNET_END_INIT) {
    end_.framing = framing;
    end_.fd = fd;
  }
  umlnet_end c_end() const {
    umlnet_end end = end_;
    end.name = detail::c_string_or_null(name_);
    return end;
  }
  void forget() const noexcept {
    if (calls_) calls_->kept.forget();
  }
  void rethrow() const {
    if (calls_) calls_->kept.rethrow();
  }

  umlnet_end end_;
  std::string name_;
  std::shared_ptr<Calls> calls_;
};

/* umlnet_pump_options. */
struct PumpOptions {
  /* Where every frame is recorded, as pcapng. -1: nowhere. Borrowed. */
  int capture_fd = -1;
  /* Bytes of each frame to record; 0: all. */
  std::uint32_t capture_snaplen = 0;
  /* Path of the program that start() starts. "": where it was installed. */
  std::string program;
};

/* Why a pump ended: umlnet_pump_end. */
enum class Ended {
  stopped = UMLNET_PUMP_STOPPED,
  a_gone = UMLNET_PUMP_A_GONE,
  b_gone = UMLNET_PUMP_B_GONE,
};

/* umlnet_pump: moves Ethernet frames between two ends. */
class Pump {
 public:
  /* umlnet_pump_new(). Throws UMLNET_INVALID, UMLNET_SYSTEM, UMLNET_MEMORY. */
  Pump(End a, End b, const PumpOptions& options = {}) : a_(std::move(a)), b_(std::move(b)) {
    umlnet_pump_options c_options = UMLNET_PUMP_OPTIONS_INIT;
    c_options.capture_fd = options.capture_fd;
    c_options.capture_snaplen = options.capture_snaplen;
    c_options.program = detail::c_string_or_null(options.program);
    const umlnet_end c_a = a_.c_end();
    const umlnet_end c_b = b_.c_end();
    umlnet_pump* pump = nullptr;
    umlnet_error error = {};
    detail::check(umlnet_pump_new(&c_a, &c_b, &c_options, &pump, &error), error);
    pump_.reset(pump);
  }

  Pump(Pump&&) noexcept = default;
  Pump& operator=(Pump&& other) noexcept {
    Pump taken(std::move(other)); /* what this one was goes with it, and in the right order */
    std::swap(a_, taken.a_);
    std::swap(b_, taken.b_);
    std::swap(pump_, taken.pump_);
    return *this;
  }
  /* umlnet_pump_free(): stops it where it runs in a process, and waits for that. Not while run() is in it. */
  ~Pump() = default;

  /* umlnet_pump_run(): moves frames in the calling thread, until it is stopped or an end is gone. Throws what a
   * callback of an end threw; UMLNET_PROTOCOL, UMLNET_SYSTEM; UMLNET_STATE where it runs already. */
  Ended run() {
    a_.forget();
    b_.forget();
    umlnet_pump_end end = UMLNET_PUMP_STOPPED;
    umlnet_error error = {};
    const umlnet_code code = umlnet_pump_run(there(), &end, &error);
    a_.rethrow();
    b_.rethrow();
    detail::check(code, error);
    return static_cast<Ended>(end);
  }

  /* umlnet_pump_stop(). Any thread, any signal handler, as long as the Pump stays where it is. */
  void stop() noexcept {
    if (pump_) umlnet_pump_stop(pump_.get());
  }

  /* umlnet_pump_counters(). Any thread, as stop(). */
  umlnet_counters counters() const noexcept {
    umlnet_counters counters = {};
    if (pump_) umlnet_pump_counters(pump_.get(), &counters, sizeof counters);
    return counters;
  }

  /* umlnet_pump_enter_sandbox(): puts the calling process under the pump's sandbox, for good. Throws UMLNET_SANDBOX,
   * UMLNET_UNSUPPORTED for ends with callbacks. */
  void enter_sandbox() {
    umlnet_error error = {};
    detail::check(umlnet_pump_enter_sandbox(there(), &error), error);
  }

  /* umlnet_pump_start(): runs it in a process of its own, in the sandbox. Throws UMLNET_NO_HELPER, UMLNET_SANDBOX,
   * UMLNET_UNSUPPORTED, UMLNET_STATE, UMLNET_SYSTEM. */
  void start() {
    umlnet_error error = {};
    detail::check(umlnet_pump_start(there(), &error), error);
  }

  /* umlnet_pump_wait(): blocks until the process has ended; the second one at most `timeout`, and std::nullopt says
   * that it still runs. May be called again, with the same answer. Throws how it failed; UMLNET_SANDBOX where the
   * sandbox killed it; UMLNET_STATE where it was not started. */
  Ended wait() {
    umlnet_pump_end end = UMLNET_PUMP_STOPPED;
    umlnet_error error = {};
    detail::check(umlnet_pump_wait(there(), -1, &end, &error), error);
    return static_cast<Ended>(end);
  }
  std::optional<Ended> wait(std::chrono::milliseconds timeout) {
    umlnet_pump_end end = UMLNET_PUMP_STOPPED;
    umlnet_error error = {};
    const umlnet_code code = umlnet_pump_wait(there(), detail::milliseconds(timeout), &end, &error);
    if (code == UMLNET_TIMEOUT) return std::nullopt;
    detail::check(code, error);
    return static_cast<Ended>(end);
  }

  /* For poll(): readable once the process has ended. Belongs to the Pump; -1 before start(). */
  int fd() const noexcept { return pump_ ? umlnet_pump_fd(pump_.get()) : -1; }

  /* For functions of umlnet.h. Stays with the Pump, also when that is moved. */
  umlnet_pump* get() const noexcept { return pump_.get(); }

 private:
  struct Free {
    void operator()(umlnet_pump* pump) const noexcept { umlnet_pump_free(pump); }
  };

  umlnet_pump* there() const {
    if (!pump_) throw Error(UMLNET_INVALID, "there is no pump: the Pump was moved from");
    return pump_.get();
  }

  End a_, b_; /* before pump_, so that their callbacks outlive it */
  std::unique_ptr<umlnet_pump, Free> pump_;
};

}  // namespace abi1
}  // namespace umlnet

#pragma GCC visibility pop

#endif /* UMLNET_UMLNET_HPP */
