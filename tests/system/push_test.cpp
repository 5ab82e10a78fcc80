// SPDX-License-Identifier: BSL-1.0
// What a push takes over: all of the message, at the call, however it was given.
#include "world.hpp"

#include <sluice/testing/gateway.hpp>

#include <span>

using namespace test;

namespace {

struct fixture {
    asio::io_context context{};
    sluice::testing::gateway gateway{context};
    sluice::client client{context.get_executor(), {.url = gateway.url(), .auth = sluice::api_key{gateway.api_key()}}};
    std::unique_ptr<sluice::producer> producer = std::make_unique<sluice::producer>(client, "pushed", impatient());

    ~fixture() {
        producer.reset();
        run_ready(context);
    }
    void close() {
        done closed;
        producer->async_close(closed);
        run_until(context, [&] { return closed.called(); });
        CHECK_FALSE(closed.error());
    }
    void await(sluice::producer::awaitable<void> pushed) {
        bool over = false;
        asio::co_spawn(context, std::move(pushed), [&](std::exception_ptr e) {
            CHECK_FALSE(e);
            over = true;
        });
        run_until(context, [&] { return over; });
    }
    std::vector<std::string> stored() {
        std::vector<std::string> payloads;
        for (const auto& m : gateway.messages("pushed")) payloads.push_back(m.payload);
        return payloads;
    }
};

} // namespace

TEST_CASE("what was pushed may change at once: a short message is copied, a long one too") {
    fixture f;
    std::vector<std::string> expected;
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{255}, std::size_t{256}, std::size_t{257}, std::size_t{5000}}) {
        std::string text(size, static_cast<char>('a' + size % 26));
        expected.insert(expected.end(), 4, text);
        CHECK(f.producer->try_push(text));
        CHECK(f.producer->try_push(std::string_view(text)));
        CHECK(f.producer->try_push(std::as_bytes(std::span(text))));
        auto pushed = f.producer->push(std::string_view(text)); // and is awaited later
        text.assign(size, '!');
        f.await(std::move(pushed));
    }
    f.close();
    CHECK(f.stored() == expected);
}

TEST_CASE("a view's key and members are copied too") {
    fixture f;
    for (const std::size_t size :
         {std::size_t{10}, std::size_t{256}}) { // with its key the longer one is past the limit
        std::string payload(size, 'p'), key = "key";
        sluice::message_attributes more;
        more.properties = {{"name", "value"}};
        CHECK(f.producer->try_push(sluice::message_view(payload).with_key(key)));
        CHECK(f.producer->try_push(sluice::message_view(payload).with_key(key).with(more)));
        payload.assign(size, '!');
        key = "!!!";
        more.properties[0] = {"!!!!", "!!!!!"};
    }
    f.close();
    const auto messages = f.gateway.messages("pushed");
    REQUIRE(messages.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(messages[i].payload == std::string(i < 2 ? 10 : 256, 'p'));
        CHECK(messages[i].key == "key");
        CHECK(messages[i].properties.size() == i % 2);
    }
}

TEST_CASE("a message and a string that are given up are moved") {
    fixture f;
    sluice::message m(std::string(1000, 'm'));
    m.key = "key";
    std::string text(1000, 't');
    CHECK(f.producer->try_push(m)); // a copy
    CHECK(m.payload.size() == 1000);
    CHECK(f.producer->try_push(std::move(m)));
    CHECK(m.payload.empty());
    CHECK(f.producer->try_push(std::move(text)));
    CHECK(text.empty());
    CHECK(f.producer->try_push({"payload", "key"}));
    f.close();
    CHECK(f.stored() ==
          std::vector<std::string>{std::string(1000, 'm'), std::string(1000, 'm'), std::string(1000, 't'), "payload"});
}

TEST_CASE("a push that nobody awaits sends nothing, and may outlive the producer") {
    fixture f;
    auto told = std::make_shared<int>(0);
    {
        auto pushed = f.producer->push("never", [told](std::error_code, const sluice::receipt&) { ++*told; });
        auto large = f.producer->push(
            std::string(1000, 'x'),
            [told, room = std::array<char, 1000>()](std::error_code, const sluice::receipt&) { *told += 1 + room[0]; });
        CHECK(told.use_count() == 3);
        f.close();
        f.producer.reset();
        run_ready(f.context);
    }
    CHECK(told.use_count() == 1);
    CHECK(*told == 0);
    CHECK(f.stored().empty());
}

TEST_CASE("a result function of any size gets its message's result") {
    fixture f;
    std::array<char, 2000> large{};
    large[1999] = 'x';
    int calls = 0;
    CHECK(f.producer->try_push("with a large function", [&calls, large](std::error_code ec, const sluice::receipt& r) {
        CHECK_FALSE(ec);
        CHECK(large[1999] == 'x');
        CHECK_FALSE(r.message_id.empty());
        ++calls;
    }));
    f.close();
    CHECK(calls == 1);
}

TEST_CASE("a try_push that throws gives its room back") {
    struct fragile {
        bool throws = true;
        explicit fragile(bool t) : throws(t) {}
        fragile(const fragile& other) = default;
        fragile(fragile&& other) : throws(other.throws) {
            if (throws) throw std::bad_alloc();
        }
        void operator()(std::error_code, const sluice::receipt&) const {}
    };
    fixture f;
    sluice::producer_options two = impatient();
    two.max_pending_messages = 2;
    f.producer = std::make_unique<sluice::producer>(f.client, "pushed", two);
    const fragile broken(true);
    for (int i = 0; i < 3; ++i) {
        CHECK_THROWS_AS(static_cast<void>(f.producer->try_push("copied", broken)), std::bad_alloc);
        CHECK_THROWS_AS(static_cast<void>(f.producer->try_push(sluice::message("moved"), broken)), std::bad_alloc);
    }
    CHECK(f.producer->try_push("one"));
    CHECK(f.producer->try_push("two"));
    CHECK_FALSE(f.producer->try_push("three"));
    f.close();
    CHECK(f.stored() == std::vector<std::string>{"one", "two"});
}
