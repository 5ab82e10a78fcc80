// SPDX-License-Identifier: BSL-1.0
// Writes packs for the decoders of docs/packed.md into a folder:
//   NAME.pack and NAME.expected   a pack, and its messages as JSON
//   NAME.bad                      what is none
//   example.hex                   the page's example
#include <sluice/codec/any.hpp>
#include <sluice/pulsar/packed.hpp>
#include <sluice/web/json.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;

namespace {

std::filesystem::path folder;

void write(const std::string& name, std::string_view bytes) {
    std::ofstream out(folder / name, std::ios::binary);
    out << bytes;
    if (!out.flush()) std::exit((std::perror(name.c_str()), 1));
}

std::string hex(std::string_view bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        text += digits[static_cast<unsigned char>(c) >> 4];
        text += digits[c & 15];
    }
    return text;
}

/// [{"payload":"hex","key":null,"eventTime":null,"properties":{}}]
std::string as_json(const std::vector<message>& messages) {
    std::string text = "[";
    for (const message& m : messages) {
        text += (text.size() == 1 ? "{\"payload\":\"" : ",\n{\"payload\":\"") + hex(m.payload) + "\",\"key\":";
        m.key ? web::append_json_string(text, *m.key) : void(text += "null");
        text += ",\"eventTime\":";
        text += m.event_time ? std::to_string(m.event_time->time_since_epoch().count()) : "null";
        text += ",\"properties\":{";
        for (const property& p : m.properties) {
            if (&p != m.properties.data()) text += ',';
            web::append_json_string(text, p.name);
            text += ':';
            web::append_json_string(text, p.value);
        }
        text += "}}";
    }
    return text + "]\n";
}

std::string packed(const std::vector<message>& messages, pack_layout layout, codec::any codec) {
    pulsar::pack_writer writer(layout, {.max_bytes = 16u << 20, .max_messages = 1'000'000});
    for (const message& m : messages)
        if (writer.add(m) != pulsar::pack_fit::fits) std::exit((std::fputs("a message does not fit\n", stderr), 1));
    return std::string(web::as_text(writer.finish(codec).bytes));
}

/// The same with a right checksum, for what lies behind it.
std::string with_checksum(std::string pack) {
    web::store_big_endian(reinterpret_cast<std::byte*>(pack.data()) + 14, pulsar::packed_checksum(web::as_bytes(pack)));
    return pack;
}

message_attributes::time_point at_ms(std::int64_t ms) {
    return message_attributes::time_point(std::chrono::milliseconds(ms));
}

std::vector<message> example() {
    message first(R"({"t":21.5})", "sensor-7");
    first.event_time = at_ms(1764489600123);
    first.properties = {{"unit", "\u00b0C"}};
    return {first, message(R"({"t":21.6})", "sensor-7")};
}

std::vector<message> many(bool keyed) {
    std::mt19937 random{5};
    std::vector<message> all;
    for (int i = 0; i < 300; ++i) {
        message m(R"({"name":"temperature","unit":"celsius","value":)" + std::to_string(random() % 100) + "}");
        if (i % 10 == 0) m.payload = std::string(random() % 300, static_cast<char>(random())); // no JSON, no UTF-8
        if (keyed) m.key = "caf\u00e9 \U0001F600";
        if (i % 3 == 0) m.event_time = at_ms(1764489600000 + i);
        if (i % 7 == 0) m.properties = {{"a", std::string(200, 'x')}, {"\u20ac", ""}, {"", "empty name"}};
        all.push_back(std::move(m));
    }
    all.emplace_back(std::string(20'000, 'z')); // a length of three bytes
    if (keyed) all.back().key = all.front().key;
    return all;
}

void damage(const std::string& name, const std::string& pack) {
    auto put = [&, n = 0](std::string bytes) mutable { write(name + "." + std::to_string(n++) + ".bad", bytes); };
    for (const std::size_t cut : {std::size_t{0}, std::size_t{17}, std::size_t{18}, pack.size() / 2, pack.size() - 1}) {
        put(pack.substr(0, cut));
        if (cut >= pulsar::packed_header_size) put(with_checksum(pack.substr(0, cut)));
    }
    for (std::size_t at = 0; at < pack.size(); at += at < 40 ? 1 : pack.size() / 20) {
        std::string turned = pack;
        turned[at] = static_cast<char>(turned[at] ^ 0x20);
        put(turned);
    }
    const auto told = [&](std::size_t at, std::uint32_t value) {
        std::string lie = pack;
        web::store_big_endian(reinterpret_cast<std::byte*>(lie.data()) + at, value);
        put(with_checksum(lie));
    };
    const auto header = pulsar::read_packed_header(web::as_bytes(pack));
    for (const std::uint32_t n : {0U, 1U, header.messages - 1, header.messages + 1, 0xffffffffU}) told(6, n);
    for (const std::uint32_t n : {0U, 700U, header.size - 1, header.size + 1, 16U << 20, 0xffffffffU}) told(10, n);
    std::string other = pack;
    other[5] = 9;
    put(with_checksum(other));
    other = pack;
    other[4] = 2;
    put(with_checksum(other));
}

void malformed() {
    int n = 0;
    for (const std::string_view body :
         {std::string_view("\x10\0\0", 3), std::string_view("\3\0\0\0", 4), std::string_view("\2\0", 2),
          std::string_view("\0\5a", 3), std::string_view("\0\xff\xff\xff\xff\xff\1", 7),
          std::string_view("\1\1\xff\0", 4), std::string_view("\4\0\0\0\0\0", 6),
          std::string_view("\x8\xff\xff\xff\xff\7\0\0", 8), std::string_view("\0\1a\0", 4)}) {
        std::string pack(pulsar::packed_header_size, '\0');
        pack += body;
        pulsar::write_packed_header({reinterpret_cast<std::byte*>(pack.data()), pack.size()}, compression_type::none, 1,
                                    body.size());
        write("malformed." + std::to_string(n++) + ".bad", pack);
    }
}

} // namespace

int main(int, char** arguments) {
    folder = arguments[1];
    for (auto type : {compression_type::none, compression_type::lz4, compression_type::zlib, compression_type::zstd,
                      compression_type::snappy}) {
        const std::string name(to_string(type));
        for (const bool keyed : {false, true}) {
            const std::string pack = packed(many(keyed), pack_layout::framed, codec::any::make(type).first);
            if (pack[5] != static_cast<char>(type)) return std::puts("it was not compressed"), 1;
            write(name + (keyed ? ".keyed.pack" : ".pack"), pack);
            write(name + (keyed ? ".keyed.expected" : ".expected"), as_json(many(keyed)));
            if (!keyed) damage(name, pack);
        }
    }
    malformed();
    const std::string pack = packed(example(), pack_layout::framed, codec::none{});
    write("example.pack", pack);
    write("example.expected", as_json(example()));
    write("example.hex", hex(pack) + "\n");
    const std::vector<message> values{{R"({"t":21.5})"}, {" [1, \"caf\u00e9\"]\n"}, {"null"}};
    write("array.json", packed(values, pack_layout::json_array, codec::none{}));
}
