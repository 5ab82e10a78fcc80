// SPDX-License-Identifier: BSL-1.0
// A message as a producer's frame says it, read with the leniency and the refusals of the proxy's data binding.
#pragma once

#include <sluice/testing/gateway/json_reader.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// The members, borrowed from the frame or from the reader's scratch. A member that is absent or null holds nothing.
struct producer_message {
    std::optional<std::string_view> payload{}, context{}, key{}, event_time{};
    std::vector<std::pair<std::string_view, std::optional<std::string_view>>> properties{};
    std::vector<std::string_view> replication_clusters{};
    std::int64_t deliver_at = 0, deliver_after_ms = 0;
    std::optional<std::string_view> encryption_param{}, compression_type{};
    std::optional<std::int32_t> uncompressed_size{};
    bool null_cluster = false; ///< one of the clusters is null
    bool null = false;         ///< the frame said `null`

    void clear() noexcept {
        payload = context = key = event_time = std::nullopt;
        properties.clear();
        replication_clusters.clear();
        deliver_at = deliver_after_ms = 0;
        encryption_param = compression_type = std::nullopt;
        uncompressed_size = std::nullopt;
        null = null_cluster = false;
    }
};

class producer_message_reader {
public:
    /// Reads the first object of the text; what follows it is ignored. False: `error()` is Jackson's text. `pip_290`:
    /// the members that it brought are known.
    bool read(std::string_view text, producer_message& out, bool pip_290 = true) {
        out.clear();
        json_reader json(text, scratch_);
        read(json, out, pip_290);
        if (json.failed()) error_ = json.error();
        return !json.failed();
    }
    const std::string& error() const noexcept { return error_; }

private:
    using token = json_reader::token;
    using value = json_reader::value;

    using name_places = std::unordered_map<std::string_view, std::size_t>;

    static constexpr std::size_t few = 32;
    static constexpr std::string_view class_name = "org.apache.pulsar.websocket.data.ProducerMessage";

    static void read(json_reader& json, producer_message& out, bool pip_290) {
        if (json.at_end()) {
            json.fail(0, "No content to map due to end-of-input");
            return;
        }
        const value root = json.next_value();
        if (json.failed()) return;
        if (root.kind == token::null) {
            out.null = true;
            return;
        }
        if (root.kind != token::object) {
            fail_root(json, root);
            return;
        }
        std::string_view name;
        for (bool first = true; json.next_name(name, first); first = false) {
            const value v = json.next_value();
            if (json.failed() || !member(json, name, v, out, pip_290)) return;
        }
    }

    static bool member(json_reader& json, std::string_view name, const value& v, producer_message& out, bool pip_290) {
        if (name == "payload") return text(json, name, v, out.payload);
        if (name == "context") return text(json, name, v, out.context);
        if (name == "key") return text(json, name, v, out.key);
        if (name == "eventTime") return text(json, name, v, out.event_time);
        if (name == "properties") return properties(json, v, out);
        if (name == "replicationClusters") return clusters(json, v, out);
        if (name == "deliverAt") return number(json, name, v, out.deliver_at);
        if (name == "deliverAfterMs") return number(json, name, v, out.deliver_after_ms);
        std::int64_t ignored = 0;
        if (name == "sequenceId" || name == "schemaVersion") return number(json, name, v, ignored);
        if (name == "disableReplication") return flag(json, name, v);
        if (pip_290 && name == "uncompressedMessageSize") return small_number(json, name, v, out.uncompressed_size);
        if (pip_290 && name == "encryptionParam") return text(json, name, v, out.encryption_param);
        if (pip_290 && name == "compressionType") {
            if (v.kind == token::object || v.kind == token::array)
                return fail_type(json, v, "org.apache.pulsar.common.api.proto.CompressionType", chain(name));
            return text(json, name, v, out.compression_type);
        }
        if (v.kind == token::object || v.kind == token::array) return json.skip_rest(v.kind);
        return true;
    }

    static bool text(json_reader& json, std::string_view name, const value& v, std::optional<std::string_view>& out) {
        switch (v.kind) {
        case token::string:
        case token::number:
        case token::boolean: out = v.text; return true;
        case token::null: out.reset(); return true;
        default: return fail_type(json, v, "java.lang.String", chain(name));
        }
    }

