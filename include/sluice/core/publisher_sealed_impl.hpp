// SPDX-License-Identifier: BSL-1.0
// The bodies of core/publisher.hpp where messages are encrypted end to end.
#pragma once

#include <sluice/core/publisher.hpp>
#include <sluice/pulsar/encryption_support.hpp>

namespace sluice {
inline namespace v1 {
namespace core {

namespace detail {

inline message_view with_payload(const message_view& m, web::bytes_view payload) noexcept {
    message_view other(web::as_text(payload));
    if (m.has_key()) other.with_key(m.key());
    if (m.attributes()) other.with(*m.attributes());
    return other;
}

} // namespace detail

/// The first acknowledgement of a socket answers the probe.
inline failure publisher::probed(const pulsar::acknowledgement& ack) {
    failure unsupported = pulsar::judge_encryption_probe(ack);
    if (!unsupported) {
        probing_ = false;
        ready();
    }
    return unsupported;
}

/// What is asked of `max_frame_bytes`: a message fits or does not, however well it compresses this time.
inline std::size_t publisher::longest_sealed_text(const message_view& m, std::uint64_t context) const noexcept {
    return encoder_.text_size(m, context) + sealer_->growth(m.payload().size());
}

inline bool publisher::append_sealed_again(std::uint64_t context) {
    window::slot& s = *window_.find(context);
    const message_view& m = as_send(s.chain.front())->message;
    const std::size_t longest = longest_sealed_text(m, context);
    if (!batch_.has_room(longest + web::frame_header_size(longest, true))) return false;
    if (sealer_->exhausted()) {
        holding_ = true;
        return false;
    }
    const pulsar::sealed_message sealed = sealer_->seal(web::as_bytes(m.payload()));
    if (sealed.ec) {
        abandon(as_send(s.chain.front()), make_failure(sealed.ec, "sealing the message once more"));
        return true;
    }
    if (sealed.compressed) batch_.compressed(m.payload().size());
    const message_view view = detail::with_payload(m, sealed.payload);
    const std::size_t text = encoder_.text_size(view, context) + sealed.members.size();
    s.text = static_cast<std::uint32_t>(text);
    append_frame(view, context, text, sealed.members);
    ++s.attempts;
    numbers_.frames_resent.add();
    return true;
}

inline bool publisher::append_sealed_new(send_node* n) {
    const message_view& m = n->message;
    const std::size_t longest = longest_sealed_text(m, window_.next());
    if (longest > options_.max_frame_bytes) {
        abandon(n, misfit(m, window_.next()));
        return true;
    }
    if (!window_.has_room(1, m.payload().size()) || !batch_.has_room(longest + web::frame_header_size(longest, true)) ||
        !afford(m.payload().size()))
        return false;
    if (sealer_->exhausted()) {
        holding_ = true;
        return false;
    }
    const pulsar::sealed_message sealed = sealer_->seal(web::as_bytes(m.payload()));
    if (sealed.ec) {
        abandon(n, make_failure(sealed.ec, "sealing the message"));
        return true;
    }
    if (sealed.compressed) batch_.compressed(m.payload().size());
    const message_view view = detail::with_payload(m, sealed.payload);
    const std::size_t text = encoder_.text_size(view, window_.next()) + sealed.members.size();
    const std::uint64_t context = enter_window(n, text);
    append_frame(view, context, text, sealed.members);
    if (n->waiter) finished_.push_back(std::exchange(n->waiter, nullptr));
    return true;
}

} // namespace core
} // namespace v1
} // namespace sluice
