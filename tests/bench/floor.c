// The floor under every helper that hands over a TAP device: what the kernel asks for, and nothing else. No policy, no
// record, no check of anything. It is installed set-user-ID root for a benchmark in a namespace, and never elsewhere.
//
//   floor ADDRESS          (fd 1: a connected AF_UNIX datagram socket, which gets the device's name and the fd)
//   floor ADDRESS NUMBER   so many devices in one process, which are held to its end: nanoseconds of each on fd 2
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int change(int rtnetlink, void* request, size_t size) {
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char request[128];
  } answer;
  if (send(rtnetlink, request, size, 0) < 0 || recv(rtnetlink, &answer, sizeof answer, 0) < 0) return -1;
  return answer.error.error;
}

static int make(struct in_addr address, int rtnetlink) {
  struct ifreq device = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  strcpy(device.ifr_name, "tap%d");
  const int tun = open("/dev/net/tun", O_RDWR);
  if (tun < 0 || ioctl(tun, TUNSETIFF, &device) != 0) return 1;
  struct ifreq index = device;
  if (ioctl(rtnetlink, SIOCGIFINDEX, &index) != 0) return 2;

  struct {
    struct nlmsghdr header;
    struct ifaddrmsg body;
    struct rtattr local_header;
    struct in_addr local;
  } put = {{sizeof put, RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1, 0},
           {AF_INET, 32, 0, 0, (unsigned)index.ifr_ifindex},
           {sizeof(struct rtattr) + sizeof address, IFA_LOCAL},
           address};
  if (change(rtnetlink, &put, sizeof put) != 0) return 3;
  struct {
    struct nlmsghdr header;
    struct ifinfomsg body;
  } up = {{sizeof up, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 2, 0},
          {.ifi_family = AF_UNSPEC, .ifi_index = index.ifr_ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP}};
  if (change(rtnetlink, &up, sizeof up) != 0) return 4;

  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.header), &tun, sizeof tun);
  struct iovec name = {device.ifr_name, IFNAMSIZ};
  const struct msghdr reply = {
      .msg_iov = &name, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
  return sendmsg(1, &reply, 0) == IFNAMSIZ ? 0 : 5;
}

int main(int argc, char** argv) {
  struct in_addr address;
  if (argc < 2 || inet_pton(AF_INET, argv[1], &address) != 1) return 64;
  const int rtnetlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (argc == 2) return make(address, rtnetlink);
  for (int left = atoi(argv[2]); left > 0; --left) {
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    const int failed = make(address, rtnetlink);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (failed) return failed;
    fprintf(stderr, "%ld\n", (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec);
  }
  return 0;
}
