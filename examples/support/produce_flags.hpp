// SPDX-License-Identifier: BSL-1.0
// What can be said to 02_produce.cpp: its settings and their flags.
#pragma once

#include "arguments.hpp"
#include "codec_flags.hpp"
#include "server.hpp"

#include <sluice.hpp>
#if defined(SLUICE_WITH_ZLIB)
#include <sluice/deflate.hpp>
#endif

#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tool {

struct produce_settings {
    std::string stream{};
    std::vector<std::string> files{};
    bool whole_files = false;
    std::string delimiter = "\n";
    std::string key_separator{};
    std::vector<sluice::property> properties{};
    bool create = true;
    sluice::client_config config{};
    sluice::producer_options options{};
    codec_settings codec{};
};

/// `\n`, `\t`, `\r`, `\0` and `\\` mean what they mean in C.
inline std::string unescape(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        constexpr std::string_view names = "ntr0\\";
        const std::size_t which = text[i] == '\\' && i + 1 < text.size() ? names.find(text[i + 1]) : std::string::npos;
        plain += which == std::string::npos ? text[i] : "\n\t\r\0\\"[which];
        if (which != std::string::npos) ++i;
    }
    return plain;
}

inline taker separator(std::string& out) {
    return [&out](std::string_view value) {
        out = unescape(value);
        return std::string(out.empty() ? "it is empty" : "");
    };
}

/// What needs zlib is there where the program is linked with it.
inline std::vector<std::pair<std::string, sluice::socket_deflate>> deflates() {
    return {{"off", sluice::deflate_off},
#if defined(SLUICE_WITH_ZLIB)
            {"auto", sluice::deflate_auto},
            {"on", sluice::deflate_on}
#endif
    };
}

