// SPDX-License-Identifier: BSL-1.0
// The library's version, for the preprocessor and for the program. The build files read it from here.
#pragma once

#include <string_view>

#define SLUICE_VERSION_MAJOR 0
#define SLUICE_VERSION_MINOR 1
#define SLUICE_VERSION_PATCH 0
#define SLUICE_VERSION_STRING "0.1.0"

/// One number to compare: 0.1.0 is 100, 1.2.3 is 10203.
#define SLUICE_VERSION (SLUICE_VERSION_MAJOR * 10000 + SLUICE_VERSION_MINOR * 100 + SLUICE_VERSION_PATCH)

namespace sluice {
inline namespace v1 {

inline constexpr int version_major = SLUICE_VERSION_MAJOR;
inline constexpr int version_minor = SLUICE_VERSION_MINOR;
inline constexpr int version_patch = SLUICE_VERSION_PATCH;
inline constexpr std::string_view version_string = SLUICE_VERSION_STRING;

} // namespace v1
} // namespace sluice
