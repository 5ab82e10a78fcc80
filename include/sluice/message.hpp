// SPDX-License-Identifier: BSL-1.0
// What is sent, and what comes back.
#pragma once

#include <sluice/error.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {

/// One entry of a message's properties: text to text.
struct property {
    std::string name;
    std::string value;
    friend bool operator==(const property&, const property&) = default;
};

/// What a message may carry beside payload and key. All members are optional.
struct message_attributes {
    /// Milliseconds are what Pulsar stores.
    using time_point = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

    std::vector<property> properties{};
    std::optional<time_point> event_time{}; ///< when the event happened, as the application says
    std::optional<time_point> deliver_at{}; ///< not delivered to consumers before (Pulsar 2.7 and later)
    std::optional<std::chrono::milliseconds> deliver_after{}; ///< the same, counted from the proxy's clock
    std::vector<std::string> replication_clusters{};          ///< replicate to these clusters only
    std::optional<std::chrono::milliseconds> send_timeout{}; ///< instead of the producer's; 0: no limit; negative: over

    /// There is nothing but a payload and perhaps a key.
    bool plain() const noexcept {
        return properties.empty() && !event_time && !deliver_at && !deliver_after && replication_clusters.empty() &&
               !send_timeout;
    }
};

/// A message that owns its bytes. A class with constructors, not an aggregate: g++ 12 destroys aggregate temporaries in
/// a `co_await` expression twice.
class message : public message_attributes {
public:
    message() {}
    message(std::string bytes) : payload(std::move(bytes)) {}
    message(std::string_view bytes) : payload(bytes) {}
    message(const char* text) : payload(text) {}
    message(std::span<const std::byte> bytes) : payload(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}
    message(std::string bytes, std::string partition_key) : payload(std::move(bytes)), key(std::move(partition_key)) {}

    std::string payload{};            ///< any bytes
    std::optional<std::string> key{}; ///< partition key; UTF-8
};

/// A message that borrows its bytes from a contiguous range of byte-sized elements, a literal (without its NUL) or a
/// `message`. Whatever it is made from must outlive the operation that it is given to.
class message_view {
public:
    constexpr message_view() noexcept = default;
    constexpr message_view(std::string_view bytes) noexcept : payload_(bytes) {}
    constexpr message_view(const char* text) noexcept : payload_(text) {}
    message_view(const std::string& bytes) noexcept : payload_(bytes) {}
    message_view(const message& m) noexcept
        : payload_(m.payload), attributes_(m.plain() ? nullptr : &m), has_key_(m.key.has_value()) {
        if (m.key) key_ = *m.key;
    }
    template <std::ranges::contiguous_range R>
        requires(sizeof(std::ranges::range_value_t<R>) == 1 && std::ranges::sized_range<R> &&
                 std::is_trivially_copyable_v<std::ranges::range_value_t<R>> &&
                 !std::is_array_v<std::remove_cvref_t<R>> &&
                 !std::is_convertible_v<const std::remove_cvref_t<R>&, std::string_view> &&
                 !std::is_base_of_v<message_view, std::remove_cvref_t<R>>)
    message_view(const R& bytes) noexcept
        : payload_(reinterpret_cast<const char*>(std::ranges::data(bytes)), std::ranges::size(bytes)) {}

    constexpr message_view& with_key(std::string_view key) noexcept {
        key_ = key;
        has_key_ = true;
        return *this;
    }
    constexpr message_view& with(const message_attributes& a) noexcept {
        attributes_ = &a;
        return *this;
    }

    constexpr std::string_view payload() const noexcept { return payload_; }
    constexpr bool has_key() const noexcept { return has_key_; }
    constexpr std::string_view key() const noexcept { return key_; }
    /// Null where the message has payload and key alone.
    constexpr const message_attributes* attributes() const noexcept { return attributes_; }

private:
    std::string_view payload_{};
    std::string_view key_{};
    const message_attributes* attributes_ = nullptr;
    bool has_key_ = false;
};

/// The broker's name of a stored message: the base64 text of the acknowledgement, kept without allocation.
class message_id {
public:
    /// A Pulsar MessageIdData needs at most 60 characters; more than this is no message id.
    static constexpr std::size_t capacity = 79;

    constexpr message_id() noexcept {} // not defaulted: `message_id{}` would zero all of it
    /// Empty if `text` is longer than `capacity`.
    explicit message_id(std::string_view text) noexcept { assign(text); }

