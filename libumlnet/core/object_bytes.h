// What two processes of one program say to each other: objects of that program, as their bytes.
#pragma once

#include <optional>
#include <string_view>
#include <type_traits>

namespace umlnet {

// The bytes of an object, and the object back; nothing where the size is another's.
template <class T>
  requires std::is_trivially_copyable_v<T>
std::string_view bytes_of(const T& object) {
  return {reinterpret_cast<const char*>(&object), sizeof object};
}
template <class T>
  requires std::is_trivially_copyable_v<T>
std::optional<T> object_of(std::string_view bytes) {
  if (bytes.size() != sizeof(T)) return std::nullopt;
  T object;
  bytes.copy(reinterpret_cast<char*>(&object), sizeof object);
  return object;
}

}  // namespace umlnet
