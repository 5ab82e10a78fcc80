// SPDX-License-Identifier: BSL-1.0
// The receiving half of permessage-deflate (RFC 7692), by zlib itself: as the rest of the sink, without sluice.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace bench {

/// One connection's messages, whole ones, in their order.
class message_inflater {
public:
    message_inflater() : stream_(new z_stream{}) {
        constexpr int raw = -15; // the largest window: it takes what any smaller one has made
        ready_ = inflateInit2(stream_.get(), raw) == Z_OK;
    }

    /// What the message was before, in memory that the next call uses again. Nothing if it is not deflated, or larger
    /// than any message here is.
    std::optional<std::span<unsigned char>> inflate(const unsigned char* data, std::size_t size) {
        static constexpr unsigned char tail[4] = {0, 0, 0xff, 0xff}; // section 7.2.2: appended before inflating
        std::size_t made = 0;
        if (!ready_ || size > largest || !add({data, size}, made) || !add(tail, made)) return std::nullopt;
        return std::span(text_.get(), made);
    }

private:
    struct end_stream {
        void operator()(z_stream* s) const noexcept {
            inflateEnd(s);
            delete s;
        }
    };
    static constexpr std::size_t largest = 64u << 20;

    bool add(std::span<const unsigned char> in, std::size_t& made) {
        stream_->next_in = const_cast<unsigned char*>(in.data()); // zlib only reads
        stream_->avail_in = static_cast<uInt>(in.size());
        do {
            if (capacity_ == made && !grow(made)) return false;
            stream_->next_out = text_.get() + made;
            stream_->avail_out = static_cast<uInt>(capacity_ - made);
            const int result = ::inflate(stream_.get(), Z_SYNC_FLUSH);
            made = capacity_ - stream_->avail_out;
            if (result != Z_OK && result != Z_BUF_ERROR) return false;
        } while (stream_->avail_out == 0);
        return stream_->avail_in == 0;
    }

    bool grow(std::size_t used) {
        if (capacity_ >= largest) return false;
        const std::size_t capacity = capacity_ == 0 ? 16u << 10 : capacity_ * 2;
        std::unique_ptr<unsigned char[]> text(new unsigned char[capacity]);
        if (used != 0) std::memcpy(text.get(), text_.get(), used);
        text_ = std::move(text);
        capacity_ = capacity;
        return true;
    }

    std::unique_ptr<z_stream, end_stream> stream_;
    bool ready_ = false;
    std::unique_ptr<unsigned char[]> text_{};
    std::size_t capacity_ = 0;
};

} // namespace bench