    bool assign(std::string_view text) noexcept {
        if (text.size() > capacity) {
            size_ = 0;
            return false;
        }
        size_ = static_cast<std::uint8_t>(text.size());
        // Ids have 12 to 28 characters as a rule: two copies that overlap, of constant size, are no call.
        const std::size_t n = text.size();
        const auto ends = [&](std::size_t width) {
            std::memcpy(text_.data(), text.data(), width);
            std::memcpy(text_.data() + n - width, text.data() + n - width, width);
        };
        if (n >= 16 && n <= 32)
            ends(16);
        else if (n >= 8 && n < 16)
            ends(8);
        else
            std::memcpy(text_.data(), text.data(), n);
        return true;
    }

    operator std::string_view() const noexcept { return {text_.data(), size_}; }
    std::string_view view() const noexcept { return *this; }
    bool empty() const noexcept { return size_ == 0; }

    struct position {
        std::int64_t ledger = -1;
        std::int64_t entry = -1;
        std::int32_t partition = -1;   ///< -1: not partitioned
        std::int32_t batch_index = -1; ///< -1: not in a batch
        friend bool operator==(const position&, const position&) = default;
    };
    /// Decodes base64 and protobuf (PulsarApi.proto, MessageIdData). Nothing if the text is neither.
    std::optional<position> decode() const noexcept;

    template <class CharTraits>
    friend auto& operator<<(std::basic_ostream<char, CharTraits>& out, const message_id& id) {
        return out << id.view();
    }
    friend bool operator==(const message_id& a, const message_id& b) noexcept { return a.view() == b.view(); }
    friend auto operator<=>(const message_id& a, const message_id& b) noexcept { return a.view() <=> b.view(); }

private:
    std::uint8_t size_ = 0;
    // Only the first size_ characters are ever read: left unset, for a receipt is copied for every message.
    std::array<char, capacity> text_;
};

/// What a send completes with.
struct receipt {
    sluice::message_id message_id{}; ///< empty unless `outcome` is persisted or duplicate
    std::int64_t sequence_id = -1;   ///< the producer's number of the message, or of its pack; -1 where none was given
    sluice::outcome outcome = sluice::outcome::not_sent;
    std::shared_ptr<const error_details> info{};

    const error_details& details() const noexcept {
        static const error_details none{};
        return info ? *info : none;
    }
};

/// One element of what `send_all` answers.
struct result {
    // Not defaulted: value-initialised, it would be zeroed first, which was a tenth of a `send_all`'s time.
    result() noexcept {}
    result(std::error_code e, receipt r = {}) noexcept : ec(e), value(std::move(r)) {}

    std::error_code ec{};
    receipt value{};
};

namespace detail {

inline int base64_value(char c) noexcept {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

} // namespace detail

inline std::optional<message_id::position> message_id::decode() const noexcept {
    std::array<std::uint8_t, capacity> raw{};
    std::size_t n = 0;
    std::uint32_t bits = 0;
    int have = 0;
    std::string_view text = view();
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    for (char c : text) {
        const int v = detail::base64_value(c);
        if (v < 0) return std::nullopt;
        bits = (bits << 6) | static_cast<std::uint32_t>(v);
        have += 6;
        if (have >= 8) {
            have -= 8;
            raw[n++] = static_cast<std::uint8_t>(bits >> have);
        }
    }
    std::size_t at = 0;
    const auto varint = [&](std::uint64_t& out) {
        out = 0;
        for (unsigned shift = 0; shift < 64 && at < n; shift += 7) {
            const std::uint8_t b = raw[at++];
            out |= static_cast<std::uint64_t>(b & 0x7f) << shift;
            if (b < 0x80) return true;
        }
        return false;
    };
    position p;
    bool ledger = false, entry = false;
    while (at < n) {
        std::uint64_t tag = 0, value = 0;
        if (!varint(tag)) return std::nullopt;
        if ((tag & 7) == 2) { // ack_set and nested ids: skipped
            if (!varint(value) || value > n - at) return std::nullopt;
            at += static_cast<std::size_t>(value);
            continue;
        }
        if ((tag & 7) != 0 || !varint(value)) return std::nullopt;
        switch (tag >> 3) {
        case 1: p.ledger = static_cast<std::int64_t>(value), ledger = true; break;
        case 2: p.entry = static_cast<std::int64_t>(value), entry = true; break;
        case 3: p.partition = static_cast<std::int32_t>(value); break;
        case 4: p.batch_index = static_cast<std::int32_t>(value); break;
        default: break;
        }
    }
    if (!ledger || !entry) return std::nullopt;
    return p;
}

} // namespace v1
} // namespace sluice
