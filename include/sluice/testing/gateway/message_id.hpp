// SPDX-License-Identifier: BSL-1.0
// Where a message lies in a topic, and how the proxy writes and reads that: base64 of the protobuf MessageIdData.
#pragma once

#include <sluice/web/base64.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

struct position {
    std::int64_t ledger = -1, entry = -1; ///< -1: nothing was stored, a duplicate was dropped
    std::int32_t batch_index = -1;        ///< -1: not in a batch
    std::int32_t batch_size = 0;          ///< 0: not in a batch
};

/// Appends the base64 of MessageIdData {1 ledger, 2 entry, 4 batch index, 6 batch size}. An acknowledgement always says
/// a batch size of 0, a delivery the true one.
inline void append_message_id(std::string& out, const position& p, std::int32_t batch_size = 0) {
    std::array<std::byte, 48> raw;
    std::size_t n = 0;
    const auto varint = [&](int tag, std::int64_t value) {
        raw[n++] = static_cast<std::byte>(tag << 3);
        auto rest = static_cast<std::uint64_t>(value);
        for (; rest >= 0x80; rest >>= 7) raw[n++] = static_cast<std::byte>(rest | 0x80);
        raw[n++] = static_cast<std::byte>(rest);
    };
    varint(1, p.ledger);
    varint(2, p.entry);
    if (p.batch_index >= 0) varint(4, p.batch_index);
    varint(6, batch_size);
    const std::size_t at = out.size();
    out.resize(at + web::base64_size(n));
    web::base64_encode({raw.data(), n}, out.data() + at);
}

/// Reads the bytes of a MessageIdData. What is wrong with them comes in the words of the proxy's parser.
class message_id_parser {
public:
    explicit message_id_parser(std::string_view bytes) noexcept : bytes_(bytes) {}

    /// The exception with its class; empty if all is well.
    std::string parse(position& out) {
        bool ledger = false, entry = false;
        while (error_.empty() && at_ != bytes_.size()) {
            std::uint64_t value = 0;
            const std::uint64_t tag = varint() & 0xffffffff;
            if (!error_.empty()) break;
            const bool known = tag == 8 || tag == 16 || tag == 24 || tag == 32 || tag == 40 || tag == 48;
            if (known) {
                value = varint();
            } else {
                skip(static_cast<unsigned>(tag & 7));
            }
            if (tag == 8) {
                out.ledger = static_cast<std::int64_t>(value);
                ledger = true;
            } else if (tag == 16) {
                out.entry = static_cast<std::int64_t>(value);
                entry = true;
            } else if (tag == 32) {
                out.batch_index = static_cast<std::int32_t>(value);
            } else if (tag == 48) {
                out.batch_size = static_cast<std::int32_t>(value);
            }
        }
        if (error_.empty() && !(ledger && entry))
            error_ = "java.lang.IllegalStateException: Some required fields are missing";
        return error_;
    }

private:
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 70; shift += 7) {
            if (!readable(1)) return 0;
            const auto octet = static_cast<unsigned char>(bytes_[at_++]);
            if (shift < 64) value |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
            if (octet < 0x80) return value;
        }
        error_ = "java.lang.IllegalArgumentException: Encountered a malformed varint.";
        return 0;
    }
    void skip(unsigned wire_type) {
        std::int64_t n = 0;
        switch (wire_type) {
        case 0: varint(); return;
        case 1: n = 8; break;
        case 2: n = static_cast<std::int32_t>(varint()); break;
        case 5: n = 4; break;
        default:
            error_ = "java.lang.IllegalArgumentException: Invalid unknonwn tag type: " + std::to_string(wire_type);
            return;
        }
        if (error_.empty() && readable(n)) at_ += static_cast<std::size_t>(n);
    }
    bool readable(std::int64_t n) {
        if (n < 0) {
            error_ =
                "java.lang.IllegalArgumentException: minimumReadableBytes : " + std::to_string(n) + " (expected: >= 0)";
        } else if (static_cast<std::uint64_t>(n) > bytes_.size() - at_) {
            const std::string at = std::to_string(at_), size = std::to_string(bytes_.size());
            error_ = "java.lang.IndexOutOfBoundsException: readerIndex(" + at + ") + length(" + std::to_string(n) +
                     ") exceeds writerIndex(" + size + "): UnpooledHeapByteBuf(ridx: " + at + ", widx: " + size +
                     ", cap: " + size + "/" + size + ")";
        }
        return error_.empty();
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
    std::string error_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
