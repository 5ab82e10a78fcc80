// SPDX-License-Identifier: BSL-1.0
// What can be said to 03_async_server.cpp: its settings and their flags.
#pragma once

#include "arguments.hpp"
#include "line_load.hpp"
#include "server.hpp"

#include <sluice.hpp>

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

namespace tool {

struct async_server_settings {
    std::string stream = "lines";
    std::uint16_t port = 0;
    unsigned threads = 1;
    std::string connect{};
    load_options load{};
    sluice::client_config config{};
};

/// False: help was all that was asked for.
inline bool read_settings(int argc, char** argv, async_server_settings& s) {
    bool help = false;
    flags table{
        {"", "", "server", {}},
        {"--port", "N", "where to listen, on this machine alone; 0: a free one (0)",
         number<std::uint16_t>(s.port, 0, 65535)},
        {"--stream", "NAME", "where the lines go (lines)", text(s.stream)},
        {"--threads", "N", "that serve (1)", number<unsigned>(s.threads, 1, 256)},
        {"", "", "load", {}},
        {"--load", "N", "send N lines to a server of its own, then end", number<std::uint64_t>(s.load.lines, 1, 1e9)},
        {"--connect", "HOST:PORT", "to that server instead", text(s.connect)},
        {"--connections", "N", "over N connections (10)", number<unsigned>(s.load.connections, 1, 10000)},
        {"--window", "N", "each with N lines unanswered (100)", number<unsigned>(s.load.window, 1, 1000)},
    };
    const flags server = server_flags(s.config);
    table.insert(table.end(), server.begin(), server.end());
    flags all = table;
    all.push_back({"-h, --help", "", "", set(help, true)});
    const std::vector<std::string> others = read_arguments(all, argc, argv);
    if (help) {
        std::cout << "usage: async_server [FLAG...]\nAnswers each line of its clients once it is stored.\n";
        print_flags(std::cout, table);
        std::cout << environment_help;
        return false;
    }
    if (!others.empty()) throw usage_error(others.front() + ": there are only flags here");
    if (const std::size_t colon = s.connect.rfind(':'); !s.connect.empty()) {
        if (s.load.lines == 0) throw usage_error("--connect " + s.connect + ": allowed is together with --load N");
        if (colon == std::string::npos) throw usage_error("--connect " + s.connect + ": allowed is HOST:PORT");
        s.load.host = s.connect.substr(0, colon);
        s.load.port = s.connect.substr(colon + 1);
    }
    read_environment(s.config);
    return true;
}

} // namespace tool
