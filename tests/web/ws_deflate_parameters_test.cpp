// SPDX-License-Identifier: BSL-1.0
// permessage-deflate's negotiation: the field's grammar, a client's offers, each answer that is allowed and each that
// is not, a server's choice.
#include <sluice/web/ws_deflate_parameters.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace sluice::web;

namespace {

http_fields field(std::string value) { return {{"Sec-WebSocket-Extensions", std::move(value)}}; }

/// Read and written again, one after the other; "?" behind what is no list.
std::string read(const http_fields& fields) {
    std::vector<ws_extension> list;
    const bool whole = parse_extensions(fields, list);
    std::string text;
    for (const ws_extension& e : list) {
        text += (text.empty() ? "" : ", ") + e.name;
        for (const ws_extension::parameter& p : e.parameters) {
            text += ";" + p.name;
            if (p.value) text += "=" + *p.value;
        }
    }
    return whole ? text : text + "?";
}
std::string read(std::string value) { return read(field(std::move(value))); }

std::string shown(const deflate_parameters& p) {
    return std::string(p.server_no_context_takeover ? "S" : "s") + std::to_string(p.server_max_window_bits) +
           (p.client_no_context_takeover ? " C" : " c") + std::to_string(p.client_max_window_bits);
}

/// What is agreed on, "declined", or the error's text.
std::string checked(std::string answer, const deflate_offer& offer = {}) {
    const deflate_answer a = check_deflate(field(std::move(answer)), offer);
    if (a.error) {
        CHECK(a.error.code == sluice::errc::handshake_invalid);
        CHECK_FALSE(a.agreed);
        return a.error.details->text;
    }
    return a.agreed ? shown(*a.agreed) : "declined";
}

std::string accepted(std::string offer, const deflate_parameters& wanted = {}) {
    const auto a = accept_deflate(field(std::move(offer)), wanted);
    return a ? shown(a->agreed) + " " + a->answer : "declined";
}

} // namespace

TEST_CASE("lists of extensions") {
    CHECK(read("") == "");
    CHECK(read(" \t ") == "");
    CHECK(read("a") == "a");
    CHECK(read("a;b;c=d") == "a;b;c=d");
    CHECK(read("a ; b;\tc = d , e") == "a;b;c=d, e");
    CHECK(read(",, a, ,b,") == "a, b");
    CHECK(read(R"(a;b="c")") == "a;b=c");
    CHECK(read(R"(a;b="\c1", e)") == "a;b=c1, e");
    CHECK(read(http_fields{{"sec-websocket-extensions", "a;b"}, {"Other", "x y"}, {"Sec-WebSocket-Extensions", "c"}}) ==
          "a;b, c");
    CHECK(read(http_fields{{"Other", "?"}}) == "");
    for (const char* bad :
         {";",           "=",       "a;",      "a;;b",     "a b",       "a;b c",     "a;b=",         "a;b=,",
          "a;=c",        "a;b=c d", "a;b=c=d", R"(a;b=")", R"(a;b="c)", R"(a;b="")", R"(a;b="c d")", R"(a;b="c\)",
          R"(a;b="c"d)", "a/b",     "a,b;",    "(",        "\x80"}) {
        CAPTURE(bad);
        CHECK(read(bad).back() == '?');
    }
}

TEST_CASE("a list cut anywhere is either a shorter list or none") {
    const std::string whole = R"(permessage-deflate; client_max_window_bits="10"; x, other;y=z)";
    for (std::size_t n = 0; n <= whole.size(); ++n) {
        std::vector<ws_extension> list;
        const bool valid = parse_extensions(whole.substr(0, n), list);
        CHECK(list.size() <= 2);
        if (n == whole.size()) CHECK(valid);
    }
}

TEST_CASE("offers as they are written") {
    CHECK(to_string(deflate_offer{}) == "permessage-deflate; client_max_window_bits");
    CHECK(to_string(deflate_offer{.client_max_window_bits = std::nullopt}) == "permessage-deflate");
    CHECK(to_string(deflate_offer{.server_no_context_takeover = true,
                                  .client_no_context_takeover = true,
                                  .server_max_window_bits = 10,
                                  .client_max_window_bits = 9}) ==
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; "
          "client_max_window_bits=9");
}

