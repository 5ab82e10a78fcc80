// SPDX-License-Identifier: BSL-1.0
// At the beginning of a payload: which thread pushed it, and its how-manieth it is. The producer's program writes it,
// the sink reads it off the frame, to see that each thread's messages arrive in the thread's order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace bench {

struct thread_stamp {
    static constexpr std::size_t size = 18, base64_size = 24;

    std::uint64_t thread = 0;
    std::uint64_t number = 0;

    void write(char* to) const noexcept {
        std::memcpy(to, mark.data(), 2);
        std::memcpy(to + 2, &thread, 8);
        std::memcpy(to + 10, &number, 8);
    }
    /// From the first `base64_size` characters of a payload; false: there is no stamp.
    bool read(const char* base64) noexcept {
        std::array<char, size> bytes{};
        for (std::size_t i = 0, to = 0; i < base64_size; i += 4, to += 3) {
            std::uint32_t four = 0;
            for (std::size_t k = 0; k < 4; ++k) four = four << 6 | values()[static_cast<unsigned char>(base64[i + k])];
            bytes[to] = static_cast<char>(four >> 16);
            bytes[to + 1] = static_cast<char>(four >> 8);
            bytes[to + 2] = static_cast<char>(four);
        }
        std::memcpy(&thread, bytes.data() + 2, 8);
        std::memcpy(&number, bytes.data() + 10, 8);
        return std::memcmp(bytes.data(), mark.data(), 2) == 0;
    }

private:
    static constexpr std::string_view mark = "t#";

    static const std::array<std::uint8_t, 256>& values() noexcept {
        static constexpr auto table = [] {
            constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            std::array<std::uint8_t, 256> t{};
            for (std::size_t i = 0; i < alphabet.size(); ++i)
                t[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
            return t;
        }();
        return table;
    }
};

/// The stamps of one connection.
class thread_order {
public:
    /// The beginning of a message's JSON text; false: there is no stamp, or it is not its thread's next.
    bool next(std::string_view text) {
        constexpr std::string_view member = "\"payload\":\"";
        const std::size_t at = text.find(member);
        thread_stamp stamp;
        if (at == std::string_view::npos || text.size() - at - member.size() < thread_stamp::base64_size ||
            !stamp.read(text.data() + at + member.size()) || stamp.thread >= max_threads)
            return false;
        if (stamp.thread >= next_.size()) next_.resize(static_cast<std::size_t>(stamp.thread) + 1);
        return stamp.number == next_[static_cast<std::size_t>(stamp.thread)]++;
    }

private:
    static constexpr std::uint64_t max_threads = 1024;
    std::vector<std::uint64_t> next_;
};

} // namespace bench
