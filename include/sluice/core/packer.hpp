// SPDX-License-Identifier: BSL-1.0
// `compress_at::packed`: the pack that is being gathered, and what it waits for.
#pragma once

#include <sluice/config.hpp>
#include <sluice/core/admission.hpp>
#include <sluice/core/batcher.hpp>
#include <sluice/core/send_node.hpp>
#include <sluice/pulsar/compressor.hpp>
#include <sluice/pulsar/message_frame.hpp>
#include <sluice/pulsar/packed.hpp>
#include <sluice/web/json_scan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace core {

/// What may be written and unanswered. With packs at least four of them: while one is acknowledged others are on their
/// way, and the next is gathered.
constexpr share window_of(const producer_options& o) noexcept {
    constexpr int packs = 4, most = 1'000'000;
    int messages = std::max(o.max_pending_messages, 1);
    if (o.compress_at == compress_at::packed)
        messages = std::max(messages, std::clamp(o.batching_max_messages, 1, most / packs) * packs);
    return {static_cast<std::size_t>(messages), o.max_pending_bytes};
}

/// What `producer_options::validate` cannot see: it does not know the codec.
inline failure check_packing(const producer_options& o, compression_type codec) {
    if (o.compress_at != compress_at::packed || o.pack_layout != pack_layout::json_array) return {};
    if (codec == compression_type::none) return {};
    return detail::out_of_range("pack_layout", "json_array with the codec " + std::string(to_string(codec)),
                                "framed, or json_array with the codec NONE");
}

/// Copies of the first messages that wait, laid one behind the other. The messages themselves stay among the waiting
/// until the pack goes: they may still be withdrawn or time out, and then the pack is forgotten and gathered anew.
///
///     empty -add-> gathering -finish-> (into the window) -clear-> empty
///       ^               |
///       '----forget-----'    one of the messages is gone, or the socket is
///
/// A pack that is sent again is made anew from its slot's chain: it is the same, less those whose waiters have left.
class packer {
public:
    /// Why a pack that is not full does not go yet.
    enum class wait : std::uint8_t {
        none,
        company, ///< for more messages, until `due`
        room     ///< in the window, for those that are there already; a while only, lest a small pack follows another
    };

    packer(const producer_options& o, pulsar::compressor codec)
        : codec_(std::move(codec)),
          attributes_(pulsar::packed_attributes(o.pack_layout)),
          max_frame_(o.max_frame_bytes),
          // Half where it takes a codec's time: by default no more is compressed at a time than 64 KiB.
          options_max_bytes_(codec_.compresses() ? o.batching_max_bytes / 2 : o.batching_max_bytes),
          max_bytes_(options_max_bytes_),
          max_payload_(o.max_pending_bytes / 4),
          delay_(o.send_timeout.count() == 0 ? instant(o.batching_max_publish_delay)
                                             : std::min<instant>(o.batching_max_publish_delay, o.send_timeout / 2)),
          waits_when_idle_(o.pack_waits_when_idle),
          writer_(o.pack_layout, {max_bytes_, std::min(static_cast<std::size_t>(std::max(o.batching_max_messages, 1)),
                                                       std::max<std::size_t>(window_of(o).messages / 4, 1))}) {}

    /// The time at which what follows happens.
    void turn(instant now) noexcept { now_ = now; }

    // --- gathering

    bool empty() const noexcept { return writer_.empty(); }
    bool full() const noexcept { return writer_.full(); }
    std::size_t messages() const noexcept { return writer_.messages(); }
    std::size_t payload() const noexcept { return payload_; } ///< bytes of it
    std::size_t size() const noexcept { return writer_.size(); }
    /// The octets of its frame's JSON if nothing shrinks.
    std::size_t most_text() const noexcept { return around_ + web::base64_size(writer_.size()); }

    /// The message behind those that are in the pack, or a flush, or null.
    node* next(const node_list& waiting) const noexcept { return last_ ? last_->next : waiting.front(); }

