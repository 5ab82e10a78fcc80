// SPDX-License-Identifier: BSL-1.0
// Public keys of those who may read what is encrypted end to end, and where the keys come from.
#pragma once

#include <sluice/end_to_end.hpp>
#include <sluice/error.hpp>
#include <sluice/pulsar/secret.hpp>

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice {
inline namespace v1 {

/// Where public keys come from: a callable that is given a key's name. It is asked while a producer opens, on the
/// producer's strand, and must not wait for long: read keys from a slow place beforehand. A failure ends the producer
/// where its code is `condition::fatal`, and is retried otherwise; its text must not quote a key. What it throws counts
/// as `errc::credential_failed`, and its words are not shown.
template <class R>
concept key_reader = std::copy_constructible<R> && requires(R& reader, std::string_view name) {
    { reader(name) } -> std::same_as<key_answer>;
};

namespace detail {

using named_texts = std::map<std::string, std::string, std::less<>>;

inline key_answer no_such_key(std::string_view name, std::string_view reader, const named_texts& known) {
    std::string text = "encryption key " + in_quotes(name) + ": " + std::string(reader) + " has none of that name";
    const char* separator = "; it has ";
    for (const auto& entry : known) text += std::exchange(separator, ", ") + in_quotes(entry.first);
    return {make_failure(errc::invalid_key, std::move(text)), {}};
}

} // namespace detail

/// Names and the PEM files of their public keys; a file is read each time that it is asked for.
///
///     sluice::pem_files{{"orders", "/etc/keys/orders.pem"}, {"audit", "/etc/keys/audit.pem"}}
///
/// `errc::invalid_key` names the key, the file and what is wrong with it; what the system said is its `cause`.
class pem_files {
public:
    static constexpr std::size_t largest = 64u << 10; ///< bytes of a file

    pem_files(std::initializer_list<detail::named_texts::value_type> paths) : paths_(paths) {}
    explicit pem_files(std::map<std::string, std::string, std::less<>> paths) : paths_(std::move(paths)) {}

    key_answer operator()(std::string_view name) const {
        const auto entry = paths_.find(name);
        if (entry == paths_.end()) return detail::no_such_key(name, "pem_files", paths_);
        public_key key;
        key.origin = "file " + detail::in_quotes(entry->second);
        if (failure f = read(name, entry->second, key)) return {std::move(f), {}};
        return {failure{}, std::move(key)};
    }

private:
    struct close_file {
        void operator()(std::FILE* f) const noexcept { std::fclose(f); }
    };

    static failure read(std::string_view name, const std::string& path, public_key& key) {
        errno = 0;
        const std::unique_ptr<std::FILE, close_file> file(std::fopen(path.c_str(), "rb"));
        if (!file) return bad(name, key, std::error_code(errno, std::generic_category()));
        // It may be a private key that was put there by mistake: no copy of it stays in a buffer of the library's.
        std::setvbuf(file.get(), nullptr, _IONBF, 0);
        key.pem.resize(largest + 1);
        errno = 0;
        const std::size_t n = std::fread(key.pem.data(), 1, key.pem.size(), file.get());
        const int failed = std::ferror(file.get()) == 0 ? 0 : errno != 0 ? errno : EIO;
        key.pem.resize(n);
        if (failed != 0 || n > largest) pulsar::cleanse(key.pem);
        if (failed != 0) return bad(name, key, std::error_code(failed, std::generic_category()));
        if (n > largest)
            return bad(name, key, "is larger than " + std::to_string(largest) + " bytes: a public key is not", {});
        return {};
    }

    static failure bad(std::string_view name, const public_key& key, const std::error_code& cause) {
        return bad(name, key, "cannot be read: " + cause.message(), cause);
    }
    static failure bad(std::string_view name, const public_key& key, const std::string& why,
                       const std::error_code& cause) {
        error_details d;
        d.text = "encryption key " + detail::in_quotes(name) + ": " + key.origin + " " + why;
        d.cause = cause;
        return make_failure(errc::invalid_key, std::move(d));
    }

    detail::named_texts paths_;
};

/// Names and the PEM texts of their public keys.
class pem_text {
public:
    pem_text(std::initializer_list<detail::named_texts::value_type> texts) : texts_(texts) {}
    explicit pem_text(std::map<std::string, std::string, std::less<>> texts) : texts_(std::move(texts)) {}

    key_answer operator()(std::string_view name) const {
        const auto entry = texts_.find(name);
        if (entry == texts_.end()) return detail::no_such_key(name, "pem_text", texts_);
        public_key key;
        key.pem = entry->second;
        return {failure{}, std::move(key)};
    }

private:
    detail::named_texts texts_;
};

static_assert(key_reader<pem_files> && key_reader<pem_text> && key_reader<key_source>);

} // namespace v1
} // namespace sluice