    static bool properties(json_reader& json, const value& v, producer_message& out) {
        out.properties.clear(); // the last one wins
        if (v.kind == token::null) return true;
        if (v.kind == token::string) return fail_container(json, v, "java.util.LinkedHashMap", chain("properties"));
        if (v.kind != token::object)
            return fail_type(json, v, "java.util.LinkedHashMap<java.lang.String,java.lang.String>",
                             chain("properties"));
        std::string_view name;
        name_places places;
        for (bool first = true; json.next_name(name, first); first = false) {
            const value element = json.next_value();
            if (json.failed()) return false;
            std::optional<std::string_view> content;
            if (element.kind == token::object || element.kind == token::array)
                return fail_type(json, element, "java.lang.String",
                                 chain("properties", "java.util.LinkedHashMap[\"" + std::string(name) + "\"]"));
            if (element.kind != token::null) content = element.text;
            if (out.properties.size() == few)
                for (std::size_t i = 0; i != few; ++i) places.emplace(out.properties[i].first, i);
            const std::size_t at = place(out, places, name);
            if (at != out.properties.size()) {
                out.properties[at].second = content;
                continue;
            }
            if (at >= few) places.emplace(name, at);
            out.properties.emplace_back(name, content);
        }
        return !json.failed();
    }

    /// Where the property of that name stands; the number of properties if there is none. A frame can hold a hundred
    /// thousand of them: from `few` on they are not looked through one by one.
    static std::size_t place(const producer_message& m, const name_places& places, std::string_view name) {
        if (m.properties.size() >= few) {
            const auto found = places.find(name);
            return found == places.end() ? m.properties.size() : found->second;
        }
        std::size_t i = 0;
        while (i != m.properties.size() && m.properties[i].first != name) ++i;
        return i;
    }

    static bool clusters(json_reader& json, const value& v, producer_message& out) {
        out.replication_clusters.clear();
        out.null_cluster = false;
        if (v.kind == token::null) return true;
        if (v.kind == token::string)
            return fail_container(json, v, "java.util.ArrayList", chain("replicationClusters"));
        if (v.kind != token::array)
            return fail_type(json, v, "java.util.ArrayList<java.lang.String>", chain("replicationClusters"));
        for (bool first = true; json.next_element(first); first = false) {
            const value element = json.next_value();
            if (json.failed()) return false;
            if (element.kind == token::object || element.kind == token::array)
                return fail_type(json, element, "java.lang.String",
                                 chain("replicationClusters",
                                       "java.util.ArrayList[" + std::to_string(out.replication_clusters.size()) + "]"));
            out.null_cluster = out.null_cluster || element.kind == token::null;
            if (element.kind != token::null) out.replication_clusters.push_back(element.text);
        }
        return !json.failed();
    }

    /// A long: a number, cut to its integral part, or a string of digits. Null counts as 0.
    static bool number(json_reader& json, std::string_view name, const value& v, std::int64_t& out) {
        out = 0;
        if (v.kind == token::null || (v.kind == token::string && v.text.empty())) return true;
        if (v.kind != token::number && v.kind != token::string) return fail_type(json, v, "long", chain(name));
        std::string_view digits = v.text;
        if (v.kind == token::string && digits.starts_with('+')) digits.remove_prefix(1);
        const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
        const bool whole = end == digits.data() + digits.size();
        if (ec == std::errc() && whole) return true;
        if (v.kind == token::number) {
            const double real = std::strtod(std::string(v.text).c_str(), nullptr);
            if (std::abs(real) < 9223372036854775808.0) {
                out = static_cast<std::int64_t>(real);
                return true;
            }
            return json.fail(v.at,
                             "Numeric value (" + shown(v) +
                                 ") out of range of long (-9223372036854775808 - 9223372036854775807)",
                             chain(name));
        }
        return json.fail(
            v.at, "Cannot deserialize value of type `long` from String \"" + shown(v) + "\": not a valid `long` value",
            chain(name));
    }

    /// An int.
    static bool small_number(json_reader& json, std::string_view name, const value& v,
                             std::optional<std::int32_t>& out) {
        std::int64_t n = 0;
        if (v.kind == token::string && !v.text.empty() && v.text.find_first_not_of("-0123456789") != std::string::npos)
            return json.fail(v.at,
                             "Cannot deserialize value of type `java.lang.Integer` from String \"" + shown(v) +
                                 "\": not a valid `java.lang.Integer` value",
                             chain(name));
        if (v.kind != token::number && v.kind != token::string && v.kind != token::null)
            return fail_type(json, v, "java.lang.Integer", chain(name));
        if (!number(json, name, v, n)) return false;
        out.reset();
        if (v.kind != token::null) out = static_cast<std::int32_t>(n);
        if (n >= -2147483648 && n <= 2147483647) return true;
        return json.fail(v.at, "Numeric value (" + shown(v) + ") out of range of int (-2147483648 - 2147483647)",
                         chain(name));
    }

