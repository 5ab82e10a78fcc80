// SPDX-License-Identifier: BSL-1.0
// The query of a producer socket, judged in the proxy's order and words.
#pragma once

#include <sluice/testing/gateway/query.hpp>
#include <sluice/testing/gateway/types.hpp>
#include <sluice/web/ascii.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

struct producer_parameters {
    std::optional<std::string> name{};
    std::optional<std::int64_t> initial_sequence_id{};
    std::chrono::milliseconds send_timeout{30'000}; ///< 0: none
    bool batching = false;
    std::size_t batching_max_messages = 1000;
    std::chrono::milliseconds batching_max_publish_delay{1}; ///< 10 by Pulsar's documents, 1 as measured
    std::size_t max_pending_messages = 0;                    ///< 0: no limit
    std::shared_ptr<const std::string> encryption_keys{};    ///< JSON; null: the client does not encrypt
};

class producer_query {
public:
    explicit producer_query(const query_parameters& query) noexcept : query_(query) {}

    /// The first mistake as the proxy tells it, or nothing.
    refusal read(producer_parameters& out, client_encryption keys_are) {
        if (const std::string* name = find("producerName")) {
            if (java_blank(*name)) return bad_query("producerName cannot be blank");
            out.name = *name;
        }
        if (const std::string* text = find("initialSequenceId")) {
            std::int64_t n = 0;
            if (!java_integer(*text, n)) return bad_integer(*text);
            out.initial_sequence_id = n;
        }
        if (const std::string* text = find("hashingScheme");
            text && *text != "JavaStringHash" && *text != "Murmur3_32Hash")
            return bad_query("No enum constant org.apache.pulsar.client.api.HashingScheme." + *text);
        std::int32_t n = 0;
        if (const std::string* text = find("sendTimeoutMillis")) {
            if (!java_integer(*text, n)) return bad_integer(*text);
            if (n < 0) return bad_query("sendTimeout needs to be >= 0");
            out.send_timeout = std::chrono::milliseconds(n);
        }
        if (const std::string* text = find("messageRoutingMode");
            text && *text != "SinglePartition" && *text != "RoundRobinPartition" && *text != "CustomPartition")
            return bad_query("Invalid messageRoutingMode " + *text);
        if (const std::string* text = find("compressionType");
            text && *text != "NONE" && *text != "LZ4" && *text != "ZLIB" && *text != "ZSTD" && *text != "SNAPPY")
            return bad_query("Invalid compressionType " + *text);
        if (const std::string* keys = find("encryptionKeys"); keys && keys_are != client_encryption::ignored) {
            if (keys_are == client_encryption::refused || !brings_wrapped_keys(*keys, out))
                return {500, "Failed to create producer/consumer: Can't add encryption key without configuring "
                             "cryptoKeyReaderFactoryClassName"};
            return {}; // the client encrypts: the proxy neither batches nor compresses
        }
        return read_batching(out);
    }

private:
    refusal read_batching(producer_parameters& out) {
        const std::string* const enabled = find("batchingEnabled");
        out.batching = enabled != nullptr && web::equal_ignoring_case(*enabled, "true");
        if (!out.batching) return {}; // the other three are not looked at
        std::int32_t n = 0;
        if (const std::string* text = find("batchingMaxMessages")) {
            if (!java_integer(*text, n)) return bad_integer(*text);
            out.batching_max_messages = n > 0 ? static_cast<std::size_t>(n) : std::numeric_limits<std::size_t>::max();
        }
        if (const std::string* text = find("maxPendingMessages")) {
            if (!java_integer(*text, n)) return bad_integer(*text);
            if (n < 0) return bad_query("maxPendingMessages needs to be >= 0");
            out.max_pending_messages = static_cast<std::size_t>(n);
        }
        if (const std::string* text = find("batchingMaxPublishDelay")) {
            if (!java_integer(*text, n)) return bad_integer(*text);
            if (n < 1) return bad_query("configured value for batch delay must be at least 1ms");
            out.batching_max_publish_delay = std::chrono::milliseconds(n);
        }
        return {};
    }

    /// PIP-290: base64 of a JSON object. Anything else is taken for names of keys that the proxy would hold.
    static bool brings_wrapped_keys(std::string_view text, producer_parameters& out) {
        std::string bytes(web::base64_decoded_bound(text.size()), '\0');
        const auto n = web::base64_decode(text, reinterpret_cast<std::byte*>(bytes.data()));
        if (!n) return false;
        bytes.resize(*n);
        if (!bytes.starts_with('{') || bytes.find("keyValue") == std::string::npos) return false;
        out.encryption_keys = std::make_shared<const std::string>(std::move(bytes));
        return true;
    }

    const std::string* find(std::string_view name) const noexcept { return find_parameter(query_, name); }

    const query_parameters& query_;
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
