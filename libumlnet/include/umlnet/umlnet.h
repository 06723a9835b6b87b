/*
 * umlnet.h: networks for virtual machines of ordinary users.
 *
 * A VM manager asks the privileged helper uml_net for a network interface on the host, gets a file descriptor of it,
 * and tells the host which addresses its guest has. This library does the asking, knows the framing of each kind of
 * end, and, where the VM manager does not move packets itself, pumps them, in a sandbox.
 *
 *   umlnet_nic      one network interface of a guest: opened, closed, given addresses, read from and written to
 *   umlnet_device   a TAP device with all that uml_net can make of it: queues, IPv6, a bridge, a guard against spoofing
 *   umlnet_session  one uml_net that makes such devices for a VM manager's whole life
 *   umlnet_pump     moves Ethernet frames between two ends, whatever framing each of them has
 *
 * What holds for every function:
 *
 * - It returns UMLNET_OK or says why not: by the code, and in `error`, which may be NULL. Nothing is left half done.
 * - Objects of this library belong to one thread at a time; different objects may be used by different threads at once.
 *   What may be called from any thread, or from a signal handler, says so.
 * - Nothing is printed, no signal is sent to, handled or blocked for the caller (SIGPIPE and SIGCHLD included), no
 * child is left for it to wait for, the environment and the working directory are left alone, and the process never
 * ends.
 * - A child that the caller forks uses none of the objects it inherits, nor frees them: they are the parent's. One that
 *   execs needs to do nothing, since all descriptors are close-on-exec. A caller that itself execs closes its objects
 *   first, or the new program finds a child of the library's among its own.
 * - A char pointer that goes in is copied; one that comes out lives as long as the object it came from, or until the
 * next call on it.
 * - A structure with a member `size` is filled in from its ..._INIT macro, which sets `size`, so that later versions
 * can add members behind.
 *
 * C11 or C++. Nothing but the C library's headers is needed. Linked by -lumlnet, or as pkg-config --libs umlnet says.
 */
#ifndef UMLNET_UMLNET_H
#define UMLNET_UMLNET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Of the header. umlnet_version() is of the library that runs. */
#define UMLNET_VERSION_MAJOR 1
#define UMLNET_VERSION_MINOR 0

/* "1.0". Any thread. */
const char* umlnet_version(void);

/* ------------------------------------------------------------------------------------------------------- errors -- */

typedef enum umlnet_code {
  UMLNET_OK = 0,
  UMLNET_INVALID = 1,     /* an argument is not what its place asks for: a setup string, an address, a fd, ... */
  UMLNET_NO_HELPER = 2,   /* uml_net cannot be started */
  UMLNET_REFUSED = 3,     /* uml_net, or the kernel in its place, said no; error.helper is its explanation */
  UMLNET_TIMEOUT = 4,     /* not done within the deadline; a helper that hung has been killed */
  UMLNET_PROTOCOL = 5,    /* the other side sent what the protocol does not have */
  UMLNET_SYSTEM = 6,      /* a system call failed: error.errnum */
  UMLNET_CLOSED = 7,      /* the other side is gone */
  UMLNET_AGAIN = 8,       /* nothing there to read now, or no room to write now */
  UMLNET_UNSUPPORTED = 9, /* this transport or kind of end cannot do that */
  UMLNET_STATE = 10,      /* not in this order: opened twice, used while closed, ... */
  UMLNET_SANDBOX = 11,    /* the sandbox cannot be entered, or the pump process was killed by it */
  UMLNET_MEMORY = 12      /* out of memory */
} umlnet_code;

/* One failure. Fixed for the life of ABI 1. Texts are NUL-terminated; a longer one is cut. */
typedef struct umlnet_error {
  umlnet_code code;
  int errnum;         /* errno where the kernel gave one, else 0 */
  int exit_status;    /* uml_net's, where it ran to its end; else -1. Of sysexits.h: 77 is "policy says no" */
  char message[1024]; /* what was being done, to what, why not, what to do about it; one line without newline */
  char helper[4096];  /* uml_net's own words, in lines, or "" */
} umlnet_error;

