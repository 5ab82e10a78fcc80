// SPDX-License-Identifier: BSL-1.0
// The producer without its socket: sends in, frames out; acknowledgements in, finished nodes out.
#pragma once

#include <sluice/config.hpp>
#include <sluice/core/accumulator.hpp>
#include <sluice/core/admission.hpp>
#include <sluice/core/batcher.hpp>
#include <sluice/core/counters.hpp>
#include <sluice/core/deadlines.hpp>
#include <sluice/core/packer.hpp>
#include <sluice/core/window.hpp>
#include <sluice/pulsar/ack.hpp>
#include <sluice/pulsar/message_frame.hpp>
#include <sluice/pulsar/message_sealer.hpp>
#include <sluice/web/ws_connection.hpp>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace core {

/// A message's way:
///
///     submit -> [accumulator] -drain-> [waiting] -encode-> [window] -received-> [finished]
///                                          ^                  |
///                                          '--- (never: a message in the window keeps its slot, and a lost
///                                                connection encodes it again from there, in the old order)
///
/// All but `submit`, `reserve` and the counters is for one strand. Nothing here calls user code but the codec and, in
/// `renew_keys`, the reader of keys: what is done comes out of `take_finished`, whose nodes the owner finishes
/// elsewhere.
class publisher {
public:
    /// Options that are not allowed do no harm here: there is room for the first message, which is told so.
    /// `first_sequence_id`: the number of the first message; what `initial_sequence_id` + 1 says, or a clock reading.
    /// `codec`: of packs.
    publisher(const producer_options& options, std::int64_t first_sequence_id, web::random_source random,
              pulsar::compressor codec = {})
        : options_(options),
          first_sequence_id_(first_sequence_id),
          limit_(window_of(options)),
          drops_(options.when_full == when_full::drop_newest || options.when_full == when_full::drop_oldest),
          keys_(random),
          window_(limit_.messages, limit_.bytes),
          packs_(options.compress_at == compress_at::packed ? std::make_unique<packer>(options, std::move(codec))
                                                            : nullptr),
          batch_(options.batching_max_bytes),
          admission_(limit_) {}
    publisher(const publisher&) = delete;
    publisher& operator=(const publisher&) = delete;
    ~publisher() { return_budget(); }

    // --- any thread

    accumulator::pushed submit(node* first, node* last) noexcept { return submitted_.push(first, last); }
    accumulator::pushed submit(node* n) noexcept { return submitted_.push(n); }
    /// Counts a message in, or says that there is no room. A node that was counted in has `counted` set.
    bool reserve(const message_view& m) noexcept { return reserve(m.payload().size()); }
    bool reserve(std::size_t bytes) noexcept {
        return admission_.reserve(bytes, !options_.budget || options_.budget->has(bytes));
    }
    void give_back(const message_view& m) noexcept { give_back(m.payload().size()); }
    void give_back(std::size_t bytes) noexcept { admission_.give_back(bytes); }
    /// Base64 of a plain payload, and an empty message's JSON, are far below the limit.
    bool fits_for_certain(const message_view& m) const noexcept {
        return fits_a_frame(m) && !(packs_ && packs_->refuses(m));
    }
    /// Once `submit` has answered *closed*: why.
    const failure& end_reason() const noexcept { return ended_; }
    /// The same: ends a message that was never taken over. What is to be finished goes into `done`.
    static void refuse(send_node* n, const failure& why, node_list& done);
    std::int64_t last_sequence_id() const noexcept { return last_sequence_id_.load(std::memory_order_relaxed); }
    counters& numbers() noexcept { return numbers_; }
    const counters& numbers() const noexcept { return numbers_; }
    /// One cancelled node more, for `cancel_requested`. The caller has moved its state from idle to requested; its push
    /// was before, for Asio forbids to emit while the operation is still being initiated.
    void request_cancel(send_node* n) noexcept {
        n->next_cancelled = cancelled_.load(std::memory_order_relaxed);
        while (!cancelled_.compare_exchange_weak(n->next_cancelled, n, std::memory_order_release,
                                                 std::memory_order_relaxed)) {}
    }

    // --- the strand: input from senders

    /// Takes over what was submitted, and gives it its deadline.
    void drain(instant now);
    /// Finishes the nodes whose links have arrived.
    void cancel_requested(instant now);
    /// Ends what is past its deadline. Without a connection the error tells why there is none.
    void expire(instant now);

