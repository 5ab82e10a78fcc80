// SPDX-License-Identifier: BSL-1.0
// The bodies of core/publisher.hpp: many messages in one frame.
#pragma once

#include <sluice/core/publisher.hpp>

namespace sluice {
inline namespace v1 {
namespace core {

/// Fills the pack from the front of the waiting messages. Those that are in it are not sent yet, but are as good as in
/// the window: a push is over, and their bytes are taken from the budget.
inline publisher::gathered publisher::gather() {
    using pulsar::pack_fit;
    packer& pack = *packs_;
    if (!pack.empty() && pack.full()) return gathered::pack; // the last write had no room for it
    while (node* const front = pack.next(waiting_)) {
        if (front->kind != node_kind::message) return gathered::pack; // a flush waits for what is before it
        send_node* const n = as_send(front);
        const std::size_t size = n->message.payload().size();
        if (pack.empty()) pack.begin(n->message, encoder_, window_.next());
        const bool room = window_.has_room(pack.messages() + 1, pack.payload() + size);
        const bool allowed = room && afford(size);
        switch (allowed ? pack.add(n) : pack.fits(n->message)) {
        case pack_fit::full:
        case pack_fit::other_key: return gathered::pack;
        case pack_fit::alone:
        case pack_fit::too_large: return pack.empty() ? gathered::message : gathered::pack;
        case pack_fit::refused:
            withdraw(n);
            settle(n, pack.refusal(), outcome::not_sent);
            refresh(); // a flush may be the next now
            continue;
        case pack_fit::fits: break;
        }
        if (!allowed) {
            if (pack.empty()) return gathered::nothing;
            return !room && !closing_ && !pack.goes_without_room() ? gathered::nothing : gathered::pack;
        }
        if (n->waiter) finished_.push_back(std::exchange(n->waiter, nullptr));
        if (pack.full()) return gathered::pack;
    }
    if (pack.empty()) return gathered::nothing;
    return closing_ || pack.goes_without_company(window_.empty()) ? gathered::pack : gathered::nothing;
}

/// The next pack, or the next message if it goes by itself. False: nothing more may be written now.
inline bool publisher::append_pack() {
    switch (gather()) {
    case gathered::nothing: return false;
    case gathered::message: return append_new(as_send(waiting_.front()));
    case gathered::pack: break;
    }
    packer& pack = *packs_;
    if (!batch_.has_room(pack.most_text() + web::max_frame_header_size)) return false;
    const message_view m = pack.finish();
    if (pack.compresses()) batch_.compressed(pack.size());
    const std::size_t messages = pack.messages(), payload = pack.payload();
    const std::size_t text = encoder_.text_size(m, window_.next());
    const std::uint64_t context = window_.next();
    window::slot& s = window_.open(static_cast<std::uint32_t>(messages), payload); // may throw
    for (std::size_t i = 0; i < messages; ++i) {
        send_node* const n = as_send(waiting_.pop_front());
        s.chain.push_back(n);
        n->context = context;
        n->stage = send_node::stage_type::in_window;
    }
    waiting_messages_ -= messages;
    waiting_bytes_ -= payload;
    live_messages_ += messages;
    s.attempts = 1;
    s.text = static_cast<std::uint32_t>(text);
    append_frame(m, context, text);
    pack.forget();
    return true;
}

/// A slot's frame once more.
inline bool publisher::append_pack_again(window::slot& s, std::uint64_t context) {
    packer& pack = *packs_;
    pack.forget();
    message_view m = as_send(s.chain.front())->message;
    const bool packed = pack.gather_again(s.chain, encoder_, context);
    if (!packed && s.chain.front()->next) { // bytes that are only borrowed are others now
        pack.forget();
        while (node* const n = s.chain.front())
            abandon(as_send(n), make_failure(errc::invalid_message, "a message was changed while it was being sent"));
        return true;
    }
    const std::size_t most = packed ? pack.most_text() : encoder_.text_size(m, context);
    const bool room = batch_.has_room(most + web::max_frame_header_size);
    if (room) {
        if (packed) {
            m = pack.finish();
            if (pack.compresses()) batch_.compressed(pack.size());
        }
        const std::size_t text = encoder_.text_size(m, context);
        s.text = static_cast<std::uint32_t>(text);
        append_frame(m, context, text);
    }
    pack.forget();
    return room;
}

} // namespace core
} // namespace v1
} // namespace sluice