/* "UMLNET_REFUSED" and so on; "unknown" for a number that is none. Any thread, any signal handler. */
const char* umlnet_code_name(umlnet_code code);

/* Fills `error` (may be NULL) and returns `code`: for transports of your own. */
umlnet_code umlnet_error_set(umlnet_error* error, umlnet_code code, int errnum, const char* message);

/* ------------------------------------------------------------------------------------------------- setup strings -- */

/* What a setup string says, as it stands on the command line of User-Mode Linux behind "eth0=". */
typedef struct umlnet_setup {
  char transport[32]; /* "tuntap", "ethertap", or the name of one that was registered */
  char device[16];    /* "" where not given */
  char gateway[16];   /* the host's own address on the device, four decimal numbers with dots; "" where not given */
  uint8_t mac[6];     /* of the guest */
  uint8_t has_mac;    /* 0 where not given, else 1 */
} umlnet_setup;

/*
 * Parses TRANSPORT[,DEV[,MAC[,GATE]]]:
 *
 *   tuntap,,,10.0.0.254                  a device that uml_net makes, with a name of the kernel's choice
 *   tuntap,tap0,fe:fd:0:0:0:1            the device tap0, which is there already; uml_net is not called
 *   ethertap,tap7,,10.0.0.254            a device tap7 for the life of the session
 *
 * An empty field is one that is not given. UMLNET_INVALID: an unknown transport, no device name for a transport that
 * needs one (ethertap), a field that is not what its place asks for, or more than four fields. The library knows tuntap
 * and ethertap, and what umlnet_transport_register() added. Blocks for nothing. Any thread.
 */
umlnet_code umlnet_setup_parse(const char* text, umlnet_setup* setup, umlnet_error* error);

/* ---------------------------------------------------------------------------------------------------- interfaces -- */

/* How uml_net is called, and who hears what it says. */
typedef struct umlnet_options {
  size_t size;
  /* Path of uml_net, or a name that is looked up in PATH. NULL: where it was installed, else "uml_net" in PATH. */
  const char* helper;
  /* Milliseconds that one call of uml_net may take before it is killed: UMLNET_TIMEOUT. 0: 10,000. Negative: no limit.
   */
  int timeout_ms;
  /* Called with what uml_net explains where it did what it was asked for ("tap0 up with 10.0.0.254/32"), and with
   * warnings, in lines that end in newline; in the thread and during the call that causes it. NULL: not told. */
  void (*note)(void* user, const char* text);
  void* user;
} umlnet_options;
#define UMLNET_OPTIONS_INIT {sizeof(umlnet_options), NULL, 0, NULL, NULL}

typedef struct umlnet_nic umlnet_nic;

/*
 * A network interface as `setup` describes it, closed, without addresses. `options` may be NULL. Checks the setup
 * string, the gateway included, before anything is started: UMLNET_INVALID. *nic belongs to the caller:
 * umlnet_nic_free().
 */
umlnet_code umlnet_nic_new(const char* setup, const umlnet_options* options, umlnet_nic** nic, umlnet_error* error);

/*
 * Opens it: a device is there, its fd is open, and each address that was added is announced to the host. All or
 * nothing: where an address is refused, the device is closed again. Blocks until uml_net has answered, at most
 * timeout_ms for each time it is called.
 *
 *   tuntap without a device name  uml_net makes the device and hands its fd over (IFF_TAP | IFF_NO_PI)
 *   tuntap with one               opens /dev/net/tun, attaches to the device that is there, which must be the caller's
 *                                 (ip tuntap add dev tap0 mode tap user NAME); uml_net is not called, and no address is
 *                                 announced
 *   ethertap                      uml_net keeps the TAP; the fd is a datagram socket to it (2 bytes of padding before
 *                                 each frame). uml_net runs until the interface is closed
 *
 * UMLNET_NO_HELPER, UMLNET_REFUSED, UMLNET_TIMEOUT, UMLNET_PROTOCOL, UMLNET_SYSTEM; UMLNET_STATE where it is open.
 */
umlnet_code umlnet_nic_open(umlnet_nic* nic, umlnet_error* error);