    /// How many messages `when_full` has dropped since the last call.
    std::uint64_t take_dropped() noexcept { return std::exchange(newly_dropped_, 0); }

    bool arm() noexcept { return submitted_.arm(); }

    // --- the strand: end-to-end encryption

    /// Before the first socket: every message is encrypted by it. Null: none is.
    /// What `producer_options::validate` cannot see.
    failure check_options(compression_type codec) const {
        if (options_.compress_at == compress_at::end_to_end && !sealer_) // nothing is sent in plain text instead
            return make_failure(errc::invalid_option,
                                "encryption.make gave nothing; allowed is what encrypt_for gives");
        return check_packing(options_, codec);
    }
    void seal_with(std::unique_ptr<pulsar::message_sealer> by) noexcept { sealer_ = std::move(by); }
    /// Before each attempt to open a socket, which has keys of its own.
    failure renew_keys() { return sealer_ ? sealer_->renew() : failure{}; }
    /// A socket is up that has not shown yet that its proxy knows such messages: nothing but the probe is written. It
    /// is not open before `received` has read the answer.
    bool probing() const noexcept { return probing_; }

    // --- the strand: the socket

    /// What the URL of the next socket says: the number before the first one that it will carry, where numbers are
    /// given at all. Old messages are sent again with the proxy's batching off, for it judges a batch by its first
    /// number.
    struct announcement {
        std::optional<std::int64_t> initial_sequence_id{};
        bool batching = false;
        std::string_view encryption_keys{}; ///< of the query; good until the next `renew_keys`
    };
    announcement announce() noexcept;

    /// A socket is up, as announced; `upgrade_surplus` came behind the answer to the upgrade, and `received(0)` reads
    /// it. `compression`: what was agreed on.
    void opened(web::bytes_view upgrade_surplus, std::unique_ptr<web::message_compression> compression = nullptr);
    /// It is gone. Unanswered messages keep their slots; those whose waiters left are given up.
    void lost(const failure& cause);
    bool is_open() const noexcept { return socket_.has_value() && !probing_; }
    /// This socket has brought an acknowledgement.
    bool answered() const noexcept { return answered_; }
    /// The oldest message is unanswered, though its waiter left long ago: as long again as `send_timeout`, and at least
    /// 30 s, for a server may be slow. Asked at each tick.
    bool overdue(instant now) noexcept;

    /// The next write: control frames, then what is to be sent again, then new messages while the window has room.
    /// Empty: nothing may be written now. The bytes stay where they are until the next call.
    web::bytes_view encode();

    /// While a pack waits for company: when it goes without. `encode` is to be called then, after `drain`.
    std::optional<instant> pack_due() const noexcept { return packs_ ? packs_->due() : std::nullopt; }

    /// Room for a read.
    std::span<std::byte> prepare(std::size_t n) { return socket_->prepare(n); }
    /// n bytes of it were read. A failure: the socket is of no more use.
    failure received(std::size_t n, instant now);
    failure end_of_stream(instant now);

    void ping() { socket_->ping({}); }
    /// What was taken over has use for a socket.
    bool wants_socket() const noexcept { return !waiting_.empty() || !openers_.empty(); }
    /// A close frame waits to be written.
    bool says_goodbye() const noexcept { return socket_ && socket_->close_sent() && !socket_->output().empty(); }
    /// Begins the closing handshake.
    void close_socket() { socket_->close(web::close_code::normal_closure); }

    // --- the strand: ends

    /// A cancellation is under way whose link has not arrived: its node waits for it.
    bool awaits_cancels() const noexcept { return limbo_ != 0; }
    /// Ends a push that still waits for room, with `errc::aborted`.
    void cancel_push(std::uint64_t ticket);
    /// The same for the wait of an open, a flush or a close. A close that nobody waits for goes on.
    void cancel_marker(std::uint64_t ticket);

    /// Nothing is accepted any more; everything left ends with `why`.
    void end(const failure& why);
    /// No more pushes; what was pushed meanwhile ends too. True: the accumulator was armed.
    bool close_accumulator(instant now);
    /// Everything that the publisher holds is destroyed uncalled: the execution context is going away.
    void destroy_all() noexcept;

    /// Finished nodes, in the order in which they were finished.
    node_list take_finished() noexcept { return std::move(finished_); }

    // --- the strand: what is there

