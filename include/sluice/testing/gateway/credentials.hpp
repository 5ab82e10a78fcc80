// SPDX-License-Identifier: BSL-1.0
// Who may do what at a GDN region: API keys, logins and their tokens, one-time passwords.
#pragma once

#include <sluice/testing/gateway/broker.hpp>
#include <sluice/web/ascii.hpp>
#include <sluice/web/json.hpp>

#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

class credentials {
public:
    explicit credentials(broker& b) : broker_(b), api_key_(b.options.tenant + ".local." + b.secret(40)) {}

    const std::string& api_key() const noexcept { return api_key_; }

    /// The tenant that an `Authorization` field speaks for; nothing if it is not good.
    std::optional<std::string> check(std::string_view authorization, time_point now) const {
        const std::size_t blank = authorization.find(' ');
        if (blank == std::string_view::npos) return {};
        const std::string_view scheme = authorization.substr(0, blank);
        const std::string_view text = authorization.substr(blank + 1);
        if (web::equal_ignoring_case(scheme, "apikey")) {
            bool known = text == api_key_;
            for (const std::string& key : broker_.options.api_keys) known = known || key == text;
            return known ? std::optional(tenant_of(text)) : std::nullopt;
        }
        if (!web::equal_ignoring_case(scheme, "bearer")) return {};
        if (!tokens_.good(text, now)) return {};
        return broker_.options.tenant;
    }

    /// A JSON web token for the user, or nothing.
    std::optional<std::string> log_in(std::string_view email, std::string_view tenant, std::string_view name,
                                      std::string_view password, time_point now) {
        if (email.empty() && tenant != broker_.options.tenant) return {};
        for (const proxy_user& user : broker_.options.users) {
            const bool named = email.empty() ? user.name == name && !name.empty() : user.email == email;
            if (named && user.password == password) return make_token(user.name, now);
        }
        return {};
    }

    /// A token as `log_in` gives it, for whoever asks.
    std::string make_token(std::string_view name, time_point now) {
        tokens_.forget_expired(now);
        const time_point end = now + broker_.options.jwt_lifetime;
        char issued[32]; // a float in exponent form: what the vendor's server says
        std::snprintf(issued, sizeof issued, "%.9e", std::chrono::duration<double>(now.time_since_epoch()).count());
        std::string claims = "{\"exp\":" + std::to_string(seconds(end)) + ",\"iat\":" + issued +
                             ",\"iss\":\"macrometa\",\"preferred_username\":";
        web::append_json_string(claims, name);
        claims += ",\"tenant\":";
        web::append_json_string(claims, broker_.options.tenant);
        claims += "}";
        std::string token = base64url("{\"alg\":\"HS512\",\"typ\":\"JWT\"}") + "." + base64url(claims) + "." +
                            broker_.secret(64); // nobody but us checks it, and we remember the whole
        tokens_.add(token, end);
        return token;
    }

    /// Opens one socket, once, within `otp_lifetime`.
    std::string make_otp(time_point now) {
        otps_.forget_expired(now);
        std::string otp = broker_.secret(32);
        otps_.add(otp, now + broker_.options.otp_lifetime);
        return otp;
    }
    bool use_otp(std::string_view otp, time_point now) {
        const bool good = otps_.good(otp, now);
        otps_.remove(otp);
        return good;
    }

    /// Whether no more of them are given out to clients for the time being.
    bool too_many_otps(time_point now) { return full(otps_, now); }
    bool too_many_tokens(time_point now) { return full(tokens_, now); }

    /// Ends the life of those that are outstanding; how many there were.
    std::size_t expire_otps() noexcept {
        const std::size_t n = otps_.size();
        otps_.clear();
        return n;
    }

private:
    /// Secrets and the ends of their lives.
    class expiring {
    public:
        std::size_t size() const noexcept { return ends_.size(); }
        bool good(std::string_view secret, time_point now) const {
            const auto found = ends_.find(secret);
            return found != ends_.end() && found->second > now;
        }
        void add(const std::string& secret, time_point end) {
            ends_[secret] = end;
            order_.emplace(end, secret);
        }
        void remove(std::string_view secret) {
            const auto found = ends_.find(secret);
            if (found == ends_.end()) return;
            order_.erase({found->second, found->first});
            ends_.erase(found);
        }
        void forget_expired(time_point now) {
            for (; !order_.empty() && order_.begin()->first <= now; order_.erase(order_.begin()))
                ends_.erase(order_.begin()->second);
        }
        void clear() noexcept {
            ends_.clear();
            order_.clear();
        }

    private:
        std::map<std::string, time_point, std::less<>> ends_{};
        std::set<std::pair<time_point, std::string>> order_{};
    };

    bool full(expiring& secrets, time_point now) const {
        if (secrets.size() < broker_.options.max_credentials) return false;
        secrets.forget_expired(now);
        return secrets.size() >= broker_.options.max_credentials;
    }
    static std::int64_t seconds(time_point t) noexcept {
        return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count();
    }
    static std::string base64url(std::string_view text) {
        std::string out = web::base64_encode_string(web::as_bytes(text));
        while (out.ends_with('=')) out.pop_back();
        for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
        return out;
    }
    /// Of `TENANT.KEYID.SECRET` what stands before the last two dots.
    static std::string tenant_of(std::string_view key) {
        for (int dots = 0; dots < 2; ++dots) key = key.substr(0, std::min(key.rfind('.'), key.size()));
        return std::string(key);
    }

    broker& broker_;
    std::string api_key_;
    expiring tokens_{}, otps_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