/*
 * Closes it: each address is withdrawn, then the fd is closed. Where uml_net fails to withdraw an address, the rest is
 * done all the same, and the first failure is returned; what is left is removed by the next call of uml_net by anybody.
 * The addresses stay with the object, and are announced at the next open. Closed already: UMLNET_OK.
 */
umlnet_code umlnet_nic_close(umlnet_nic* nic, umlnet_error* error);

/* Closes it where it is open, and frees it. NULL is nothing. */
void umlnet_nic_free(umlnet_nic* nic);

/*
 * The guest has, or no longer has, this IPv4 address: the host is to reach it through the device. `netmask` is "24" or
 * "255.255.255.0". While the interface is closed the address is only remembered; while it is open, uml_net is asked:
 * an address that it refuses is not remembered, and one that it does not take back is not forgotten. An address that
 * equals the gateway is reported by options.note ("The tap IP address and the UML eth IP address must be different")
 * and goes on. Adding what is there, or deleting what is not, is UMLNET_OK and asks nobody. UMLNET_INVALID: not an
 * address or netmask.
 */
umlnet_code umlnet_nic_add_address(umlnet_nic* nic, const char* address, const char* netmask, umlnet_error* error);
umlnet_code umlnet_nic_delete_address(umlnet_nic* nic, const char* address, const char* netmask, umlnet_error* error);

/*
 * The fd that frames come from, non-blocking: for poll(), and to hand to a VM manager (dup() it: this one belongs to
 * the interface, and the device lives as long as any copy). -1 while closed.
 */
int umlnet_nic_fd(const umlnet_nic* nic);

/* The device's name on the host; "" while closed, and where the transport has none. */
const char* umlnet_nic_device(const umlnet_nic* nic);

/* What the setup string said. */
const umlnet_setup* umlnet_nic_setup(const umlnet_nic* nic);

/*
 * One Ethernet frame, without the padding or header that the transport has around it; never blocks. *size is its length
 * in bytes. UMLNET_AGAIN: nothing there, or no room. UMLNET_CLOSED: the device or the session is gone. A frame longer
 * than `room` is lost, and UMLNET_PROTOCOL is returned; so is one that is shorter than an Ethernet header (14 bytes),
 * or longer than the transport takes (ethertap: 1,514), on either way.
 */
umlnet_code umlnet_nic_read(umlnet_nic* nic, void* frame, size_t room, size_t* size);
umlnet_code umlnet_nic_write(umlnet_nic* nic, const void* frame, size_t size);

/*
 * An fd of the TAP device `device`, which is there already and must be the caller's (ip tuntap add dev tap0 mode tap
 * user NAME); uml_net is not called. For VM managers that want what a setup string cannot say: `vnet_hdr` is the size
 * of the virtio-net header before each frame, 0 (none), 10 or 12. One queue, IFF_NO_PI, non-blocking, close-on-exec;
 * *fd belongs to the caller. UMLNET_REFUSED: not there, not the caller's, or in somebody's hands; UMLNET_INVALID. Any
 * thread.
 */
umlnet_code umlnet_tap_attach(const char* device, unsigned vnet_hdr, int* fd, umlnet_error* error);

/* --------------------------------------------------------------------------------------------------- transports -- */

/*
 * A transport of your own. `state` is what open() made. Functions behind `close` may be NULL: no addresses, no name, no
 * fd to poll. They are called by the functions of umlnet_nic, in the thread that calls those.
 */
typedef struct umlnet_transport {
  size_t size;
  const char* name; /* 1 to 31 letters, digits, '-' or '_' */
  int needs_device; /* not 0: a setup string without a device name is an error */
  void* user;       /* handed to open() */
  umlnet_code (*open)(void* user, const umlnet_setup* setup, const umlnet_options* options, void** state,
                      umlnet_error* error);
  /* One frame, never blocking, as umlnet_nic_read() and umlnet_nic_write() have it. */
  umlnet_code (*read)(void* state, void* frame, size_t room, size_t* size);
  umlnet_code (*write)(void* state, const void* frame, size_t size);
  void (*close)(void* state);
  umlnet_code (*add_address)(void* state, const char* address, const char* netmask, umlnet_error* error);
  umlnet_code (*delete_address)(void* state, const char* address, const char* netmask, umlnet_error* error);
  int (*fd)(void* state);
  const char* (*device)(void* state);
} umlnet_transport;
#define UMLNET_TRANSPORT_INIT {sizeof(umlnet_transport), NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}

