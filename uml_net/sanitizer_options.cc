// For builds with address sanitizer only. Its leak checker traces its own process at the end, which a process that is
// not dumpable does not allow, nor does a seccomp filter; the environment, where it could be told so, is the caller's.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
