// An ethertap session: uml_net runs until it is closed, moves the frames, and answers address changes.
#pragma once

#include <optional>
#include <string>

#include "libumlnet/client/helper.h"
#include "libumlnet/client/helper_run.h"

namespace umlnet::client {

class HelperSession {
 public:
  // `4 ethertap DEV DATA_FD [GATE]`. Errors as Helper's.
  static Outcome<HelperSession> open(const Helper& helper, const IfName& device, std::optional<Ipv4> gateway);

  // A connected AF_UNIX datagram socket; each datagram is 2 bytes of padding and one frame. Belongs to this object.
  int data() const { return data_.get(); }
  // Whether uml_net has closed the control stream, or died.
  bool is_over() const;
  const std::string& text() const { return text_; }  // the helper's explanation at the opening

  // One record of the control stream, and its answer. The stream does not say whether it was done: that is in the text,
  // which begins with "uml_net: " where it was not (UMLNET_REFUSED). UMLNET_TIMEOUT: the session cannot be used any
  // more.
  Outcome<std::string> change_address(AddressChange change, const IfName& device, const GuestAddress& address);

  // Shuts both sockets down and waits until uml_net has undone everything and ended; kills it at the deadline.
  Outcome<void> close();

 private:
  HelperSession(const Helper& helper, HelperRun run, unique_fd control, unique_fd data)
      : helper_(helper), run_(std::move(run)), control_(std::move(control)), data_(std::move(data)) {}
  Outcome<std::string> read_text(const Deadline& deadline);
  // The control stream can be used no more: why, with the status that uml_net ended with.
  Failure ended(umlnet_code code, const std::string& doing, const std::string& why);

  Helper helper_;
  HelperRun run_;
  unique_fd control_, data_;
  std::string text_;
};

}  // namespace umlnet::client