/*
 * Adds a transport to those that setup strings can name, for the whole process, for good. The structure is copied.
 * UMLNET_INVALID: no such name, a function missing; UMLNET_STATE: the name is taken. Any thread.
 */
umlnet_code umlnet_transport_register(const umlnet_transport* transport, umlnet_error* error);

/* The name of the transport number `index`, from 0 on; NULL behind the last. They never go away. Any thread. */
const char* umlnet_transport_name(size_t index);

/* ------------------------------------------------------------------------------------------------------- devices -- */

/*
 * What a TAP device is to be: what a setup string cannot say. Each member is an option of `uml_net 5 open`, uml_net(8);
 * what is left as UMLNET_DEVICE_REQUEST_INIT has it is not asked for. Everything is copied but `netns`, which is
 * borrowed for the call.
 */
typedef struct umlnet_device_request {
  size_t size;
  /* Its name, 1 to 15 bytes. NULL: the kernel chooses one ("tap0"). */
  const char* device;
  /* The host's own addresses on it, IPv4 or IPv6, with the length of their network's prefix ("10.99.0.254/24",
   * "fd00:99::1/64"; without: that address alone). A list that ends in NULL, of at most 16; NULL: none. */
  const char* const* addresses;
  /* The guest's addresses ("10.50.0.7", "fd00:50::7"), and networks behind it ("10.51.7.0/24"): routed to the device,
   * and made known to the LANs that policy names, by proxy ARP and proxy NDP. With `bridge` only `anti_spoof` looks at
   * them. A list as above. */
  const char* const* guests;
  /* The guest's own MAC address ("52:54:00:12:34:56"); only with `anti_spoof`. */
  const char* guest_mac;
  /* The bridge that it becomes a port of; NULL: none. Not with `addresses`. */
  const char* bridge;
  /* Not 0: the bridge passes no frame between this port and other isolated ones. */
  int isolated;
  /* Bytes: 68 (with IPv6: 1280) to 65521. 0: 1500, or the bridge's. */
  uint32_t mtu;
  /* MAC address of the host's side; NULL: of the kernel's choice. */
  const char* mac;
  /* 1 to 64 queues, with a descriptor each; 0: 1. Those of more than one are opened IFF_MULTI_QUEUE. */
  uint32_t queues;
  /* Not 0: a virtio-net header before each frame (IFF_VNET_HDR), of 10 bytes. Who holds the descriptor may make it 12
   * (TUNSETVNETHDRSZ), and say what it takes unfinished (TUNSETOFFLOAD). */
  int vnet_hdr;
  /* Descriptor of the network namespace that it is made in (/proc/PID/ns/net); the user namespace that owns it must
   * belong to the caller's uid. -1: uml_net's own. */
  int netns;
  /* Not 0: it stays when its descriptors are closed, for whoever attaches to it by its name (umlnet_tap_attach(), the
   * setup string "tuntap,DEV"); umlnet_device_remove() takes it away. Needs `device`. */
  int persistent;
  /* Not 0: there is one descriptor, an AF_UNIX SOCK_SEQPACKET socket, each packet one Ethernet frame; a process without
   * privilege keeps the TAP, and moves the frames. Not with `queues`, `vnet_hdr` and `persistent`. */
  int sealed;
  /* Not 0: of what the guest sends, the host lets in only what has `guest_mac` and one of `guests` as its source, IPv4,
   * ARP, IPv6 and neighbour discovery; in force before anybody has a descriptor. Needs both; not with `vnet_hdr`. */
  int anti_spoof;
  /* MAC addresses of the guest's besides `guest_mac`, as of guests within the guest: a list as above, of 8 with
   * `guest_mac`; NULL: none. */
  const char* const* guest_macs;
  /* Who may attach to it by its name: a uid ("1001"), or a gid behind a colon (":1001"). NULL: the caller's uid. Needs
   * `persistent`. */
  const char* owner;
} umlnet_device_request;
#define UMLNET_DEVICE_REQUEST_INIT \
  {sizeof(umlnet_device_request), NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, 0, 0, -1, 0, 0, 0, NULL, NULL}

