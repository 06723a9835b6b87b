// Whether the User-Mode Linux kernel of the host runs on its processor.
#pragma once

#include "libumlnet/cli/doctor_check.h"

namespace umlnet::cli {

Finding examine_guest_kernel(const Examination& examination);

}  // namespace umlnet::cli
