// A checksum that a sender left to be finished (VIRTIO_NET_HDR_F_NEEDS_CSUM), finished in software.
//
// The sender has put the sum of the pseudo header into the checksum's field. What belongs there is the ones' complement
// of the sum from csum_start to the frame's end, that field included (virtio 1.2, 5.1.6.2). For UDP, a checksum of zero
// means "none", so that a sum which comes to that is sent as 0xffff (RFC 768; RFC 8200, 8.1); that holds for all that
// has its checksum where UDP has it.
#pragma once

#include <cstdint>
#include <expected>
#include <span>

#include "libumlnet/client/virtio_net_header.h"

namespace umlnet {

// Finishes the checksum of `frame` in place, where `header` asks for it; otherwise leaves all as it is. Not for a frame
// that is to be segmented: that is Segmenter's (segmentation_offload.h). Fails where the header cannot be the frame's.
//
// Which two bytes are written is the header's choice, anywhere behind the Ethernet header: whoever judges addresses
// looks after this call.
std::expected<void, OffloadFault> finish_checksum(std::span<std::uint8_t> frame, const VirtioNetHeader& header);

}  // namespace umlnet