/* An address of the guest's, and the host's devices on which it was published: a list that ends in NULL. Fixed for the
 * life of ABI 1. */
typedef struct umlnet_guest {
  const char* address;
  const char* const* published;
} umlnet_guest;

/* What was made, as uml_net says. Lists of char pointers end in NULL. Read only, and only as far as `size` says: a
 * later library may have more members. */
typedef struct umlnet_device_info {
  size_t size;
  const char* name;             /* of the device, in its network namespace */
  uint32_t ifindex;             /* likewise */
  uint8_t mac[6];               /* of the host's side */
  uint32_t mtu;                 /* bytes */
  const char* id;               /* of the request, as in the audit log */
  const char* const* addresses; /* of the host, as in umlnet_device_request, each with its length */
  const umlnet_guest* guests;
  size_t guest_count;
  const char* bridge; /* NULL: none */
  uint32_t queues;
  size_t fd_count; /* how many descriptors came with it: one for each queue, or the one socket */
  int isolated, vnet_hdr, persistent, sealed, anti_spoof; /* 0 or 1, as in umlnet_device_request */
  int in_netns;                                           /* 1: in the namespace that was asked for; 0: in uml_net's */
  const char* const* notes; /* what else uml_net has to say, one line each, without newline */
} umlnet_device_info;

typedef struct umlnet_device umlnet_device;

/*
 * One call of uml_net, and the device is there, up, with all that `request` (NULL: nothing in particular) asks for; or
 * nothing is. Blocks until uml_net has answered and ended, at most options->timeout_ms. *device belongs to the caller:
 * umlnet_device_free(). The device lives as long as somebody holds one of its descriptors, or, where it is persistent,
 * until it is removed. options->note hears what was made, and uml_net's notes.
 *
 * UMLNET_INVALID: there is no such request; nobody was asked. UMLNET_REFUSED: error.helper says why not, and what to do
 * about it; error.exit_status is uml_net's. UMLNET_NO_HELPER, UMLNET_TIMEOUT, UMLNET_PROTOCOL, UMLNET_SYSTEM. Any
 * thread.
 */
umlnet_code umlnet_device_open(const umlnet_device_request* request, const umlnet_options* options,
                               umlnet_device** device, umlnet_error* error);

/*
 * Deletes the device of that name, whoever holds its descriptors. It must have been made by uml_net for the caller's
 * uid: UMLNET_REFUSED for any other, and where there is none. Else as umlnet_device_open(). Any thread.
 */
umlnet_code umlnet_device_remove(const char* device, const umlnet_options* options, umlnet_error* error);

/* As it was made; lives as long as the object. */
const umlnet_device_info* umlnet_device_describe(const umlnet_device* device);

/*
 * The descriptor number `index`, from 0 on: of a queue of the TAP (IFF_TAP | IFF_NO_PI, and what was asked for), or the
 * socket of a sealed device. Non-blocking, close-on-exec, and the object's. umlnet_device_take_fd() makes it the
 * caller's, who then closes it. -1: there is none, or it was taken.
 */
int umlnet_device_fd(const umlnet_device* device, size_t index);
int umlnet_device_take_fd(umlnet_device* device, size_t index);

/* Closes the descriptors that were not taken, and frees it; the device goes with the last copy of them. NULL is
 * nothing. */
void umlnet_device_free(umlnet_device* device);

/* ------------------------------------------------------------------------------------------------------ sessions -- */

/*
 * One uml_net that stays, and answers the requests of a VM manager for its whole life: none of them starts a process.
 * What it made and was not asked to make persistent is gone when the session ends, whoever holds descriptors of it. A
 * session is decided by the policy that was in force when it began: once that has changed, uml_net refuses every
 * further request (error.exit_status 75), until umlnet_session_reload() takes the new one.
 *
 * It ends by umlnet_session_close(), with the process that opened it, and with uml_net. Functions of one session may be
 * called by several threads at once, but for umlnet_session_free(): of two requests one waits for the other.
 */
