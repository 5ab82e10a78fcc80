// SPDX-License-Identifier: BSL-1.0
// The server's frames on their way to the client: counted, and lost, doubled, swapped or made up.
#pragma once

#include "fault.hpp"

#include <sluice/web/ws_connection.hpp>

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace simulation {

class answers {
public:
    explicit answers(const fault& f) noexcept : fault_(f) {}

    /// `chunk` holds whole frames, unmasked. What goes on its way instead. True in `touched`: the fault has come.
    std::string pass(std::string_view chunk, bool& touched) {
        std::string out;
        while (!chunk.empty()) {
            sluice::web::frame_header header;
            sluice::web::parse_frame_header(sluice::web::as_bytes(chunk), header);
            const std::size_t size =
                sluice::web::frame_header_size(header.length, header.masked) + static_cast<std::size_t>(header.length);
            const std::string_view frame = chunk.substr(0, size);
            chunk.remove_prefix(size);
            closing_ = closing_ || header.op == sluice::web::opcode::close;
            if (header.op == sluice::web::opcode::text) {
                acknowledgement(frame, out, touched);
            } else {
                release(out);
                out += frame;
            }
        }
        passed_ += out.size();
        return out;
    }
    /// So many bytes of HTTP go before the frames.
    void skip(std::size_t n) noexcept { passed_ += n; }

    /// The server has said goodbye.
    bool closing() const noexcept { return closing_; }
    /// So does the answer to the probe.
    bool probe_within(std::size_t bytes) const noexcept { return probe_end_ != 0 && probe_end_ <= bytes; }
    /// Acknowledgements that lie within the first so many bytes; each call asks for no less than the one before.
    std::size_t within(std::size_t bytes) {
        while (!ends_.empty() && ends_.front() <= bytes) {
            ends_.pop_front();
            ++arrived_;
        }
        return arrived_;
    }

private:
    void acknowledgement(std::string_view frame, std::string& out, bool& touched) {
        // Of the probe for encrypted messages: it answers no message, and no fault strikes it but the wire's own.
        if (frame.find(R"("result":"send-error:3")") != std::string_view::npos) {
            out += frame;
            probe_end_ = passed_ + out.size();
            return;
        }
        const bool stored = frame.find(repeat_id) == std::string_view::npos;
        // Nobody could tell a repeat of the proxy's own before the socket has stored anything.
        const bool in_time = fault_.kind != fault_kind::ack_repeat || (proven_ && stored);
        const bool hit = fault_.concerns_acks() && in_time && number_++ == fault_.at;
        proven_ = proven_ || stored;
        if (!hit) {
            add(frame, out);
            return release(out);
        }
        touched = true;
        switch (fault_.kind) {
        case fault_kind::ack_lost: return;
        case fault_kind::ack_doubled:
            add(frame, out);
            out += frame;
            return;
        case fault_kind::ack_swapped: held_ = frame; return; // until the next frame, whatever it is
        case fault_kind::ack_unknown:
            made_up(R"({"result":"ok","messageId":"CAAQAw==","context":"987654321","errorCode":0})", out);
            return add(frame, out);
        case fault_kind::ack_denied:
            made_up(R"({"result":"send-error:8","errorMsg":")"
                    R"(org.apache.pulsar.client.api.PulsarClientException$TimeoutException: late","context":")" +
                        context_of(frame) + R"(","errorCode":0})",
                    out);
            ends_.push_back(passed_ + out.size());
            return release(out);
        case fault_kind::ack_repeat:
            made_up(R"({"result":"ok","messageId":")" + std::string(repeat_id) + R"(ATAA","context":")" +
                        context_of(frame) + R"(","errorCode":0,"schemaVersion":0})",
                    out);
            ends_.push_back(passed_ + out.size());
            return release(out);
        case fault_kind::bad_frame:
            add(frame, out);
            out += std::string_view("\xf1\x00", 2); // reserved bits, without an extension that uses them
            return;
        default: made_up(R"({"result":"ok","messageId":"CAAQAw==","cont)", out); return add(frame, out);
        }
    }
    void add(std::string_view frame, std::string& out) {
        out += frame;
        ends_.push_back(passed_ + out.size());
    }
    void release(std::string& out) {
        if (held_.empty()) return;
        add(held_, out);
        held_.clear();
    }
    static std::string context_of(std::string_view frame) {
        constexpr std::string_view before = "\"context\":\"";
        const std::size_t at = frame.find(before) + before.size();
        return std::string(frame.substr(at, frame.find('"', at) - at));
    }
    static void made_up(std::string_view text, std::string& out) {
        out += static_cast<char>(0x81);
        if (text.size() > 125) {
            out += static_cast<char>(126);
            out += static_cast<char>(text.size() >> 8);
        }
        out += static_cast<char>(text.size());
        out += text;
    }

    /// Ledger and entry -1.
    static constexpr std::string_view repeat_id = "CP///////////wEQ////////////";

    fault fault_;
    bool proven_ = false; ///< a message was stored
    std::size_t number_ = 0, passed_ = 0, arrived_ = 0, probe_end_ = 0;
    bool closing_ = false;
    std::string held_{};
    std::deque<std::size_t> ends_{}; ///< of acknowledgements, in bytes of the stream
};

} // namespace simulation
