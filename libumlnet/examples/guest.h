/*
 * guest.h: the smallest guest there is. It has one address, says so when it is asked by ARP, and answers pings.
 *
 * It stands where a VM manager has its virtual machine, and knows nothing of libumlnet: Ethernet frames go in, and
 * Ethernet frames come out. C11 or C++.
 */
#ifndef GUEST_H
#define GUEST_H

#include <arpa/inet.h>
#include <string.h>

enum { GUEST_FRAME_MAX = 65535 + 14 }; /* bytes: the longest IPv4 packet, and the Ethernet header before it */

struct guest {
  unsigned char address[4];
  unsigned char mac[6];
};

/* 1, or 0 where `address` is not an IPv4 address. */
static inline int guest_init(struct guest* guest, const char* address) {
  if (inet_pton(AF_INET, address, guest->address) != 1) return 0;
  /* fe:fd and the address: different guests have different MAC addresses, locally administered ones. */
  guest->mac[0] = 0xfe;
  guest->mac[1] = 0xfd;
  memcpy(guest->mac + 2, guest->address, 4);
  return 1;
}

/*
 * What the guest says to a frame, put in the place of that frame. Returns the length of the answer; 0: none.
 *
 * Whoever sends the frame may have written anything into it: each length is looked at before the bytes behind it.
 */
static inline size_t guest_answer(const struct guest* guest, unsigned char* frame, size_t size) {
  static const unsigned char arp_request[] = {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1}; /* from the Ethernet type on */
  static const unsigned char ipv4[] = {0x08, 0x00};
  const size_t ethernet = 14;
  unsigned char* body = frame + ethernet;
  size_t length = 0;

  if (size >= ethernet + 28 && memcmp(frame + 12, arp_request, sizeof arp_request) == 0 &&
      memcmp(body + 24, guest->address, 4) == 0) {
    body[7] = 2;                     /* an answer: */
    memcpy(body + 18, body + 8, 10); /* whoever asked, MAC and IPv4 address, is the target now, */
    memcpy(body + 8, guest->mac, 6); /* and the guest the sender */
    memcpy(body + 14, guest->address, 4);
    length = ethernet + 28;
  } else if (size >= ethernet + 20 && memcmp(frame + 12, ipv4, sizeof ipv4) == 0 &&
             memcmp(body + 16, guest->address, 4) == 0) {
    const size_t header = (size_t)(body[0] & 15) * 4, total = (size_t)(body[2] << 8 | body[3]);
    const int fragment = (body[6] & 0x3f) != 0 || body[7] != 0;
    unsigned char* icmp = body + header;
    if (body[0] >> 4 != 4 || header < 20 || total < header + 8 || size < ethernet + total) return 0;
    if (fragment || body[9] != IPPROTO_ICMP || icmp[0] != 8 || icmp[1] != 0) return 0;
    memcpy(body + 16, body + 12, 4);      /* source and destination change places: */
    memcpy(body + 12, guest->address, 4); /* the header's checksum stays right */
    icmp[0] = 0;                          /* echo request, 8, becomes echo reply, 0: the checksum grows by as much */
    unsigned long sum = (unsigned long)(icmp[2] << 8 | icmp[3]) + 0x0800;
    sum += sum >> 16;
    icmp[2] = (unsigned char)(sum >> 8 & 0xff);
    icmp[3] = (unsigned char)(sum & 0xff);
    length = ethernet + total;
  }
  if (length != 0) {
    memcpy(frame, frame + 6, 6);
    memcpy(frame + 6, guest->mac, 6);
  }
  return length;
}

#endif /* GUEST_H */
