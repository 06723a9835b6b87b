// Ends that are unix sockets with a path: what QEMU's -netdev stream and -netdev dgram talk to.
#pragma once

#include "libumlnet/cli/end.h"

namespace umlnet::cli {

// stream:PATH: somebody listens there.
Outcome<std::unique_ptr<End>> connected_stream_end(const std::string& words, const std::string& behind_prefix);
// stream-listen:PATH: waits for one connection.
Outcome<std::unique_ptr<End>> listening_stream_end(const std::string& words, const std::string& behind_prefix);
// dgram:LOCAL,REMOTE: waits for the remote socket to be there.
Outcome<std::unique_ptr<End>> datagram_end(const std::string& words, const std::string& behind_prefix);

}  // namespace umlnet::cli
