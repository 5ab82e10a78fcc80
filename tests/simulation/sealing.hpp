// SPDX-License-Identifier: BSL-1.0
// End-to-end encryption without the encryption: the probe, the members and a data key's end are as they are, and the
// payload can be read on the wire.
#pragma once

#include <sluice/end_to_end.hpp>
#include <sluice/pulsar/compressor.hpp>
#include <sluice/pulsar/message_sealer.hpp>
#include <sluice/web/base64.hpp>
#include <sluice/web/mask.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace simulation {

class open_sealer final : public sluice::pulsar::message_sealer {
public:
    explicit open_sealer(unsigned limit) : limit_(limit) {}

    sluice::failure renew() override {
        left_ = limit_;
        return {};
    }
    std::string_view url_parameter() const noexcept override { return parameter_; }
    std::size_t growth(std::size_t) const noexcept override { return members_.size(); }
    sluice::pulsar::sealed_message seal(sluice::web::bytes_view payload) override {
        --left_;
        return {.payload = payload, .members = members_};
    }
    bool exhausted() const noexcept override { return left_ == 0; }
    void idle() noexcept override {}

private:
    static constexpr std::string_view members_ = R"(,"encryptionParam":"AAAAAAAAAAAAAAAA")";

    std::string parameter_ =
        "encryptionKeys=" +
        sluice::web::base64_encode_string(sluice::web::as_bytes(std::string_view(R"({"k":{"keyValue":"a2V5"}})")));
    unsigned limit_, left_ = 0;
};

/// So many messages under one data key. The number is the key's name: the maker is told nothing else.
inline sluice::end_to_end_encryption open_encryption(unsigned limit) {
    sluice::end_to_end_encryption option;
    option.keys = {std::to_string(limit)};
    option.reader = [](std::string_view) { return sluice::key_answer(); };
    option.make = [](const sluice::end_to_end_encryption& e,
                     const sluice::pulsar::compressor&) -> std::unique_ptr<sluice::pulsar::message_sealer> {
        return std::make_unique<open_sealer>(static_cast<unsigned>(std::stoul(e.keys.front())));
    };
    return option;
}

} // namespace simulation
