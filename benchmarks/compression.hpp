// SPDX-License-Identifier: BSL-1.0
// How a producer is told to compress: flags of bench_produce, and what they make of its codec and its options.
#pragma once

#include "encrypting.hpp"
#include "measure.hpp"

#include <sluice.hpp>
#include <sluice/codec/any.hpp>
#include <sluice/deflate.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

struct compression_options {
    static std::vector<std::string_view> names() { return {"compression", "level", "compress-at", "deflate", "batch"}; }

    explicit compression_options(const arguments& a)
        : compression(a.text("compression", "NONE")),
          place(a.text("compress-at", "broker")),
          deflate(a.text("deflate", "off")),
          level(static_cast<int>(a.number("level", 0, 1, 22))),
          batch(static_cast<std::size_t>(a.number("batch", 1, 1, 100'000))) {
        if (place != "broker" && place != "packed" && place != "end_to_end")
            fail("--compress-at " + place + ": allowed is broker, packed and end_to_end");
        if (deflate != "off" && deflate != "on") fail("--deflate " + deflate + ": allowed is off and on");
    }

    sluice::codec::any codec() const {
        auto [codec, unknown] = sluice::codec::any::make(compression);
        if (unknown) fail("--compression " + compression + ": " + unknown.details->text);
        if (level == 0) return std::move(codec);
        switch (codec.type()) {
        case sluice::compression_type::lz4: return sluice::codec::lz4(level);
        case sluice::compression_type::zlib: return sluice::codec::zlib(level);
        case sluice::compression_type::zstd: return sluice::codec::zstd(level);
        default: return std::move(codec);
        }
    }

    /// So that a batch fits into one frame and one write, and `batches` of them may be unanswered.
    sluice::producer_options options(std::size_t batches) const {
        sluice::producer_options o;
        o.batching_enabled = batch > 1 && place != "end_to_end"; // which a proxy cannot batch
        o.batching_max_messages = static_cast<int>(batch);
        o.max_pending_messages = static_cast<int>(batches * batch);
        o.batching_max_bytes = o.max_frame_bytes = 2u << 20;
        if (place == "packed") o.compress_at = sluice::compress_at::packed;
        if (place == "end_to_end") {
            o.compress_at = sluice::compress_at::end_to_end;
            encrypt_for_nobody<sluice::pem_text>(o);
        }
        if (deflate == "on") {
            o.deflate = sluice::deflate_on;
            if (level != 0) o.deflate.level = level;
        }
        return o;
    }

    /// Of the line: `,"name":value`.
    std::string members() const {
        return ",\"compression\":\"" + compression + "\",\"compress_at\":\"" + place + "\",\"deflate\":\"" + deflate +
               "\",\"level\":" + std::to_string(level) + ",\"batch\":" + std::to_string(batch);
    }

    std::string compression, place, deflate;
    int level; ///< of the codec, or of deflate; 0: its own default
    std::size_t batch;
};

} // namespace bench
