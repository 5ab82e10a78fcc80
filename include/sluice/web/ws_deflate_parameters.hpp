// SPDX-License-Identifier: BSL-1.0
// permessage-deflate's negotiation, RFC 7692 sections 5 and 7.1: a client's offer, a server's answer, the check of it.
#pragma once

#include <sluice/error.hpp>
#include <sluice/web/ws_extensions.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace web {

inline constexpr std::string_view deflate_name = "permessage-deflate";
/// Powers of two: how far back a compressor may refer, 256 bytes to 32 KiB.
inline constexpr int min_window_bits = 8, max_window_bits = 15;

/// How either side compresses. Agreed on, these are what holds; of a server, what it wants.
struct deflate_parameters {
    bool server_no_context_takeover = false; ///< the server compresses each message for itself
    bool client_no_context_takeover = false;
    int server_max_window_bits = max_window_bits;
    int client_max_window_bits = max_window_bits;

    friend bool operator==(const deflate_parameters&, const deflate_parameters&) = default;
};

/// What a client offers. What it asks of the server must be in the answer.
struct deflate_offer {
    bool server_no_context_takeover = false;      ///< asks
    bool client_no_context_takeover = false;      ///< tells: the client will do so in any case
    int server_max_window_bits = max_window_bits; ///< asks, if it is less than 15
    /// The most that the client will use; the server may answer with less. Nothing: the parameter is not offered, and
    /// the server may not answer with it.
    std::optional<int> client_max_window_bits = max_window_bits;
};

namespace detail {

/// The parameters of one extension as they stand there.
struct deflate_said {
    bool server_no_takeover = false, client_no_takeover = false;
    bool client_bits_named = false; ///< with or without a value
    std::optional<int> server_bits{}, client_bits{};
};

inline std::string shown(const ws_extension::parameter& p) {
    constexpr std::size_t most = 40; // a server may send what it likes
    std::string text = p.name.substr(0, most);
    if (p.value) text.append("=").append(p.value->substr(0, most));
    return text;
}

/// 8 to 15 in decimal, without a zero before it. Else 0.
inline int window_bits_of(std::string_view text) noexcept {
    int bits = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), bits);
    const bool whole = ec == std::errc() && end == text.data() + text.size() && text.front() != '0';
    return whole && bits >= min_window_bits && bits <= max_window_bits ? bits : 0;
}

/// What is wrong with them, or an empty text. In an offer, and only there, client_max_window_bits needs no value.
inline std::string read_deflate(const ws_extension& e, bool offer, deflate_said& out) {
    for (const ws_extension::parameter& p : e.parameters) {
        const auto wrong = [&](std::string_view why) { return shown(p).append(why); };
        const auto is = [&](std::string_view name) { return equal_ignoring_case(p.name, name); };
        bool repeated = false;
        if (is("server_no_context_takeover") || is("client_no_context_takeover")) {
            if (p.value) return wrong(": this parameter has no value");
            repeated =
                std::exchange(is("server_no_context_takeover") ? out.server_no_takeover : out.client_no_takeover, true);
        } else if (is("server_max_window_bits") || is("client_max_window_bits")) {
            const bool clients = is("client_max_window_bits");
            std::optional<int>& bits = clients ? out.client_bits : out.server_bits;
            repeated = clients ? std::exchange(out.client_bits_named, true) : bits.has_value();
            if (!p.value && !(clients && offer)) return wrong(": a value from 8 to 15 is needed");
            if (p.value) {
                bits = window_bits_of(*p.value);
                if (*bits == 0) return wrong(": a value from 8 to 15 is needed");
            }
        } else {
            return wrong(": there is no such parameter");
        }
        if (repeated) return wrong(": this parameter is there twice");
    }
    return {};
}

/// What is wrong with an answer to that offer, or an empty text.
inline std::string match_deflate(const deflate_said& said, const deflate_offer& offer, deflate_parameters& out) {
    using std::to_string;
    if (offer.server_no_context_takeover && !said.server_no_takeover)
        return "server_no_context_takeover was asked for, and is not in the answer";
    if (offer.server_max_window_bits < max_window_bits) {
        const std::string asked = "server_max_window_bits=" + to_string(offer.server_max_window_bits);
        if (!said.server_bits) return asked + " was asked for, and is not in the answer";
        if (*said.server_bits > offer.server_max_window_bits)
            return "server_max_window_bits=" + to_string(*said.server_bits) + ": " + asked + " was asked for";
    }
    if (said.client_bits) {
        const std::string answered = "client_max_window_bits=" + to_string(*said.client_bits);
        if (!offer.client_max_window_bits) return answered + ": client_max_window_bits was not offered";
        if (*said.client_bits > *offer.client_max_window_bits)
            return answered + ": client_max_window_bits=" + to_string(*offer.client_max_window_bits) + " was offered";
    }
    const int ours = offer.client_max_window_bits.value_or(max_window_bits);
    out.server_no_context_takeover = said.server_no_takeover;
    out.client_no_context_takeover = said.client_no_takeover || offer.client_no_context_takeover;
    out.server_max_window_bits = said.server_bits.value_or(max_window_bits);
    out.client_max_window_bits = said.client_bits.value_or(ours);
    return {};
}

} // namespace detail

