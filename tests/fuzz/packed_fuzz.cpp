// SPDX-License-Identifier: BSL-1.0
// Packs. The first byte picks what the rest is: a framed pack as it is, or with its checksum made right, so that what
// lies behind it is met; a JSON array, whose elements are packed again; messages that are packed and unpacked.
#include <sluice/pulsar/packed.hpp>
#include <sluice/unpack.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;

namespace {

constexpr unpack_limits limits{.max_bytes = 64u << 10, .max_messages = 1000};

void check(bool holds) {
    if (!holds) std::abort();
}

/// Kept from input to input, as a consumer keeps it: what one leaves behind must not harm the next.
unpack_memory& memory() {
    static unpack_memory kept;
    return kept;
}

void framed(std::string_view pack) {
    const unpacked got = unpack(pack, pack_layout::framed, memory(), limits);
    check(memory().capacity() <= limits.max_bytes);
    std::size_t count = 0, bytes = 0;
    for (const unpacked_message& m : got) {
        ++count;
        bytes += m.payload.size();
        check(!m.key || web::is_utf8(*m.key));
        std::size_t properties = 0;
        for (const auto& [name, value] : m.properties) {
            ++properties;
            bytes += name.size() + value.size();
            check(web::is_utf8(name) && web::is_utf8(value));
        }
        check(properties == m.properties.size());
    }
    check(count == got.size() && count <= limits.max_messages && bytes <= limits.max_bytes);
    if (got.error()) check(count == 0 && got.error().details->text.size() < 200);
}

void array(std::string_view pack) {
    const unpacked got = unpack(pack, pack_layout::json_array, memory(), limits);
    if (got.error() || got.empty()) return;
    pulsar::pack_writer writer(pack_layout::json_array);
    for (const unpacked_message& m : got) check(writer.add(m.payload) == pulsar::pack_fit::fits);
    const auto again = writer.finish();
    check(again.messages == got.size());
    // But for white space around the whole, they are the same bytes.
    const auto from = pack.find('['), end = pack.rfind(']');
    check(web::as_text(again.bytes) == pack.substr(from, end - from + 1));
}

/// Each message's first byte is its size and what else it has; `how` picks the codec, and whether there is a key.
void round_trip(unsigned how, std::string_view data) {
    static std::array codecs{codec::any{codec::none{}}, codec::any{codec::lz4{}}, codec::any{codec::zlib{}},
                             codec::any{codec::zstd{}}, codec::any{codec::snappy{}}};
    codec::any& codec = codecs[how % codecs.size()];
    std::vector<message> sent;
    while (!data.empty()) {
        const auto first = static_cast<unsigned char>(data.front());
        data.remove_prefix(1);
        message m(data.substr(0, first & 0x3f));
        data.remove_prefix(m.payload.size());
        if ((how & 8) != 0) m.key = "key";
        if ((first & 0x40) != 0) m.properties = {{"first", std::string(1, 'x')}, {"", "second"}};
        if ((first & 0x80) != 0) m.event_time = message_attributes::time_point(std::chrono::milliseconds(first) * 1000);
        sent.push_back(std::move(m));
    }

    static pulsar::pack_writer writer(pack_layout::framed, {.max_bytes = 512, .max_messages = 20});
    for (auto next = sent.begin(); next != sent.end();) {
        writer.clear();
        const auto from = next;
        for (; next != sent.end(); ++next) {
            const std::size_t told = writer.size_with(*next);
            if (writer.add(*next) != pulsar::pack_fit::fits) break;
            check(writer.size() == told && told <= 512);
        }
        check(next != from);
        const auto pack = writer.finish(codec);
        check(pack.bytes.size() <= pack.uncompressed);
        const unpacked got = unpack(pack.bytes, pack_layout::framed, memory(), limits);
        check(!got.error() && got.size() == static_cast<std::size_t>(next - from));
        auto expected = from;
        for (const unpacked_message& m : got) {
            check(m.payload == expected->payload && m.key.has_value() == expected->key.has_value());
            check(m.event_time == expected->event_time && m.properties.size() == expected->properties.size());
            ++expected;
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] & 3) {
    case 0: framed(rest); break;
    case 1: {
        std::string pack(rest);
        if (pack.size() >= pulsar::packed_header_size)
            web::store_big_endian(reinterpret_cast<std::byte*>(pack.data()) + 14,
                                  pulsar::packed_checksum(web::as_bytes(pack)));
        framed(pack);
        break;
    }
    case 2: array(rest); break;
    case 3: round_trip(data[0] >> 2, rest); break;
    }
    return 0;
}