TEST_CASE("answers that are allowed") {
    struct row {
        deflate_offer offer;
        std::string answer, agreed;
    };
    const deflate_offer none{.client_max_window_bits = std::nullopt}, plain{};
    for (const row& r : std::vector<row>{
             {plain, "", "declined"},
             {plain, "permessage-deflate", "s15 c15"},
             {plain, "Permessage-Deflate", "s15 c15"},
             {plain, "permessage-deflate; server_no_context_takeover", "S15 c15"},
             {plain, "permessage-deflate;client_no_context_takeover;server_no_context_takeover", "S15 C15"},
             {plain, "permessage-deflate; client_max_window_bits=15", "s15 c15"},
             {plain, "permessage-deflate; client_max_window_bits=8", "s15 c8"},
             {plain, "permessage-deflate; client_max_window_bits=\"10\"", "s15 c10"},
             {none, "permessage-deflate", "s15 c15"},
             {none, "permessage-deflate; server_max_window_bits=8", "s8 c15"}, // a server may choose that unasked
             {none, "permessage-deflate; client_no_context_takeover", "s15 C15"},
             {{.client_no_context_takeover = true}, "permessage-deflate", "s15 C15"}, // told, so it holds
             {{.client_max_window_bits = 10}, "permessage-deflate", "s15 c10"},       // the same
             {{.client_max_window_bits = 10}, "permessage-deflate; client_max_window_bits=10", "s15 c10"},
             {{.client_max_window_bits = 10}, "permessage-deflate; client_max_window_bits=9", "s15 c9"},
             {{.server_no_context_takeover = true}, "permessage-deflate; server_no_context_takeover", "S15 c15"},
             {{.server_max_window_bits = 10}, "permessage-deflate; server_max_window_bits=10", "s10 c15"},
             {{.server_max_window_bits = 10}, "permessage-deflate; server_max_window_bits=8", "s8 c15"},
             {{.server_max_window_bits = 10},
              "permessage-deflate; client_no_context_takeover; client_max_window_bits=12; server_max_window_bits=9; "
              "server_no_context_takeover",
              "S9 C12"},
         }) {
        CAPTURE(r.answer);
        CHECK(checked(r.answer, r.offer) == r.agreed);
    }
    CHECK_FALSE(check_deflate({}, {}).agreed);
    CHECK_FALSE(check_deflate({}, {}).error);
}

TEST_CASE("answers that are not allowed name the parameter and its value") {
    struct row {
        deflate_offer offer;
        std::string answer, why;
    };
    const deflate_offer none{.client_max_window_bits = std::nullopt}, plain{};
    const std::string value = ": a value from 8 to 15 is needed", valueless = ": this parameter has no value",
                      twice = ": this parameter is there twice", unknown = ": there is no such parameter";
    for (const row& r : std::vector<row>{
             {plain, "server_no_context_takeover=1", "server_no_context_takeover=1" + valueless},
             {plain, "client_no_context_takeover=true", "client_no_context_takeover=true" + valueless},
             {plain, "server_no_context_takeover; server_no_context_takeover", "server_no_context_takeover" + twice},
             {plain, "client_no_context_takeover; client_no_context_takeover", "client_no_context_takeover" + twice},
             {plain, "server_max_window_bits", "server_max_window_bits" + value},
             {plain, "server_max_window_bits=7", "server_max_window_bits=7" + value},
             {plain, "server_max_window_bits=16", "server_max_window_bits=16" + value},
             {plain, "server_max_window_bits=0", "server_max_window_bits=0" + value},
             {plain, "server_max_window_bits=010", "server_max_window_bits=010" + value},
             {plain, "server_max_window_bits=-9", "server_max_window_bits=-9" + value},
             {plain, "server_max_window_bits=9.5", "server_max_window_bits=9.5" + value},
             {plain, "server_max_window_bits=ten", "server_max_window_bits=ten" + value},
             {plain, "server_max_window_bits=99999999999999999999",
              "server_max_window_bits=99999999999999999999" + value},
             {plain, "server_max_window_bits=9; server_max_window_bits=9", "server_max_window_bits=9" + twice},
             {plain, "client_max_window_bits", "client_max_window_bits" + value}, // allowed in an offer alone
             {plain, "client_max_window_bits=7", "client_max_window_bits=7" + value},
             {plain, "client_max_window_bits=16", "client_max_window_bits=16" + value},
             {plain, "client_max_window_bits=9; client_max_window_bits=10", "client_max_window_bits=10" + twice},
             {none, "client_max_window_bits=15", "client_max_window_bits=15: client_max_window_bits was not offered"},
             {{.client_max_window_bits = 10},
              "client_max_window_bits=11",
              "client_max_window_bits=11: client_max_window_bits=10 was offered"},
             {{.server_max_window_bits = 10},
              "",
              "server_max_window_bits=10 was asked for, and is not in the answer"}, // as Jetty answers
             {{.server_max_window_bits = 10},
              "server_max_window_bits=11",
              "server_max_window_bits=11: server_max_window_bits=10 was asked for"},
             {{.server_no_context_takeover = true},
              "client_no_context_takeover",
              "server_no_context_takeover was asked for, and is not in the answer"},
             {plain, "x-level=9", "x-level=9" + unknown},
             {plain, "max_window_bits", "max_window_bits" + unknown},
         }) {
        CAPTURE(r.answer);
        CHECK(checked("permessage-deflate" + (r.answer.empty() ? "" : "; " + r.answer), r.offer) ==
              "permessage-deflate: " + r.why);
    }
    CHECK(checked("permessage-deflate, permessage-deflate") == "permessage-deflate is there twice");
    CHECK(checked("x-webkit-deflate-frame") == "the extension x-webkit-deflate-frame was not offered");
    CHECK(checked("permessage-deflate, mux") == "the extension mux was not offered");
    CHECK(checked("permessage-deflate;") == "Sec-WebSocket-Extensions is not a list of extensions");
    // What a server sends does not make a text without a bound.
    CHECK(checked("permessage-deflate; a=" + std::string(5000, '9')).size() < 120);
    CHECK(checked("permessage-deflate; " + std::string(5000, 'a')).size() < 120);
    CHECK(checked(std::string(5000, 'a')).size() < 120);
}