typedef struct umlnet_session umlnet_session;

/*
 * Starts uml_net. options->timeout_ms is for its start, for each request and for its end. *session belongs to the
 * caller: umlnet_session_free(). UMLNET_REFUSED, UMLNET_NO_HELPER, UMLNET_TIMEOUT, UMLNET_PROTOCOL, UMLNET_SYSTEM.
 */
umlnet_code umlnet_session_open(const umlnet_options* options, umlnet_session** session, umlnet_error* error);

/*
 * As umlnet_device_open() and umlnet_device_remove(). error.exit_status of a refusal is what one call of uml_net would
 * have ended with. Where uml_net does not answer in time it is killed: UMLNET_TIMEOUT; after that, after
 * UMLNET_PROTOCOL and once uml_net has ended for any other reason, the session is over, and all requests are
 * UMLNET_CLOSED. Devices may outlive the object, and are then dead.
 */
umlnet_code umlnet_session_open_device(umlnet_session* session, const umlnet_device_request* request,
                                       umlnet_device** device, umlnet_error* error);
umlnet_code umlnet_session_remove_device(umlnet_session* session, const char* device, umlnet_error* error);

/*
 * From here on the session is decided by the policy as it is now; its devices stay, also those that the policy would
 * not grant any more. UMLNET_REFUSED where that policy cannot be used: then the session keeps refusing. Other errors as
 * above.
 */
umlnet_code umlnet_session_reload(umlnet_session* session, umlnet_error* error);

/* For poll(): readable once uml_net has ended. Belongs to the session. */
int umlnet_session_fd(const umlnet_session* session);

/*
 * Ends the session, and waits until uml_net has taken back what it made in it: UMLNET_TIMEOUT where it hangs, and is
 * killed; UMLNET_SYSTEM where it failed at that, or had ended in another way before. Closed already: UMLNET_OK.
 */
umlnet_code umlnet_session_close(umlnet_session* session, umlnet_error* error);

/* Closes it where it is open, and frees it. NULL is nothing. */
void umlnet_session_free(umlnet_session* session);

/* ---------------------------------------------------------------------------------------------------------- pump -- */

typedef enum umlnet_framing {
  UMLNET_TAP = 1,      /* fd of a TAP device, IFF_NO_PI: one frame a read */
  UMLNET_ETHERTAP = 2, /* AF_UNIX datagram socket: 2 bytes of padding, then the frame */
  UMLNET_STREAM = 3,   /* stream socket: 4 bytes of length, big-endian, then the frame (QEMU -netdev stream) */
  UMLNET_DGRAM = 4,    /* connected datagram or sequenced-packet socket: one frame each (QEMU -netdev dgram) */
  UMLNET_CALLBACK = 5  /* functions of yours */
} umlnet_framing;

/* What a reader takes unfinished, where a virtio-net header says what is missing. */
enum {
  UMLNET_OFFLOAD_CSUM = 1, /* checksums */
  UMLNET_OFFLOAD_TSO4 = 2, /* TCP segmentation over IPv4 */
  UMLNET_OFFLOAD_TSO6 = 4, /* over IPv6 */
  UMLNET_OFFLOAD_ECN = 8,  /* the same of streams that use ECN */
  UMLNET_OFFLOAD_USO = 16, /* UDP segmentation */
  UMLNET_OFFLOAD_ALL = 31
};