    /// Before the first message: how much a pack with its key may hold, so that the frame is within its limit even if
    /// nothing shrinks.
    void begin(const message_view& first, const pulsar::message_encoder& encoder, std::uint64_t context) noexcept {
        begin(first, encoder, context, max_bytes_);
    }
    pulsar::pack_fit fits(const message_view& m) const noexcept {
        return over_share(m) ? pulsar::pack_fit::full : writer_.fits(m);
    }
    pulsar::pack_fit add(send_node* n) {
        if (over_share(n->message)) return pulsar::pack_fit::full;
        const pulsar::pack_fit fit = writer_.add(n->message);
        if (fit != pulsar::pack_fit::fits) return fit;
        last_ = n;
        payload_ += n->message.payload().size();
        instant patience = delay_;
        if (n->deadline != never) patience = std::min(patience, (n->deadline - n->accepted) / 2);
        due_ = std::min(due_, n->accepted + patience);
        return fit;
    }
    const failure& refusal() const noexcept { return writer_.refusal(); }

    /// No more messages are there. True: the pack goes all the same. `idle`: nothing is unanswered.
    bool goes_without_company(bool idle) noexcept {
        if (now_ >= due_ || (idle && !waits_when_idle_)) return true;
        waits_for_ = wait::company;
        return false;
    }
    /// More messages are there, but the window has no room for them. A full pack is worth waiting for a little:
    /// otherwise each answer of a small pack makes room for a small pack.
    bool goes_without_room() noexcept {
        if (until_ == never) until_ = now_ + delay_;
        if (now_ >= until_) return true;
        waits_for_ = wait::room;
        return false;
    }
    wait waits_for() const noexcept { return waits_for_; }
    void resume() noexcept { waits_for_ = wait::none; }
    std::optional<instant> due() const noexcept {
        if (waits_for_ == wait::none) return std::nullopt;
        return waits_for_ == wait::company ? due_ : until_;
    }

    /// Nothing is gathered any more; the memory is kept.
    void forget() noexcept {
        writer_.clear();
        last_ = nullptr;
        payload_ = 0;
        due_ = until_ = never;
        waits_for_ = wait::none;
    }

    // --- the message that holds the pack; valid until the packer is used again

    message_view finish() {
        const pulsar::finished_pack pack = writer_.finish(codec_);
        message_view m(web::as_text(pack.bytes));
        if (writer_.has_key()) m.with_key(writer_.key());
        return m.with(attributes_);
    }
    /// Lays a slot's messages once more. False: it is a single message that was not packed. Precondition: `empty`.
    bool gather_again(const node_list& chain, const pulsar::message_encoder& encoder, std::uint64_t context) {
        begin(as_send(chain.front())->message, encoder, context, options_max_bytes_); // as it was before any 1009
        for (node* n = chain.front(); n; n = n->next)
            if (writer_.add(as_send(n)->message) != pulsar::pack_fit::fits) return false;
        return true;
    }
    bool compresses() const noexcept { return codec_.compresses(); }

    /// A payload of a `json_array` that would be refused.
    bool refuses(const message_view& m) const noexcept {
        return writer_.layout() == pack_layout::json_array &&
               web::scan_json_text(m.payload()).fault != web::json_fault::none;
    }

    /// The server takes no frames as large as the last one was.
    void shrink_limit() noexcept { max_bytes_ = std::max<std::size_t>(max_bytes_ / 2, 256); }

    void idle() noexcept { writer_.shrink(0); }

private:
    void begin(const message_view& first, const pulsar::message_encoder& encoder, std::uint64_t context,
               std::size_t most) noexcept {
        message_view around;
        if (first.has_key()) around.with_key(first.key());
        around_ = encoder.text_size(around.with(attributes_), context);
        const std::size_t left = max_frame_ - std::min(around_, max_frame_);
        writer_.limit(std::min(most, pulsar::pack_bytes_within(left)));
    }

    /// Four packs are within `max_pending_bytes`.
    bool over_share(const message_view& m) const noexcept {
        return !writer_.empty() && payload_ + m.payload().size() > max_payload_;
    }

    pulsar::compressor codec_;
    message_attributes attributes_;
    std::size_t max_frame_, options_max_bytes_, max_bytes_, max_payload_;
    instant delay_; ///< a message that has less time than that shall not spend all of it waiting
    bool waits_when_idle_;

    pulsar::pack_writer writer_;
    send_node* last_ = nullptr; ///< the pack's last message: those up to it are in the pack
    std::size_t payload_ = 0;
    std::size_t around_ = 0; ///< the octets of its frame's JSON that are not payload
    instant now_{};
    instant due_ = never;   ///< the pack goes at the latest
    instant until_ = never; ///< it has waited long enough for room
    wait waits_for_ = wait::none;
};

} // namespace core
} // namespace v1
} // namespace sluice
