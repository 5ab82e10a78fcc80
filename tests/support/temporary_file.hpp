// SPDX-License-Identifier: BSL-1.0
// A file that goes with the test.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

namespace test {

class temporary_file {
public:
    explicit temporary_file(const std::string& text = {}) {
        // mkstemp wants six of them at the end.
        std::string made = (std::filesystem::temp_directory_path() / "sluice-test-").string() + std::string(6, 'X');
        const int fd = ::mkstemp(made.data());
        REQUIRE(fd >= 0);
        ::close(fd);
        path = made;
        std::ofstream(path) << text;
    }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file() { std::remove(path.c_str()); }

    std::vector<std::string> lines() const {
        std::vector<std::string> all;
        std::ifstream in(path);
        for (std::string line; std::getline(in, line);) all.push_back(line);
        return all;
    }

    std::string path{};
};

} // namespace test