    std::size_t messages() const noexcept { return waiting_messages_ + live_messages_; }
    std::size_t waiting() const noexcept { return waiting_messages_; }
    /// More messages wait than `before`, and few for one write: a third of the window at a time keeps both ends busy.
    bool gathers(std::size_t before) const noexcept {
        return socket_ && waiting_messages_ > before && waiting_messages_ < limit_.messages / 3;
    }
    /// Every message that was accepted has been answered.
    bool drained() const noexcept { return messages() == 0 && !awaits_cancels(); }
    /// Frames are written and unanswered, of messages that nobody waits for too.
    bool unanswered() const noexcept { return !window_.empty(); }
    /// A message with a time-out of its own is outstanding, or somebody waits for the socket.
    bool has_deadlines() const noexcept { return !deadlines_.empty() || !openers_.empty(); }
    /// Messages wait for room, or for a socket: new ones need not wake anybody. They do where a pack waits for them.
    bool blocked() const noexcept {
        return (!waiting_.empty() && !(packs_ && packs_->waits_for() == packer::wait::company)) || holding_;
    }
    bool wants_write() const noexcept {
        return socket_ &&
               (!socket_->output().empty() || (!probing_ && (cursor_ != window_.next() || !waiting_.empty())));
    }
    /// What a `close` is told: messages sent before it that were not stored, and why the first was not.
    failure lost_while_closing() const;
    /// What became of them: `maybe_persisted` if that is so for one of them.
    outcome closing_outcome() const noexcept { return closing_outcome_; }
    /// A `close` has been drained.
    bool closing() const noexcept { return closing_; }
    node_list take_closers() noexcept { return std::move(closers_); }

    /// This socket cannot go on, and nothing is in flight any more: it is to be reopened.
    bool wants_reopen() const noexcept { return holding_ && window_.oldest() >= cursor_; }
    /// The shared budget has not so many bytes, which the next message needs; 0: it is not short.
    std::size_t short_of_budget() const noexcept { return short_of_budget_; }
    /// Gives memory back. Not the socket's: a read into `prepare`'s room may be under way.
    void idle() noexcept {
        batch_.idle();
        keys_.shrink();
        if (packs_) packs_->idle();
        window_.shrink();
        text_.clear();
        text_.shrink(0);
        if (socket_ && socket_->compression()) socket_->compression()->release_memory();
        if (sealer_) sealer_->idle();
    }

private:
    static constexpr std::uint64_t all_sure = std::numeric_limits<std::uint64_t>::max();

    std::int64_t number_of(std::uint64_t context) const noexcept {
        return first_sequence_id_ + static_cast<std::int64_t>(context);
    }
    bool fits_a_frame(const message_view& m) const noexcept {
        return !m.has_key() && !m.attributes() && m.payload().size() < options_.max_frame_bytes / 2 - 64;
    }
    /// Payload that is in the window, or in the pack that will be next.
    std::size_t held_bytes() const noexcept { return window_.bytes() + (packs_ ? packs_->payload() : 0); }
    void take_over(node* n, instant now);
    void accept(send_node* n, instant now);
    void wait(send_node* n);
    const send_node* expire_waiting(instant oldest);
    const send_node* expire_window(instant oldest);
    void make_room();
    static const failure& no_room(failure& shared, const char* limit, std::size_t value);
    failure misfit(const message_view& m, std::uint64_t context) const;
    static void conclude(send_node* n, const failure& error, outcome o, node_list& done);
    static bool begin_completing(send_node* n) noexcept;
    static void finish_settled(send_node* n, node_list& done);
    void withdraw(send_node* n) noexcept;
    void leave_window(send_node* n);
    static void destroy(node* n) noexcept;
    bool append_again(std::uint64_t context);
    bool append_new(send_node* n);
    enum class gathered : std::uint8_t { nothing, pack, message };
    gathered gather();
    bool append_pack();
    bool append_pack_again(window::slot& s, std::uint64_t context);
    bool append_sealed_again(std::uint64_t context);
    bool append_sealed_new(send_node* n);
    std::uint64_t enter_window(send_node* n, std::size_t text);
    std::size_t longest_sealed_text(const message_view& m, std::uint64_t context) const noexcept;
    void append_frame(const message_view& m, std::uint64_t context, std::size_t text, std::string_view members = {});
    bool append_deflated(web::message_compression& by, const message_view& m, std::uint64_t context, std::size_t text,
                         std::string_view members);
    void ready();
    failure probed(const pulsar::acknowledgement& ack);
    bool afford(std::size_t bytes) noexcept { return !options_.budget || take_budget(bytes); }
    bool take_budget(std::size_t bytes) noexcept;
    void return_budget();
    void reject_largest(const failure& closed);
    static outcome outcome_of(errc refusal, std::uint32_t attempts) noexcept;
    failure acknowledged(const pulsar::acknowledgement& ack, instant now);
    bool persisted(const pulsar::common_acknowledgement& ack, instant now);
    void stored(window::slot& s, const pulsar::common_acknowledgement& ack, outcome o, instant now);
    void settle(send_node* n, const failure& error, outcome o);
    void finish(send_node* n);
    void lost_closing(const failure& error, outcome o);
    void abandon(send_node* n, const failure& error);
    void settle_markers();
    void finish_openers(const failure& f);
    void end_all(const failure& why);
    void refresh(share taken_over = {});
    failure timed_out(errc code);

