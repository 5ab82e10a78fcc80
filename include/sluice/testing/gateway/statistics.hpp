// SPDX-License-Identifier: BSL-1.0
// A topic's statistics in Pulsar's shape, which GDN passes on.
#pragma once

#include <sluice/testing/gateway/answers.hpp>

#include <string>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// What `GET .../stats` says. Rates are 0: the model does not measure time.
inline std::string topic_statistics(const topic& t) {
    json_text publishers('['), subscriptions('{');
    for (const auto& [name, until] : t.producer_names())
        if (until == time_point::max()) publishers.element(json_text('{').member("producerName", name).done());
    for (const auto& [name, cursor] : t.subscriptions)
        subscriptions.raw(name, json_text('{').member("msgBacklog", t.backlog(cursor)).raw("consumers", "[]").done());
    return json_text('{')
        .member("msgRateIn", 0)
        .member("msgThroughputIn", 0)
        .member("msgRateOut", 0)
        .member("msgThroughputOut", 0)
        .member("bytesInCounter", t.bytes_in())
        .member("msgInCounter", t.messages_in())
        .member("bytesOutCounter", 0)
        .member("msgOutCounter", 0)
        .member("averageMsgSize", t.messages_in() == 0 ? 0 : t.bytes_in() / t.messages_in())
        .member("storageSize", t.storage_size())
        .member("backlogSize", t.storage_size())
        .raw("publishers", publishers.done())
        .raw("subscriptions", subscriptions.done())
        .raw("replication", "{}")
        .member("deduplicationStatus", t.deduplicate ? "Enabled" : "Disabled")
        .done();
}

/// What `GET .../internalStats` says, which GDN calls the backlog.
inline std::string internal_statistics(const topic& t) {
    const auto place = [](std::int64_t ledger, std::int64_t entry) {
        return std::to_string(ledger) + ":" + std::to_string(entry);
    };
    const position last = t.last();
    json_text cursors('{');
    for (const auto& [name, cursor] : t.subscriptions)
        cursors.raw(name, json_text('{').member("messagesConsumedCounter", cursor).done());
    return json_text('{')
        .member("entriesAddedCounter", t.messages_in())
        .member("numberOfEntries", t.messages().size())
        .member("totalSize", t.storage_size())
        .member("currentLedgerEntries", last.entry + 1)
        .member("currentLedgerSize", t.storage_size())
        .member("lastConfirmedEntry", place(last.ledger, last.entry))
        .member("state", t.terminated ? "Terminated" : "LedgerOpened")
        .raw("ledgers", json_text('[')
                            .element(json_text('{')
                                         .member("ledgerId", t.ledger())
                                         .member("entries", last.entry + 1)
                                         .member("size", t.storage_size())
                                         .done())
                            .done())
        .raw("cursors", cursors.done())
        .done();
}

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