/* One end of a pump. */
typedef struct umlnet_end {
  size_t size;
  umlnet_framing framing;
  /* Borrowed until the pump is freed, or handed to its process (umlnet_pump_start). A TAP is set to O_NONBLOCK, and
   * with vnet_hdr to leave to the pump all that it can finish (TUNSETOFFLOAD: checksums, TCP and UDP segmentation); a
   * device that persists keeps that until somebody sets it anew, as umlnet_tap_attach() does. Sockets are left as they
   * are. With UMLNET_CALLBACK: polled for something to read; -1 where there is nothing to poll, and read() is called
   * every millisecond. */
  int fd;
  /* Bytes of virtio-net header before each frame: 0, 10 or 12 (IFF_VNET_HDR, TUNSETVNETHDRSZ). Not for UMLNET_ETHERTAP
   * and UMLNET_CALLBACK. */
  unsigned vnet_hdr;
  /* UMLNET_OFFLOAD_*: what may be written to this end unfinished. What is not here is finished in software on the way.
   * Without vnet_hdr nothing can be left unfinished. A TAP with CSUM and TSO4 or TSO6 also gets what has come as single
   * segments joined into large frames, where cutting would give back just those segments. */
  unsigned offloads;
  /* For the capture and for messages. NULL: "a" or "b". */
  const char* name;
  /* With UMLNET_CALLBACK. As umlnet_nic_read() and umlnet_nic_write() have it, called by umlnet_pump_run(). After
   * UMLNET_AGAIN from write() it is called again within a millisecond; UMLNET_CLOSED ends the pump; UMLNET_PROTOCOL
   * costs the frame; what else is no UMLNET_OK is what umlnet_pump_run() returns. */
  umlnet_code (*read)(void* user, void* frame, size_t room, size_t* size);
  umlnet_code (*write)(void* user, const void* frame, size_t size);
  void* user;
} umlnet_end;
#define UMLNET_END_INIT {sizeof(umlnet_end), UMLNET_TAP, -1, 0, 0, NULL, NULL, NULL, NULL}

/* Fills `end` in for an open interface, which stays the owner of the fd. UMLNET_STATE: it is closed. */
umlnet_code umlnet_end_of_nic(umlnet_nic* nic, umlnet_end* end, umlnet_error* error);

/* The same for a device: its TAP, with the virtio-net header and what the kernel takes unfinished where it has one, or
 * the socket of a sealed one. UMLNET_STATE: its descriptor was taken; UMLNET_UNSUPPORTED: it has several queues. */
umlnet_code umlnet_end_of_device(const umlnet_device* device, umlnet_end* end, umlnet_error* error);

typedef struct umlnet_pump_options {
  size_t size;
  /* A file, a pipe or a stream socket where every frame is recorded, as pcapng for Wireshark, seen from `a`: what came
   * out of it is inbound. -1: nowhere. Borrowed, and its flags stay as they are; what else writes to a pipe or socket
   * at the same time tears the records. Frames are recorded as they were read, before anything is finished in software.
   * A reader that is too slow (a full pipe) or a full disk costs records, which are counted, and never holds up the
   * pump; at the pump's end it has half a second more. */
  int capture_fd;
  /* Bytes of each frame to record; 0: all. */
  uint32_t capture_snaplen;
  /* Path of the program that umlnet_pump_start() starts. NULL: where it was installed. */
  const char* program;
} umlnet_pump_options;
#define UMLNET_PUMP_OPTIONS_INIT {sizeof(umlnet_pump_options), -1, 0, NULL}

/* One direction. Counted since the pump was made; never reset. */
typedef struct umlnet_direction {
  uint64_t frames;    /* written at the far end, joined ones as one */
  uint64_t bytes;     /* in them: Ethernet frames, without headers and padding of the ends */
  uint64_t too_short; /* dropped: less than an Ethernet header */
  uint64_t too_long;  /* dropped: more than the far end takes */
  uint64_t malformed; /* dropped: a virtio-net header that does not fit its frame */
  uint64_t refused;   /* dropped by the far end: the device is down, nobody is there, no memory */
  uint64_t segmented; /* frames that were cut into several in software */
  uint64_t checksums; /* frames whose checksum was finished in software, those cut not among them */
  uint64_t waits;     /* times that the far end had no room: frames then wait at the near end */
} umlnet_direction;

typedef struct umlnet_counters {
  umlnet_direction a_to_b, b_to_a;
  uint64_t captured;     /* frames recorded */
  uint64_t not_captured; /* frames that the capture's reader was too slow for, or its disk too full */
} umlnet_counters;

typedef struct umlnet_pump umlnet_pump;

/* Why a pump ended. */
typedef enum umlnet_pump_end {
  UMLNET_PUMP_STOPPED = 0, /* umlnet_pump_stop() */
  /* End a was closed by its other side, or its device deleted. A datagram socket does not show that its other side is
   * closed before the next frame is written to it. */
  UMLNET_PUMP_A_GONE = 1,
  UMLNET_PUMP_B_GONE = 2
} umlnet_pump_end;