    /// A boolean, read and ignored: also as an integer or as a string.
    static bool flag(json_reader& json, std::string_view name, const value& v) {
        if (v.kind == token::boolean || v.kind == token::null || (v.kind == token::number && !is_real(v))) return true;
        if (v.kind != token::string) return fail_type(json, v, "boolean", chain(name));
        for (const char* known : {"", "true", "True", "TRUE", "false", "False", "FALSE"})
            if (v.text == known) return true;
        return json.fail(v.at,
                         "Cannot deserialize value of type `boolean` from String \"" + shown(v) +
                             "\": only \"true\"/\"True\"/\"TRUE\" or \"false\"/\"False\"/\"FALSE\" recognized",
                         chain(name));
    }

    static bool is_real(const value& number) noexcept {
        return number.text.find_first_of(".eE") != std::string_view::npos;
    }

    static std::string chain(std::string_view name, const std::string& below = {}) {
        std::string text = " (through reference chain: ";
        text.append(class_name).append("[\"").append(name).append("\"]");
        if (!below.empty()) text.append("->").append(below);
        return text += ')';
    }

    static std::string_view source_of(const value& v) noexcept {
        switch (v.kind) {
        case token::object: return "Object value (token `JsonToken.START_OBJECT`)";
        case token::array: return "Array value (token `JsonToken.START_ARRAY`)";
        case token::string: return "String value (token `JsonToken.VALUE_STRING`)";
        case token::number:
            return is_real(v) ? "Floating-point value (token `JsonToken.VALUE_NUMBER_FLOAT`)"
                              : "Integer value (token `JsonToken.VALUE_NUMBER_INT`)";
        case token::boolean:
            return v.text == "true" ? "Boolean value (token `JsonToken.VALUE_TRUE`)"
                                    : "Boolean value (token `JsonToken.VALUE_FALSE`)";
        default: return "Null value (token `JsonToken.VALUE_NULL`)";
        }
    }

    static bool fail_type(json_reader& json, const value& v, std::string_view type, const std::string& where) {
        std::string what = "Cannot deserialize value of type `";
        what.append(type).append("` from ").append(source_of(v));
        return json.fail(v.at, what, where);
    }

    static void fail_root(json_reader& json, const value& v) {
        if (v.kind == token::array) {
            fail_type(json, v, class_name, {});
            return;
        }
        if (v.kind == token::string) {
            if (v.text.empty())
                json.fail(v.at, "Cannot coerce empty String (\"\") to `" + std::string(class_name) +
                                    "` value (but could" + " if coercion was enabled using `CoercionConfig`)");
            else
                fail_construction(json, v, class_name, "String", "String value ('" + shown(v) + "')", {});
        } else if (v.kind == token::number) {
            fail_construction(json, v, class_name, is_real(v) ? "double/Double" : "int/Int",
                              "Number value (" + shown(v) + ")", {});
        } else {
            fail_construction(json, v, class_name, "boolean/Boolean", "boolean value (" + shown(v) + ")", {});
        }
    }

    static bool fail_container(json_reader& json, const value& v, std::string_view type, const std::string& where) {
        if (!v.text.empty())
            return fail_construction(json, v, type, "String", "String value ('" + shown(v) + "')", where);
        return json.fail(v.at,
                         "Cannot coerce empty String (\"\") to element of `" + std::string(type) +
                             "` (but could if coercion was enabled using `CoercionConfig`)",
                         where);
    }

    static bool fail_construction(json_reader& json, const value& v, std::string_view type, std::string_view argument,
                                  const std::string& source, const std::string& where) {
        std::string what = "Cannot construct instance of `";
        what.append(type).append("` (although at least one Creator exists): no ").append(argument);
        what.append("-argument constructor/factory method to deserialize from ").append(source);
        return json.fail(v.at, what, where);
    }

    static std::string shown(const value& v) { return std::string(java_shortened(v.text, 64)); }

    std::string scratch_{};
    std::string error_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
