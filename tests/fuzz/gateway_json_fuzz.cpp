// SPDX-License-Identifier: BSL-1.0
// Any text as a producer's message and as a consumer's command: bound, or refused in words that can be sent back.
#include <sluice/testing/gateway/consumer_command.hpp>
#include <sluice/testing/gateway/producer_message.hpp>

#include <cstdlib>

using namespace sluice::testing::detail;
namespace web = sluice::web;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (!web::is_utf8(text)) return 0; // the connection has seen to that
    producer_message_reader reader;
    producer_message message;
    if (reader.read(text, message)) {
        for (const auto& part : {message.payload, message.context, message.key, message.event_time})
            require(!part || web::is_utf8(*part));
        for (std::size_t i = 0; i != message.properties.size(); ++i) {
            require(web::is_utf8(message.properties[i].first));
            for (std::size_t j = 0; j != std::min<std::size_t>(i, 8); ++j)
                require(message.properties[j].first != message.properties[i].first);
        }
    } else {
        require(!reader.error().empty() && web::is_utf8(reader.error()));
    }
    consumer_command command;
    if (consumer_command_reader commands; commands.read(text, command))
        for (const auto& part : {command.type, command.message_id}) require(!part || web::is_utf8(*part));

    std::string scratch; // and as what is only passed over
    json_reader json(text, scratch);
    if (!json.at_end()) {
        const json_reader::value root = json.next_value();
        if (root.kind == json_reader::token::object || root.kind == json_reader::token::array)
            json.skip_rest(root.kind);
    }
    require(!json.failed() || web::is_utf8(json.error()));
    return 0;
}
