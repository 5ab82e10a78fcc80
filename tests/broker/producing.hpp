// SPDX-License-Identifier: BSL-1.0
// The library's producer in a case: send, and compare with what is stored.
#pragma once

#include "target.hpp"

#include <sluice.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace conformance {

/// Runs a coroutine on a context of its own, and throws what it throws.
using coroutine = std::function<asio::awaitable<void>(asio::any_io_executor)>;
void run(const coroutine& body, std::chrono::seconds limit = std::chrono::seconds(60));

using any_producer = sluice::basic_producer<asio::any_io_executor, sluice::codec::any>;

/// A producer with a codec chosen at run time, and its client.
any_producer make_producer(const asio::any_io_executor& executor, const sluice::client_config& config,
                           const std::string& topic, sluice::producer_options options = {},
                           sluice::compression_type compression = sluice::compression_type::none,
                           sluice::producer_observer observer = {});

inline any_producer make_producer(const asio::any_io_executor& executor, const target& server, const std::string& topic,
                                  sluice::producer_options options = {},
                                  sluice::compression_type compression = sluice::compression_type::none,
                                  sluice::producer_observer observer = {}) {
    return make_producer(executor, server.config(), topic, std::move(options), compression, std::move(observer));
}

/// What a send ends with, an error as a value.
asio::awaitable<sluice::result> outcome_of(any_producer& producer, const sluice::message& m);

/// Compares what was sent with what is stored, and the receipts with where it is stored.
void check_stored(const std::vector<sluice::message>& sent, const std::vector<sluice::result>& results,
                  const std::vector<seen_message>& stored);

/// Sends all through one producer, which is closed again, and compares.
std::vector<sluice::result> send_and_compare(target& server, const std::string& topic,
                                             const std::vector<sluice::message>& messages,
                                             sluice::producer_options options = {},
                                             sluice::compression_type compression = sluice::compression_type::none);

/// Makes a subscription: without one, a topic that is opened again forgets what it held.
void keep_messages(const target& server, const std::string& topic);

/// Of messages whose payloads are their numbers: all have succeeded, each is stored, the first copies in order, and
/// each receipt tells where a copy is. Returns how many copies are stored beside the first ones.
std::size_t check_none_lost(const std::vector<sluice::result>& results, const std::vector<seen_message>& stored);

/// The same, and nothing is stored twice.
void check_exactly_once(const std::vector<sluice::result>& results, const std::vector<seen_message>& stored);

/// Polls until it is so, for at most three minutes.
asio::awaitable<void> until(asio::any_io_executor executor, std::string what, std::function<bool()> holds);

/// A whole number of bytes, different ones in each message, and incompressible.
std::string noise(std::size_t size, std::uint32_t seed = 1);

} // namespace conformance