/*
 * A pump between two ends. Checks that each fd is what its framing asks for. `options` may be NULL. *pump belongs to
 * the caller: umlnet_pump_free(). UMLNET_INVALID, UMLNET_SYSTEM, UMLNET_MEMORY.
 */
umlnet_code umlnet_pump_new(const umlnet_end* a, const umlnet_end* b, const umlnet_pump_options* options,
                            umlnet_pump** pump, umlnet_error* error);

/*
 * Moves frames, both ways, in the calling thread, until it is stopped or an end is gone: *end (may be NULL) says which.
 * Up to 64 frames go one way before the other gets its turn. Where the far end has no room, frames wait in the near
 * end's own queue, and only that direction waits. While frames come less than 50 us apart, and there is a second
 * processor, it asks for the next one that long before it sleeps; idle, it takes no processor time. Allocates nothing.
 * A pump that was stopped can run again, and goes on where it was. UMLNET_PROTOCOL: a stream that cannot be followed
 * any more; UMLNET_SYSTEM; UMLNET_STATE: it runs already, or its process does.
 */
umlnet_code umlnet_pump_run(umlnet_pump* pump, umlnet_pump_end* end, umlnet_error* error);

/* Makes the pump end soon, wherever it runs; one that does not run yet ends at once when it does, and not again after
 * that. Any thread, any signal handler. */
void umlnet_pump_stop(umlnet_pump* pump);

/* As they are now, wherever it runs. `size` is sizeof(umlnet_counters). Any thread. */
void umlnet_pump_counters(const umlnet_pump* pump, umlnet_counters* counters, size_t size);

/*
 * Puts the calling process under the pump's sandbox, for good: no capability, no new privileges, no open file but the
 * pump's, small resource limits, no signal handler, and a seccomp filter that lets through what umlnet_pump_run() needs
 * and the end of the process. Call it in a process of your own that has one thread (else UMLNET_STATE), then
 * umlnet_pump_run(), then _exit(). A forbidden system call kills the process with SIGSYS. Not for ends with callbacks:
 * UMLNET_UNSUPPORTED. UMLNET_SANDBOX where the kernel refuses; the process is then half in the sandbox, and had better
 * end.
 */
umlnet_code umlnet_pump_enter_sandbox(umlnet_pump* pump, umlnet_error* error);

/*
 * Runs the pump in a process of its own, a fresh program, inside the sandbox: frames of a hostile guest are looked at
 * where nothing is to be had. Returns once it moves frames. The process holds copies of the fds: the caller may close
 * its own. It ends with the caller, at the latest: when that ends or executes another program. UMLNET_NO_HELPER: the
 * program cannot be started; UMLNET_TIMEOUT: not ready within ten seconds, and killed; UMLNET_SANDBOX;
 * UMLNET_UNSUPPORTED for ends with callbacks; UMLNET_STATE; UMLNET_SYSTEM. After a failure the pump is as it was.
 */
umlnet_code umlnet_pump_start(umlnet_pump* pump, umlnet_error* error);

/*
 * Waits until the process has ended, at most timeout_ms milliseconds (negative: for ever): UMLNET_TIMEOUT where it has
 * not. UMLNET_OK and *end as umlnet_pump_run() has it, or how it failed; UMLNET_SANDBOX where the sandbox killed it,
 * and the message names the system call, as the dying process reported it. May be called again, with the same answer.
 * UMLNET_STATE: it was not started.
 */
umlnet_code umlnet_pump_wait(umlnet_pump* pump, int timeout_ms, umlnet_pump_end* end, umlnet_error* error);

/* For poll(): readable once the process has ended. Belongs to the pump; -1 before umlnet_pump_start(). */
int umlnet_pump_fd(const umlnet_pump* pump);

/* Stops it where it runs in a process, waits for that, and frees it. Not while umlnet_pump_run() is in it. NULL is
 * nothing. */
void umlnet_pump_free(umlnet_pump* pump);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif /* UMLNET_UMLNET_H */
