// SPDX-License-Identifier: BSL-1.0
// What a consumer does with a pack: the messages that were sent, one after the other.
#pragma once

#include <sluice/codec.hpp>
#include <sluice/codec/any.hpp>
#include <sluice/error.hpp>
#include <sluice/message.hpp>
#include <sluice/pack_layout.hpp>
#include <sluice/pulsar/packed_check.hpp>
#include <sluice/pulsar/packed_format.hpp>
#include <sluice/web/bytes.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice {
inline namespace v1 {

/// The most that a pack may be: an error beyond. What is allocated for it is never more than `max_bytes`, and what
/// the codec needs.
struct unpack_limits {
    std::size_t max_bytes = 16u << 20; ///< of messages, no longer compressed
    std::size_t max_messages = 1'000'000;
};

/// Names and values, in the order in which they were sent. A range of pairs of views.
class unpacked_properties {
public:
    using value_type = std::pair<std::string_view, std::string_view>;

    class iterator {
    public:
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = unpacked_properties::value_type;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = value_type;

        iterator() noexcept = default;
        iterator(std::string_view rest, std::size_t left) noexcept : rest_(rest), left_(left) { read(); }

        value_type operator*() const noexcept { return now_; }
        iterator& operator++() noexcept {
            --left_;
            read();
            return *this;
        }
        iterator operator++(int) noexcept {
            iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.left_ == b.left_; }

    private:
        void read() noexcept {
            if (left_ == 0) return;
            pulsar::take_packed_text(rest_, now_.first);
            pulsar::take_packed_text(rest_, now_.second);
        }

        std::string_view rest_{};
        std::size_t left_ = 0;
        value_type now_{};
    };

    unpacked_properties() noexcept = default;
    unpacked_properties(std::string_view bytes, std::size_t count) noexcept : bytes_(bytes), count_(count) {}

    std::size_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    iterator begin() const noexcept { return {bytes_, count_}; }
    iterator end() const noexcept { return {}; }
    /// The value of the first one of that name.
    std::optional<std::string_view> find(std::string_view name) const noexcept {
        for (const auto& [known, value] : *this)
            if (known == name) return value;
        return std::nullopt;
    }

private:
    std::string_view bytes_{};
    std::size_t count_ = 0;
};

/// A message as it was sent. Its views are into the pack or into the `unpack_memory`.
struct unpacked_message {
    std::string_view payload{};            ///< the same bytes
    std::optional<std::string_view> key{}; ///< `framed` alone; of the others, the Pulsar message's key is theirs
    std::optional<message_attributes::time_point> event_time{}; ///< `framed` alone
    unpacked_properties properties{};                           ///< `framed` alone
};

/// The messages of a pack, read one by one; a forward range. Either there is an error and no message, or all that was
/// packed is there: nothing can fail on the way.
///
/// Valid as long as the pack's bytes are unchanged and the `unpack_memory` is not used again.
class unpacked {
public:
    class iterator {
    public:
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = unpacked_message;
        using difference_type = std::ptrdiff_t;
        using pointer = const unpacked_message*;
        using reference = unpacked_message;

        iterator() noexcept = default;
        iterator(std::optional<pack_layout> layout, std::string_view rest, std::size_t left) noexcept
            : layout_(layout), rest_(rest), left_(left) {
            read();
        }

        unpacked_message operator*() const noexcept { return now_; }
        const unpacked_message* operator->() const noexcept { return &now_; }
        iterator& operator++() noexcept {
            --left_;
            read();
            return *this;
        }
        iterator operator++(int) noexcept {
            iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.left_ == b.left_; }

    private:
        void read() noexcept {
            if (left_ == 0) return;
            if (!layout_)
                now_.payload = rest_;
            else if (*layout_ == pack_layout::framed)
                read_record();
            else
                pulsar::take_json_element(rest_, now_.payload);
        }
        void read_record() noexcept {
            namespace flag = pulsar::packed_flag;
            pulsar::packed_record r;
            pulsar::take_packed_record(rest_, r);
            now_.payload = r.payload;
            if ((r.flags & flag::key) != 0)
                now_.key = r.key;
            else if ((r.flags & flag::same_key) == 0)
                now_.key.reset();
            now_.event_time.reset();
            if ((r.flags & flag::event_time) != 0)
                now_.event_time = message_attributes::time_point(std::chrono::milliseconds(r.event_time));
            now_.properties = {r.properties, r.property_count};
        }

        std::optional<pack_layout> layout_{};
        std::string_view rest_{};
        std::size_t left_ = 0;
        unpacked_message now_{};
    };

    explicit unpacked(failure error) noexcept : error_(std::move(error)) {}
    unpacked(std::optional<pack_layout> layout, std::string_view bytes, std::size_t messages,
             compression_type codec) noexcept
        : layout_(layout), bytes_(bytes), messages_(messages), codec_(codec) {}

    /// `errc::corrupt_data`, `errc::invalid_json` (json_array), `errc::output_limit`, `errc::unknown_codec`,
    /// `std::errc::not_enough_memory`, with a text. Converts to false if there is none.
    const failure& error() const noexcept { return error_; }
    /// How many messages there are.
    std::size_t size() const noexcept { return messages_; }
    bool empty() const noexcept { return messages_ == 0; }
    iterator begin() const noexcept { return {layout_, bytes_, messages_}; }
    iterator end() const noexcept { return {}; }
    /// Nothing if it was no pack, but a message by itself.
    std::optional<pack_layout> layout() const noexcept { return layout_; }
    /// What it was compressed with.
    compression_type codec() const noexcept { return codec_; }

private:
    failure error_{};
    std::optional<pack_layout> layout_{};
    std::string_view bytes_{};
    std::size_t messages_ = 0;
    compression_type codec_ = compression_type::none;
};

/// Memory for one decompressed pack, and the codec's. Keep it from pack to pack; one object for one thread at a time.
/// `Codecs` is a `codec::basic_any`.
template <class Codecs>
class basic_unpack_memory {
public:
    /// Gives back what is larger than `keep`. Views into it are invalid then.
    void shrink(std::size_t keep) noexcept {
        if (capacity_ <= keep) return;
        memory_.reset();
        capacity_ = 0;
    }
    std::size_t capacity() const noexcept { return capacity_; }

    /// `unpack`'s work: into exactly `size` bytes. More or fewer are `errc::corrupt_data`.
    failure decompress(compression_type type, web::bytes_view in, std::size_t size, std::string_view& out) {
        if (!codec_ || codec_->type() != type) {
            auto [made, error] = Codecs::make(type);
            if (error) return error;
            codec_.emplace(std::move(made));
        }
        if (capacity_ < size) {
            memory_.reset(); // before the new one, not beside it
            capacity_ = 0;
            memory_.reset(new (std::nothrow) std::byte[size]);
            if (!memory_) return {std::make_error_code(std::errc::not_enough_memory)};
            capacity_ = size;
        }
        const codec_result done = codec_->decompress(in, {memory_.get(), size});
        const std::string name(to_string(type));
        if (done.ec == errc::output_limit) return pulsar::corrupt_pack(name + " data of more bytes than it says");
        if (done.ec) return make_failure(done.ec, "pack: the " + name + " data does not decompress");
        if (done.size != size) return pulsar::corrupt_pack(name + " data of fewer bytes than it says");
        out = web::as_text({memory_.get(), size});
        return {};
    }

private:
    std::optional<Codecs> codec_{};
    std::unique_ptr<std::byte[]> memory_{};
    std::size_t capacity_ = 0;
};

/// With the codecs that the program links.
using unpack_memory = basic_unpack_memory<codec::any>;

/// The messages in a pack whose layout is known. `pack`: a Pulsar message's payload, from anything contiguous.
///
/// All of it is checked before anything is handed out: the checksum, the size before and after decompression, each
/// length, each text. A pack that anybody made costs no more than `limits` allow.
template <class Codecs>
unpacked unpack(const message_view& pack, pack_layout layout, basic_unpack_memory<Codecs>& memory,
                const unpack_limits& limits = {}) {
    const std::string_view text = pack.payload();
    if (layout == pack_layout::json_array) {
        auto array = pulsar::check_json_array(text, limits.max_bytes, limits.max_messages);
        if (array.error) return unpacked(std::move(array.error));
        return {layout, array.elements, array.messages, compression_type::none};
    }
    const web::bytes_view bytes = web::as_bytes(text);
    if (failure f = pulsar::check_packed_header(bytes, limits.max_bytes, limits.max_messages)) return unpacked(f);
    const pulsar::packed_header header = pulsar::read_packed_header(bytes);
    const auto codec = static_cast<compression_type>(header.codec);
    std::string_view body = text.substr(pulsar::packed_header_size);
    if (codec != compression_type::none)
        if (failure f = memory.decompress(codec, web::as_bytes(body), header.size, body)) return unpacked(f);
    if (failure f = pulsar::check_packed_body(body, header.messages)) return unpacked(f);
    return {layout, body, header.messages, codec};
}

/// The same for any message of a stream: its `properties` tell whether it is a pack. One that is none is its own only
/// message. `errc::corrupt_data` for a layout that is not known.
template <class Codecs>
unpacked unpack(const message_view& message, std::span<const property> properties, basic_unpack_memory<Codecs>& memory,
                const unpack_limits& limits = {}) {
    const auto mark = std::ranges::find(properties, packed_property, &property::name);
    if (mark == properties.end()) return {std::nullopt, message.payload(), 1, compression_type::none};
    if (const auto layout = parse_pack_layout(mark->value)) return unpack(message, *layout, memory, limits);
    return unpacked(pulsar::corrupt_pack("the property " + std::string(packed_property) +
                                         " names no layout: known are framed, json_array"));
}

} // namespace v1
} // namespace sluice
