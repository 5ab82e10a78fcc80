// SPDX-License-Identifier: BSL-1.0
// What servers say, word for word, without what is by nature another each time: ids, addresses, and where in its own
// source the JSON parser stood.
#pragma once

#include "raw_client.hpp"

#include <sluice/pulsar/refusal.hpp>

#include <regex>
#include <string>

namespace conformance {

/// The answer to a message.
inline std::string words(const std::string& answer) {
    static const std::regex id(R"("messageId":"[^"]+")");
    static const std::regex connection(R"(\\"reqId\\":\d+, \\"remote\\":\\"[^"]*\\", \\"local\\":\\"[^"]*\\")");
    static const std::regex start(R"(\(start marker at \[Source: .*?\]\))");
    std::string text = std::regex_replace(answer, id, R"("messageId":"*")");
    text = std::regex_replace(text, start, "(start marker at *)");
    text = std::regex_replace(text, connection, "...");
    const std::size_t source = text.find(R"(\n at [Source: )"), end = text.find(R"(","errorCode")");
    if (source != std::string::npos && end != std::string::npos) text.erase(source, end - source);
    return text;
}

inline std::string with_context(const std::string& context) {
    return context.empty() ? "" : R"("context":)" + context + ",";
}
/// `context` as JSON; empty: the answer has none.
inline std::string ok(const std::string& context = R"("1")") {
    return R"({"result":"ok","messageId":"*",)" + with_context(context) + R"("errorCode":0,"schemaVersion":0})";
}
inline std::string error(int code, const std::string& text, const std::string& context = R"("1")") {
    return R"({"result":"send-error:)" + std::to_string(code) + R"(","errorMsg":")" + text + R"(",)" +
           with_context(context) + R"("errorCode":0,"schemaVersion":0})";
}
/// Of the broker, or of the proxy's client; `text` begins with the name of the exception.
inline std::string exception(const std::string& text, const std::string& context = R"("1")") {
    return error(8, "org.apache.pulsar.client.api.PulsarClientException$" + text, context);
}

/// The message of an error page.
inline std::string words(const web::http_response& answer) {
    const sluice::failure f = sluice::pulsar::failure_of(answer, "");
    static const std::regex connection(R"("reqId":\d+, "remote":"[^"]*", "local":"[^"]*")");
    return std::regex_replace(f.details->text, connection, "...");
}

} // namespace conformance