    producer_options options_;
    std::int64_t first_sequence_id_;
    share limit_;      ///< of the window
    const bool drops_; ///< `when_full` = drop_newest, drop_oldest
    web::mask_keys keys_;
    pulsar::message_encoder encoder_{};
    pulsar::ack_parser parser_{};
    std::unique_ptr<pulsar::message_sealer> sealer_{}; ///< null: messages are sent as they are

    accumulator submitted_{};
    std::atomic<send_node*> cancelled_{nullptr};
    std::size_t limbo_ = 0; ///< settled nodes that wait for their links
    node_list waiting_{};   ///< messages, and flushes between them
    std::size_t waiting_messages_ = 0;
    std::size_t waiting_bytes_ = 0;
    std::size_t live_messages_ = 0; ///< in the window, with a waiter
    window window_;
    std::size_t granted_ = 0;         ///< taken from the shared budget: as much as is held, between two calls
    std::size_t short_of_budget_ = 0; ///< see there
    deadlines deadlines_{};
    instant next_expiry_{}; ///< of those with the producer's time-out none is due before
    node_list finished_{};
    node_list flushes_{}, openers_{}, closers_{};

    std::optional<web::ws_connection> socket_{};
    const std::unique_ptr<packer> packs_; ///< null where each message has a frame of its own
    batcher batch_;
    web::byte_buffer text_{};    ///< of the message that is being compressed
    std::uint64_t cursor_ = 0;   ///< the contexts below it have been encoded for this socket
    std::uint64_t expected_ = 0; ///< `deduplicate`: the context whose number the broker will give next
    bool probing_ = false;       ///< see there
    bool holding_ = false;       ///< no more frames on this socket: see `wants_reopen`
    /// `deduplicate`: the message of this context was refused, and may or may not have taken a number: those of the
    /// messages behind it on this socket are ours or lower.
    std::uint64_t unsure_from_ = all_sure;
    bool alone_ = false;        ///< this socket was opened with the proxy's batching off
    std::uint64_t old_end_ = 0; ///< the contexts below it were there before this socket
    bool answered_ = false;
    /// This socket has stored a message under its number. The name is the proxy's producer's alone, so what is dropped
    /// behind that was stored too: the proxy has sent it again itself, to a broker that it had lost meanwhile.
    bool proven_ = false;
    bool stored_some_ = false;       ///< so has any socket
    std::uint64_t stuck_ = all_sure; ///< the oldest context, found without a waiter
    instant stuck_since_{};          ///< when it was found so

    std::uint64_t newly_dropped_ = 0;
    bool closing_ = false;
    std::size_t closing_losses_ = 0;
    failure first_closing_loss_{};
    outcome closing_outcome_ = outcome::not_sent;
    failure ended_{};
    failure last_cause_{};
    failure timeout_{}, ack_timeout_{}; ///< shared by all that expire for the same cause
    failure no_room_{}, no_bytes_{};    ///< shared by all that are dropped
    admission admission_;
    counters numbers_{};
    std::atomic<std::int64_t> last_sequence_id_{-1};
};

} // namespace core
} // namespace v1
} // namespace sluice

#include <sluice/core/publisher_impl.hpp>
#include <sluice/core/publisher_packed_impl.hpp>
#include <sluice/core/publisher_sealed_impl.hpp>
#include <sluice/core/publisher_socket_impl.hpp>