TEST_CASE("what a server accepts") {
    const std::string name = "permessage-deflate";
    CHECK(accepted("") == "declined");
    CHECK(accepted("other") == "declined");
    CHECK(accepted(name + ";") == "declined");
    CHECK(accepted(name) == "s15 c15 permessage-deflate");
    CHECK(accepted(name + "; client_max_window_bits") == "s15 c15 permessage-deflate");
    CHECK(accepted(name + "; client_max_window_bits=10") == "s15 c10 permessage-deflate; client_max_window_bits=10");
    CHECK(accepted(name + "; server_max_window_bits=9") == "s9 c15 permessage-deflate; server_max_window_bits=9");
    CHECK(accepted(name + "; server_max_window_bits=15") == "s15 c15 permessage-deflate; server_max_window_bits=15");
    CHECK(accepted(name + "; client_no_context_takeover; server_no_context_takeover") ==
          "S15 C15 permessage-deflate; server_no_context_takeover; client_no_context_takeover");

    const deflate_parameters small{true, true, 10, 11};
    const std::string both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                             "server_max_window_bits=10";
    CHECK(accepted(name, small) == "S10 C15 " + both); // it cannot be told to use less
    CHECK(accepted(name + "; client_max_window_bits", small) == "S10 C11 " + both + "; client_max_window_bits=11");
    CHECK(accepted(name + "; client_max_window_bits=9", small) == "S10 C9 " + both + "; client_max_window_bits=9");
    CHECK(accepted(name + "; server_max_window_bits=12", small) == "S10 C15 " + both);

    // An offer with a mistake is passed over, and the next one is looked at.
    for (const char* bad : {"server_max_window_bits", "server_max_window_bits=16", "client_max_window_bits=7",
                            "server_no_context_takeover=1", "client_no_context_takeover; client_no_context_takeover",
                            "client_max_window_bits; client_max_window_bits", "x"}) {
        CAPTURE(bad);
        CHECK(accepted(name + "; " + bad) == "declined");
        CHECK(accepted(name + "; " + bad + ", mux, " + name) == "s15 c15 permessage-deflate");
    }
}

TEST_CASE("a client takes what a server answers, and both mean the same") {
    const std::vector<int> bits{8, 9, 12, 15};
    for (int flags = 0; flags < 16; ++flags)
        for (const int a : bits)
            for (const int b : bits)
                for (const int c : bits)
                    for (const int d : {0, 8, 9, 12, 15}) {
                        deflate_offer offer{(flags & 1) != 0, (flags & 2) != 0, a, std::nullopt};
                        if (d != 0) offer.client_max_window_bits = d;
                        const deflate_parameters wanted{(flags & 4) != 0, (flags & 8) != 0, b, c};
                        const auto answer = accept_deflate(field(to_string(offer)), wanted);
                        REQUIRE(answer);
                        const deflate_answer read_back = check_deflate(field(answer->answer), offer);
                        REQUIRE_MESSAGE(read_back.agreed, to_string(offer) << " -> " << answer->answer);
                        CHECK(*read_back.agreed == answer->agreed);
                    }
}
