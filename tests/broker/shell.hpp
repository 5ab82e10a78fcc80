// SPDX-License-Identifier: BSL-1.0
// Other programs.
#pragma once

#include "check.hpp"

#include <array>
#include <cstdio>
#include <string>

namespace conformance {

/// Of a shell's command that has to succeed.
inline std::string output_of(const std::string& command) {
    FILE* const pipe = ::popen(command.c_str(), "r");
    check(pipe != nullptr, "no process can be started");
    std::string text;
    std::array<char, 4096> piece;
    for (std::size_t n; (n = std::fread(piece.data(), 1, piece.size(), pipe)) != 0;) text.append(piece.data(), n);
    const int status = ::pclose(pipe);
    check(status == 0, "status " + std::to_string(status) + ": " + shown(text));
    return text;
}

} // namespace conformance