/// The field's value.
inline std::string to_string(const deflate_offer& offer) {
    std::string text(deflate_name);
    if (offer.server_no_context_takeover) text += "; server_no_context_takeover";
    if (offer.client_no_context_takeover) text += "; client_no_context_takeover";
    if (offer.server_max_window_bits < max_window_bits)
        text += "; server_max_window_bits=" + std::to_string(offer.server_max_window_bits);
    if (offer.client_max_window_bits) {
        text += "; client_max_window_bits";
        if (*offer.client_max_window_bits < max_window_bits)
            text += "=" + std::to_string(*offer.client_max_window_bits);
    }
    return text;
}

/// What the answer to an offer says: `agreed`; or neither, and the server takes no permessage-deflate; or the answer is
/// not allowed, `errc::handshake_invalid` with the parameter and its value, and the connection must not be used.
struct deflate_answer {
    failure error{};
    std::optional<deflate_parameters> agreed{};
};

inline deflate_answer check_deflate(const http_fields& answer, const deflate_offer& offer) {
    deflate_answer result;
    const auto wrong = [&](std::string why) {
        result.error = make_failure(errc::handshake_invalid, std::move(why));
        return std::move(result);
    };
    std::vector<ws_extension> chosen;
    if (!parse_extensions(answer, chosen)) return wrong("Sec-WebSocket-Extensions is not a list of extensions");
    for (const ws_extension& e : chosen)
        if (!equal_ignoring_case(e.name, deflate_name))
            return wrong("the extension " + e.name.substr(0, 40) + " was not offered");
    if (chosen.empty()) return result;
    if (chosen.size() > 1) return wrong(std::string(deflate_name) + " is there twice");
    detail::deflate_said said;
    deflate_parameters agreed;
    std::string why = detail::read_deflate(chosen.front(), false, said);
    if (why.empty()) why = detail::match_deflate(said, offer, agreed);
    if (!why.empty()) return wrong(std::string(deflate_name) + ": " + why);
    result.agreed = agreed;
    return result;
}

/// A server's answer: the field's value, and what holds then.
struct deflate_acceptance {
    deflate_parameters agreed{};
    std::string answer{};
};

/// Takes the first offer that a server may take; those with a mistake in them are passed over, as section 7.1 demands.
/// `wanted`: what the server would like, and gets but for `client_max_window_bits`, which it may only choose where the
/// client offers it. Nothing: there is no such offer.
inline std::optional<deflate_acceptance> accept_deflate(const http_fields& request,
                                                        const deflate_parameters& wanted = {}) {
    std::vector<ws_extension> offers;
    if (!parse_extensions(request, offers)) return std::nullopt;
    for (const ws_extension& e : offers) {
        detail::deflate_said said;
        if (!equal_ignoring_case(e.name, deflate_name) || !detail::read_deflate(e, true, said).empty()) continue;
        deflate_acceptance a;
        deflate_parameters& agreed = a.agreed;
        agreed.server_no_context_takeover = wanted.server_no_context_takeover || said.server_no_takeover;
        agreed.client_no_context_takeover = wanted.client_no_context_takeover || said.client_no_takeover;
        agreed.server_max_window_bits =
            std::min(wanted.server_max_window_bits, said.server_bits.value_or(max_window_bits));
        if (said.client_bits_named)
            agreed.client_max_window_bits =
                std::min(wanted.client_max_window_bits, said.client_bits.value_or(max_window_bits));
        a.answer = deflate_name;
        if (agreed.server_no_context_takeover) a.answer += "; server_no_context_takeover";
        if (agreed.client_no_context_takeover) a.answer += "; client_no_context_takeover";
        if (said.server_bits || agreed.server_max_window_bits < max_window_bits)
            a.answer += "; server_max_window_bits=" + std::to_string(agreed.server_max_window_bits);
        if (said.client_bits || agreed.client_max_window_bits < max_window_bits)
            a.answer += "; client_max_window_bits=" + std::to_string(agreed.client_max_window_bits);
        return a;
    }
    return std::nullopt;
}

} // namespace web
} // namespace v1
} // namespace sluice
