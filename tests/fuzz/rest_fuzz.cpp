// SPDX-License-Identifier: BSL-1.0
// Any answer to any call, and any text as a name: the first byte picks the status, the second the reader, the third the
// type of the body, which is the rest. What an error says can always be shown.
#include <sluice/pulsar/rest.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace sluice;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void check(const failure& f) {
    if (!f) return;
    require(f.details != nullptr);
    const std::string& text = f.details->text;
    require(text.size() < 2000 && web::is_utf8(text));
    for (const char c : text) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

void check_visible(std::string_view text) {
    for (const char c : text) require(c > 0x20 && c < 0x7f);
}

void read_names(sluice::dialect dialect, const std::string& text) {
    const auto [error, topic] = pulsar::make_topic(dialect, text, scope::local, "acme", "_system");
    check(error);
    if (!error) {
        check_visible(pulsar::producer_target(dialect, topic, {}, compression_type::none, {}, text));
        const pulsar::caller who{dialect, text, {}};
        check_visible(pulsar::create_stream_request(who, topic).target);
        check_visible(pulsar::list_streams_request(who, topic).target);
        check_visible(pulsar::stream_stats_request(who, topic).target);
    }
    client_config config;
    config.url = text;
    config.dialect = dialect;
    const auto [refused, service] = pulsar::resolve_service(config);
    check(refused);
    if (!refused) {
        require(!service.api.host.empty() && service.api.port != 0);
        check_visible(service.api.authority());
    }
    check_visible(pulsar::socket_origin(service, {text, text, text}).authority());
    require(!pulsar::tenant_of_api_key(text).empty());
    (void)pulsar::read_jwt(text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::array statuses{200, 202, 204, 302, 400, 401, 403, 404, 409, 429, 500, 502, 503};
    constexpr std::array<const char*, 5> types{"application/json", "text/html;charset=iso-8859-1", "text/html",
                                               "text/plain", ""};
    if (size < 3) return 0;
    web::http_response response;
    response.status = statuses[data[0] % statuses.size()];
    response.fields.add("Content-Type", types[data[2] % types.size()]);
    response.body.assign(reinterpret_cast<const char*>(data) + 3, size - 3);
    response.fields.add("x-gdn-requestid", response.body.substr(0, 300));
    response.fields.add("Retry-After", response.body.substr(0, 30));

    const sluice::dialect dialect = (data[1] & 1) != 0 ? sluice::dialect::pulsar : sluice::dialect::gdn;
    pulsar::topic_name topic = pulsar::stream_namespace(dialect, scope::global, "acme", "_system");
    topic.name = "x";
    switch ((data[1] >> 1) % 8) {
    case 0: check(pulsar::read_login(response).first); break;
    case 1: check(pulsar::read_otp(response).first); break;
    case 2: check(pulsar::read_region(response).first); break;
    case 3: {
        const auto [error, streams] = pulsar::read_streams(dialect, response);
        check(error);
        (void)pulsar::is_listed(streams, topic);
        break;
    }
    case 4: check(pulsar::read_ensured(dialect, topic, response).first); break;
    case 5: check(pulsar::read_result(dialect, response, "stats").first); break;
    case 6: check(pulsar::read_done(response, "delete")); break;
    default: read_names(dialect, response.body); break;
    }
    check(pulsar::failure_of(response, "call"));
    return 0;
}
