#include "libumlnet/client/pcapng_writer.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace umlnet::pcapng {
namespace {

enum class BlockType : std::uint32_t {
  section_header = 0x0a0d0d0a,
  interface_description = 1,
  interface_statistics = 5,
  enhanced_packet = 6,
};

// Option codes; their meaning depends on the block.
constexpr std::uint16_t kEndOfOptions = 0;
constexpr std::uint16_t kUserApplication = 4;
constexpr std::uint16_t kInterfaceName = 2, kInterfaceDescription = 3, kTimeResolution = 9;
constexpr std::uint16_t kPacketFlags = 2, kPacketDropCount = 4;
constexpr std::uint16_t kStartTime = 2, kEndTime = 3, kReceived = 4, kDropped = 5;

constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr std::uint16_t kMajorVersion = 1, kMinorVersion = 0;
constexpr std::uint64_t kSectionLengthUnknown = ~std::uint64_t{0};
constexpr std::uint16_t kLinkTypeEthernet = 1;
constexpr std::uint8_t kNanoseconds = 9;  // ten to the power of minus this

// Fields and data are padded to this.
constexpr std::size_t padding_of(std::size_t size) { return (4 - size % 4) % 4; }

// A time, or any other number that the format has as two: the high half first, in either byte order.
struct HighLow {
  explicit HighLow(std::uint64_t value)
      : high(static_cast<std::uint32_t>(value >> 32)), low(static_cast<std::uint32_t>(value)) {}
  std::uint32_t high, low;
};

// One block: its type, its length, what is added, and its length again. It may only be counted, which is how its size
// is known before a byte is written.
class Block {
 public:
  explicit Block(BlockType type) { add(type).add(std::uint32_t{0}); }
  Block(BlockType type, std::uint8_t* out, std::size_t size) : out_(out) {
    add(type).add(static_cast<std::uint32_t>(size));
  }

  template <class Field>
    requires(std::is_trivially_copyable_v<Field> && !std::is_pointer_v<Field>)
  Block& add(const Field& field) {
    return add_raw(&field, sizeof field);
  }

  Block& add_data(const void* data, std::size_t size) {
    constexpr std::uint8_t kZeros[4] = {};
    return add_raw(data, size).add_raw(kZeros, padding_of(size));
  }

  Block& option(std::uint16_t code, const void* value, std::size_t size) {
    has_options_ = true;
    return add(code).add(static_cast<std::uint16_t>(size)).add_data(value, size);
  }
  template <class Value>
    requires(std::is_trivially_copyable_v<Value> && !std::is_same_v<Value, std::string_view>)
  Block& option(std::uint16_t code, const Value& value) {
    return option(code, &value, sizeof value);
  }
  // An empty text is left out.
  Block& option(std::uint16_t code, std::string_view text) {
    text = text.substr(0, kLongestText);
    return text.empty() ? *this : option(code, text.data(), text.size());
  }

  std::size_t finish() {
    if (has_options_) add(kEndOfOptions).add(std::uint16_t{0});
    add(static_cast<std::uint32_t>(size_ + sizeof(std::uint32_t)));
    return size_;
  }

 private:
  Block& add_raw(const void* bytes, std::size_t size) {
    if (out_ != nullptr && size != 0) std::memcpy(out_ + size_, bytes, size);
    size_ += size;
    return *this;
  }

  std::uint8_t* out_ = nullptr;  // where the block begins; null: only count
  std::size_t size_ = 0;
  bool has_options_ = false;
};

template <class Fill>
std::size_t put(std::span<std::uint8_t> out, BlockType type, Fill fill) {
  Block counted(type);
  fill(counted);
  const std::size_t size = counted.finish();
  if (size > out.size()) return 0;
  Block written(type, out.data(), size);
  fill(written);
  return written.finish();
}

}  // namespace

std::size_t put_section(std::span<std::uint8_t> out, std::string_view application) {
  return put(out, BlockType::section_header, [&](Block& block) {
    block.add(kByteOrderMagic).add(kMajorVersion).add(kMinorVersion).add(kSectionLengthUnknown);
    block.option(kUserApplication, application);
  });
}

std::size_t put_interface(std::span<std::uint8_t> out, const Interface& interface) {
  return put(out, BlockType::interface_description, [&](Block& block) {
    block.add(kLinkTypeEthernet).add(std::uint16_t{0}).add(interface.snap_length);
    block.option(kInterfaceName, interface.name);
    block.option(kInterfaceDescription, interface.description);
    block.option(kTimeResolution, kNanoseconds);
  });
}

std::size_t put_packet(std::span<std::uint8_t> out, const Packet& packet, std::uint32_t snap_length) {
  const auto kept =
      snap_length == 0 ? packet.frame : packet.frame.first(std::min<std::size_t>(packet.frame.size(), snap_length));
  return put(out, BlockType::enhanced_packet, [&](Block& block) {
    block.add(packet.interface).add(HighLow(packet.time));
    block.add(static_cast<std::uint32_t>(kept.size())).add(static_cast<std::uint32_t>(packet.frame.size()));
    block.add_data(kept.data(), kept.size());
    // The two lowest bits of the flags.
    if (packet.direction != Direction::unknown)
      block.option(kPacketFlags, static_cast<std::uint32_t>(packet.direction));
    if (packet.dropped != 0) block.option(kPacketDropCount, packet.dropped);
  });
}

std::size_t put_statistics(std::span<std::uint8_t> out, const Statistics& statistics) {
  return put(out, BlockType::interface_statistics, [&](Block& block) {
    block.add(statistics.interface).add(HighLow(statistics.end));
    block.option(kStartTime, HighLow(statistics.start)).option(kEndTime, HighLow(statistics.end));
    block.option(kReceived, statistics.received).option(kDropped, statistics.dropped);
  });
}

}  // namespace umlnet::pcapng