inline flags flags_of(produce_settings& s) {
    using sluice::hashing_scheme;
    using sluice::message_routing_mode;
    using sluice::scope;
    using sluice::when_full;
    const auto property = [&s](std::string_view value) {
        const std::size_t equals = value.find('=');
        if (equals == 0 || equals == std::string_view::npos) return std::string("allowed is NAME=VALUE");
        s.properties.push_back({std::string(value.substr(0, equals)), std::string(value.substr(equals + 1))});
        return std::string();
    };
    sluice::producer_options& o = s.options;
    flags all{
        {"", "", "messages", {}},
        {"--stream", "NAME", "where to publish; it is created unless it exists", text(s.stream)},
        {"--files", "FILE", "publish the lines of FILE, as without --files; - is standard input", append(s.files)},
        {"--whole", "", "each file is one message", set(s.whole_files, true)},
        {"-D, --delimiter", "TEXT", "what ends a line (\\n)", separator(s.delimiter)},
        {"-K, --key-separator", "TEXT", "what stands in front of it in a line is the message's key",
         separator(s.key_separator)},
        {"-H, --property", "NAME=VALUE", "of every message; may be repeated", property},
        {"--no-create", "", "do not create the stream",
         [&s](std::string_view) {
             s.create = false;
             return std::string();
         }},
    };
    const flags more{
        {"", "", "producer", {}},
        {"--scope", "WHICH", "global or local (global)",
         choice(o.scope, {{"global", scope::global}, {"local", scope::local}})},
        {"--batching", "", "the proxy gathers messages for the broker", set(o.batching_enabled, true)},
        {"--batching-max-messages", "N", "in one of its batches, or in a pack (1000)",
         option(o, [](auto& p) -> auto& { return p.batching_max_messages; })},
        {"--batching-max-publish-delay", "TIME",
         "how long it waits for a batch to fill, or this program for a pack (10ms)",
         option(o, [](auto& p) -> auto& { return p.batching_max_publish_delay; })},
        {"--batching-max-bytes", "N", "gathered into one write of this program, and into a pack (131072)",
         option(o, [](auto& p) -> auto& { return p.batching_max_bytes; })},
        {"--max-pending", "N", "messages sent and unanswered (1000)",
         option(o, [](auto& p) -> auto& { return p.max_pending_messages; })},
        {"--max-pending-bytes", "N", "their payloads (67108864)",
         option(o, [](auto& p) -> auto& { return p.max_pending_bytes; })},
        {"--max-frame-bytes", "N", "of one message with all it carries, base64 included (1048576)",
         option(o, [](auto& p) -> auto& { return p.max_frame_bytes; })},
        {"--when-full", "WHAT",
         "suspend: read on when there is room; fail: the line fails; drop-newest, drop-oldest: so does this one or the "
         "oldest that waits (suspend)",
         choice(o.when_full, {{"suspend", when_full::suspend},
                              {"fail", when_full::fail},
                              {"drop-newest", when_full::drop_newest},
                              {"drop-oldest", when_full::drop_oldest}})},
        {"--max-waiting", "N", "behind the messages sent, before one is dropped (1000)",
         option(o, [](auto& p) -> auto& { return p.max_waiting_messages; })},
        {"--send-timeout", "TIME", "from reading a line to its acknowledgement; 0: no limit (30s)",
         option(o, [](auto& p) -> auto& { return p.send_timeout; })},
        {"--connect-timeout", "TIME", "resolve, connect and TLS; and again the upgrade (10s)",
         option(o, [](auto& p) -> auto& { return p.connect_timeout; })},
        {"--close-timeout", "TIME", "the longest that the end waits for acknowledgements (30s)",
         option(o, [](auto& p) -> auto& { return p.close_timeout; })},
        {"--write-timeout", "TIME", "a server that takes no byte for so long is left; 0: never (30s)",
         option(o, [](auto& p) -> auto& { return p.write_timeout; })},
        {"--ping-interval", "TIME", "of silence before a ping; 0: none (30s)",
         option(o, [](auto& p) -> auto& { return p.ping_interval; })},
        {"--reconnect-initial", "TIME", "the first delay between attempts to connect, at most (100ms)",
         option(o, [](auto& p) -> auto& { return p.reconnect.initial; })},
        {"--reconnect-maximum", "TIME", "the longest (30s)",
         option(o, [](auto& p) -> auto& { return p.reconnect.maximum; })},
        {"--reconnect-multiplier", "X", "from one to the next (2)",
         option(o, [](auto& p) -> auto& { return p.reconnect.multiplier; })},
        {"--deflate", "WHEN", "compression of this program's connection: off, auto (if the server has it) or on (off)",
         choice(o.deflate, deflates())},
        {"--producer-name", "NAME", "a name in use is refused (the server's choice)", text(o.producer_name)},
        {"--deduplicate", "", "number messages so that the broker drops repeats; needs --producer-name",
         set(o.deduplicate, true)},
        {"--initial-sequence-id", "N", "the first message gets N + 1",
         option(o, [](auto& p) -> auto& { return p.initial_sequence_id; })},
        {"--routing", "MODE", "of messages without key on a partitioned topic: single or round-robin (single)",
         choice(o.message_routing_mode, {{"single", message_routing_mode::single_partition},
                                         {"round-robin", message_routing_mode::round_robin_partition}})},
        {"--hashing", "SCHEME", "from a key to a partition: java or murmur3 (java)",
         choice(o.hashing_scheme,
                {{"java", hashing_scheme::java_string_hash}, {"murmur3", hashing_scheme::murmur3_32_hash}})},
    };
    for (const flags& some : {server_flags(s.config), more, codec_flags(s.codec, o)})
        all.insert(all.end(), some.begin(), some.end());
    return all;
}

/// False: help was all that was asked for.
inline bool read_settings(int argc, char** argv, produce_settings& s) {
    flags table = flags_of(s);
    bool help = false;
    table.push_back({"-h, --help", "", "", set(help, true)});
    std::vector<std::string> files = read_arguments(table, argc, argv);
    if (help) {
        table.pop_back();
        std::cout << "usage: produce --stream NAME [FLAG...] [FILE...]\n"
                     "Publishes each line of the files, or of standard input. Exit status 0: all are acknowledged;\n"
                     "1: some are not; 2: wrong usage. Ctrl-C ends reading and waits for what is unanswered.\n";
        print_flags(std::cout, table);
        std::cout << environment_help;
        return false;
    }
    s.files.insert(s.files.end(), files.begin(), files.end());
    if (s.files.empty()) s.files.emplace_back("-");
    if (s.stream.empty()) throw usage_error("--stream is needed: the NAME of a stream");
    if (s.options.deduplicate && s.options.producer_name.empty())
        throw usage_error("--deduplicate: allowed is together with --producer-name NAME");
    make_codec(s.codec);
    add_encryption(s.codec, s.options);
    if (const sluice::failure wrong = s.options.validate()) throw usage_error(wrong.details->text);
    read_environment(s.config);
    return true;
}

} // namespace tool
