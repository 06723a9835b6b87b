// What an exception ends in that nobody caught. The C++ library's own handler names its type, and brings along for that
// what takes apart the names of C++ and prints them: code that a privileged program has no other use for.
#include <cstdlib>

// NOLINTNEXTLINE(bugprone-reserved-identifier): the name is the library's, in whose place this one is linked
namespace __gnu_cxx {

[[noreturn]] void __verbose_terminate_handler();  // NOLINT(bugprone-reserved-identifier)
void __verbose_terminate_handler() { std::abort(); }

}  // namespace __gnu_cxx
