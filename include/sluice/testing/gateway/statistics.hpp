// SPDX-License-Identifier: BSL-1.0
// A topic's statistics in Pulsar's shape, which GDN passes on.
#pragma once

#include <sluice/testing/gateway/answers.hpp>

#include <cstdint>
#include <string>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// One of a subscription's consumers.
inline std::string consumer_statistics(const consumer& c, const subscription& s) {
    return json_text('{')
        .member("msgRateOut", 0)
        .member("msgThroughputOut", 0)
        .member("bytesOutCounter", c.bytes_out)
        .member("msgOutCounter", c.messages_out)
        .member("consumerName", c.name)
        .member("availablePermits", c.flow.room())
        .member("unackedMessages", s.active() == nullptr ? c.unacknowledged : 0)
        .member("connectedSince", iso_date(milliseconds_of(c.since)))
        .raw("metadata", "{}")
        .done();
}

/// A subscription: a reader has one, too. Unacknowledged messages are told of consumers that take turns.
inline std::string subscription_statistics(subscription& s) {
    json_text consumers('[');
    std::uint64_t bytes_out = 0, messages_out = 0;
    std::size_t unacknowledged = 0;
    for (const consumer* c : s.consumers()) {
        consumers.element(consumer_statistics(*c, s));
        bytes_out += c->bytes_out;
        messages_out += c->messages_out;
        if (s.active() == nullptr) unacknowledged += c->unacknowledged;
    }
    json_text text('{');
    text.member("msgRateOut", 0)
        .member("msgThroughputOut", 0)
        .member("bytesOutCounter", bytes_out)
        .member("msgOutCounter", messages_out)
        .member("msgBacklog", s.backlog())
        .member("msgBacklogNoDelayed", s.backlog() - s.late())
        .member("msgDelayed", s.late())
        .member("unackedMessages", unacknowledged);
    if (!s.consumers().empty()) text.member("type", name_of(s.type()));
    if (s.active() != nullptr) text.member("activeConsumerName", s.active()->name);
    return text.raw("consumers", consumers.done())
        .member("isDurable", s.durable())
        .member("durable", s.durable())
        .done();
}

/// What `GET .../stats` says. Rates are 0: the model does not measure time.
inline std::string topic_statistics(const topic& t) {
    json_text publishers('['), subscriptions('{');
    for (const auto& [name, until] : t.producer_names())
        if (until == time_point::max()) publishers.element(json_text('{').member("producerName", name).done());
    std::uint64_t bytes_out = 0, messages_out = 0;
    for (const auto& [name, s] : t.subscriptions()) {
        subscriptions.raw(name, subscription_statistics(*s));
        for (const consumer* c : s->consumers()) {
            bytes_out += c->bytes_out;
            messages_out += c->messages_out;
        }
    }
    const message_log& log = t.log();
    return json_text('{')
        .member("msgRateIn", 0)
        .member("msgThroughputIn", 0)
        .member("msgRateOut", 0)
        .member("msgThroughputOut", 0)
        .member("bytesInCounter", log.bytes_in())
        .member("msgInCounter", log.messages_in())
        .member("bytesOutCounter", bytes_out)
        .member("msgOutCounter", messages_out)
        .member("averageMsgSize", log.messages_in() == 0 ? 0 : log.bytes_in() / log.messages_in())
        .member("storageSize", log.storage_size())
        .member("backlogSize", log.storage_size())
        .raw("publishers", publishers.done())
        .raw("subscriptions", subscriptions.done())
        .raw("replication", "{}")
        .member("deduplicationStatus", t.deduplicate ? "Enabled" : "Disabled")
        .done();
}

/// Their names as an array, those of readers included.
inline std::string subscription_names(const topic& t) {
    json_text names('[');
    for (const auto& entry : t.subscriptions()) names.text_element(entry.first);
    return names.done();
}

/// What `GET .../internalStats` says, which GDN calls the backlog.
inline std::string internal_statistics(const topic& t) {
    const auto place = [](std::int64_t ledger, std::int64_t entry) {
        return std::to_string(ledger) + ":" + std::to_string(entry);
    };
    const position last = t.last();
    const message_log& log = t.log();
    json_text cursors('{');
    for (const auto& [name, s] : t.subscriptions())
        cursors.raw(name, json_text('{').member("messagesConsumedCounter", log.end() - s->backlog()).done());
    return json_text('{')
        .member("entriesAddedCounter", log.messages_in())
        .member("numberOfEntries", log.messages().size())
        .member("totalSize", log.storage_size())
        .member("currentLedgerEntries", last.entry + 1)
        .member("currentLedgerSize", log.storage_size())
        .member("lastConfirmedEntry", place(last.ledger, last.entry))
        .member("state", t.terminated ? "Terminated" : "LedgerOpened")
        .raw("ledgers", json_text('[')
                            .element(json_text('{')
                                         .member("ledgerId", log.ledger())
                                         .member("entries", last.entry + 1)
                                         .member("size", log.storage_size())
                                         .done())
                            .done())
        .raw("cursors", cursors.done())
        .done();
}

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
