// SPDX-License-Identifier: BSL-1.0
// A producer's end-to-end encryption: an envelope for each socket, and the payload's way into it.
#pragma once

#include <sluice/public_key.hpp>
#include <sluice/pulsar/message_sealer.hpp>
#include <sluice/pulsar/recipient.hpp>
#include <sluice/pulsar/sealed_payload.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace pulsar {

class envelope_sealer final : public message_sealer {
public:
    /// `limit`: messages under one data key.
    envelope_sealer(std::vector<std::string> names, key_source reader, compressor codec, web::random_source random,
                    std::uint64_t limit = envelope::most_messages)
        : names_(std::move(names)),
          reader_(std::move(reader)),
          type_(codec.type),
          sealer_(std::move(codec)),
          random_(random),
          limit_(limit) {}

    failure renew() override {
        envelope_ = envelope();
        auto [unread, recipients] = read_recipients(reader_, names_);
        if (unread) {
            // What the system refuses now, too many open files say, it may give later: a producer that has had its keys
            // does not end for it.
            if (had_keys_ && unread.details && unread.details->cause) unread.code = errc::credential_failed;
            return unread;
        }
        auto [unmade, fresh] = envelope::make(recipients, random_, limit_);
        if (unmade) return unmade;
        envelope_ = std::move(fresh);
        had_keys_ = true;
        return {};
    }
    std::string_view url_parameter() const noexcept override { return envelope_.url_parameter(); }

    std::size_t growth(std::size_t payload) const noexcept override {
        sealed_payload largest;
        largest.compression = type_;
        largest.uncompressed_size = payload;
        return web::base64_size(envelope::sealed_size(payload)) - web::base64_size(payload) + largest.members_size();
    }
    sealed_message seal(web::bytes_view payload) override {
        const sealed_payload sealed = sealer_.seal(envelope_, payload);
        if (sealed.ec) return {.ec = sealed.ec};
        return {.payload = sealed.bytes,
                .members = {members_.data(),
                            static_cast<std::size_t>(sealed.put_members(members_.data()) - members_.data())},
                .compressed = type_ != compression_type::none};
    }
    bool exhausted() const noexcept override { return envelope_.exhausted(); }
    void idle() noexcept override { sealer_.shrink(0); }

private:
    std::vector<std::string> names_;
    key_source reader_;
    compression_type type_;
    payload_sealer sealer_;
    web::random_source random_;
    std::uint64_t limit_;
    envelope envelope_{};
    bool had_keys_ = false;
    std::array<char, 160> members_{}; ///< three members: the names, a codec's name, 20 digits, 16 of base64
};

} // namespace pulsar
} // namespace v1
} // namespace sluice
