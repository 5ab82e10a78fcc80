// SPDX-License-Identifier: BSL-1.0
// What a client says on a consumer's or a reader's socket, read with the leniency of the proxy's data binding.
#pragma once

#include <sluice/testing/gateway/json_reader.hpp>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// The members, borrowed from the frame or from the reader's scratch. One that is absent or null holds nothing.
struct consumer_command {
    std::optional<std::string_view> type{}, message_id{};
    std::optional<std::int32_t> permit_messages{};
    bool null = false; ///< the frame said `null`
};

class consumer_command_reader {
public:
    /// Reads the first object of the text; what follows it is ignored. False: it does not bind.
    bool read(std::string_view text, consumer_command& out) {
        out = {};
        json_reader json(text, scratch_);
        if (json.at_end()) return false;
        const value root = json.next_value();
        out.null = root.kind == token::null;
        if (json.failed() || out.null) return !json.failed();
        if (root.kind != token::object) return false;
        std::string_view name;
        for (bool first = true; json.next_name(name, first); first = false) {
            const value v = json.next_value();
            if (json.failed()) return false;
            const bool container = v.kind == token::object || v.kind == token::array;
            bool good = true;
            if (name == "type") {
                good = text_of(v, out.type);
            } else if (name == "messageId") {
                good = text_of(v, out.message_id);
            } else if (name == "permitMessages") {
                good = integer_of(v, out.permit_messages);
            } else if (container) {
                good = json.skip_rest(v.kind);
            }
            if (!good) return false;
        }
        return !json.failed();
    }

private:
    using token = json_reader::token;
    using value = json_reader::value;

    static bool text_of(const value& v, std::optional<std::string_view>& out) {
        out.reset();
        if (v.kind == token::object || v.kind == token::array) return false;
        if (v.kind != token::null) out = v.text;
        return true;
    }
    /// An int: a number, cut to its integral part, or a string of digits.
    static bool integer_of(const value& v, std::optional<std::int32_t>& out) {
        out.reset();
        if (v.kind == token::null || (v.kind == token::string && v.text.empty())) return true;
        if (v.kind != token::number && v.kind != token::string) return false;
        std::int32_t n = 0;
        const auto [end, ec] = std::from_chars(v.text.data(), v.text.data() + v.text.size(), n);
        if (ec == std::errc() && end == v.text.data() + v.text.size()) {
            out = n;
            return true;
        }
        if (v.kind == token::string) return false;
        const double real = std::strtod(std::string(v.text).c_str(), nullptr);
        if (!(std::abs(real) < 2147483648.0)) return false;
        out = static_cast<std::int32_t>(real);
        return true;
    }

    std::string scratch_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
