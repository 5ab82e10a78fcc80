// SPDX-License-Identifier: BSL-1.0
// Runs the conformance cases against one server and prints a row for each; the last line is "N passed, N failed".
#include "cases.hpp"
#include "servers.hpp"

#include <sluice/deflate.hpp>

#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

namespace {

using namespace conformance;

constexpr const char* usage = R"(usage: conformance --gateway [OPTION...]
       conformance --url ws://127.0.0.1:PORT --admin http://127.0.0.1:PORT [OPTION...]
  --secure-url wss://localhost:PORT --ca FILE   the same Pulsar over TLS, and who signed its certificate
  --token TOKEN --stranger TOKEN                of a super user, and of a role that may do nothing
  --narrow-url URL --narrow-admin URL           a second Pulsar, open, with the limits that servers.hpp names
  --version V                                   the Pulsar's release, 4.0.7 unless said
  --produce FILE                                the program of examples/02_produce.cpp
  --proxy-url URL                               a WebSocket proxy of its own in front of the Pulsar
  --control COMMAND                             does what words behind it say: see processes.hpp
  --broker pulsar://127.0.0.1:PORT              where official clients find it, and
  --consume COMMAND                             what reads with them: consumers/consume
  --seed N                                      of what cases choose at random
  --only TEXT                                   only cases whose groups or names hold the text
  --results FILE                                for tests/broker/table
)";

struct settings {
    bool gateway = false;
    std::string url{}, admin{}, secure_url{}, ca_file{}, token{}, stranger{}, narrow_url{}, narrow_admin{};
    std::string version = "4.0.7", proxy_url{}, control{}, produce{}, broker{}, consume{}, seed{}, only{}, results{};
};

settings read_arguments(int argc, char** argv) {
    settings s;
    const std::map<std::string, std::string settings::*> options{
        {"--url", &settings::url},
        {"--admin", &settings::admin},
        {"--secure-url", &settings::secure_url},
        {"--ca", &settings::ca_file},
        {"--token", &settings::token},
        {"--stranger", &settings::stranger},
        {"--narrow-url", &settings::narrow_url},
        {"--narrow-admin", &settings::narrow_admin},
        {"--version", &settings::version},
        {"--proxy-url", &settings::proxy_url},
        {"--control", &settings::control},
        {"--produce", &settings::produce},
        {"--broker", &settings::broker},
        {"--consume", &settings::consume},
        {"--seed", &settings::seed},
        {"--only", &settings::only},
        {"--results", &settings::results},
    };
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        const auto found = options.find(name);
        if (name == "--gateway") {
            s.gateway = true;
        } else if (found != options.end() && i + 1 < argc) {
            s.*found->second = argv[++i];
        } else {
            throw std::invalid_argument(name);
        }
    }
    if (s.gateway == !s.url.empty() || s.url.empty() != s.admin.empty() ||
        s.narrow_url.empty() != s.narrow_admin.empty() || s.proxy_url.empty() != s.control.empty())
        throw std::invalid_argument("which server?");
    if (s.seed.find_first_not_of("0123456789") != std::string::npos || s.seed.size() > 19)
        throw std::invalid_argument("--seed " + s.seed);
    return s;
}

std::string read_file(const std::string& name) {
    std::ifstream file(name);
    check(file.good(), name + " cannot be read");
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The server under test, and those beside it.
struct servers {
    std::unique_ptr<target> main{}, secure{}, narrow{};
};

servers gateways() {
    servers s;
    sluice::testing::gateway_options options;
    s.narrow = std::make_unique<gateway_target>(narrow_gateway());
    options.proxy.token = "a-token-of-the-gateway";
    options.proxy.deflate = sluice::deflate_on; // as every real proxy has it
    options.proxy.powerless_tokens = {"a-token-without-power"};
    s.main = std::make_unique<gateway_target>(options);
    s.main->stranger = options.proxy.powerless_tokens.front();
    options.tls = true;
    s.secure = std::make_unique<gateway_target>(options);
    return s;
}

servers pulsars(const settings& s) {
    const auto kind = s.version.starts_with("3.") ? server_kind::pulsar_3_0 : server_kind::pulsar_4_0;
    const auto make = [&](const std::string& url, const std::string& rest) {
        const web::url_result admin = web::parse_url(rest);
        check(admin.error.empty(), rest + ": " + admin.error);
        auto server = std::make_unique<pulsar_target>(kind);
        server->address = {asio::ip::make_address(admin.value.host), admin.value.port};
        server->url = url;
        return server;
    };
    servers out;
    out.main = make(s.url, s.admin);
    out.main->token = s.token;
    out.main->stranger = s.stranger;
    if (!s.secure_url.empty()) {
        out.secure = make(s.secure_url, s.admin);
        out.secure->token = s.token;
        out.secure->ca_pem = read_file(s.ca_file);
    }
    if (!s.narrow_url.empty()) out.narrow = make(s.narrow_url, s.narrow_admin);
    return out;
}

std::string_view name_of(server_kind kind) {
    switch (kind) {
    case server_kind::gateway: return "gateway";
    case server_kind::pulsar_4_0: return "Pulsar 4.0";
    default: return "Pulsar 3.0";
    }
}

class rows {
public:
    explicit rows(const std::string& results) {
        if (results.empty()) return;
        file_.open(results);
        check(file_.good(), results + " cannot be written");
    }

    void run(target& server, const char* group, const test_case& each) {
        server.note.clear();
        server.differences.clear();
        const auto begin = std::chrono::steady_clock::now();
        std::string verdict = "ok  ", why;
        try {
            each.run(server);
            ++passed_;
            why = server.note;
        } catch (const skipped& e) {
            verdict = "skip";
            why = e.what();
        } catch (const not_set_up& e) {
            verdict = "n/a ";
            why = e.what();
        } catch (const std::exception& e) {
            verdict = "FAIL";
            why = e.what();
            ++failed_;
        }
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
        const std::string name = std::string(group) + ": " + each.name;
        std::cout << verdict << "  " << name << std::string(column(name), ' ') << ms.count() << " ms"
                  << (why.empty() ? "" : "  ") << why << std::endl;
        if (!file_.is_open()) return;
        file_ << "case\t" << group << '\t' << each.name << '\t' << verdict.substr(0, verdict.find(' ')) << '\t'
              << on_one_line(why) << '\n';
        for (const difference& d : server.differences)
            file_ << "differs\t" << group << '\t' << each.name << '\t' << name_of(d.where) << '\t' << d.how << '\n';
    }
    int finish() {
        std::cout << passed_ << " passed, " << failed_ << " failed" << std::endl;
        if (file_.is_open()) check((file_ << std::flush).good(), "the results cannot be written");
        return failed_ == 0 && passed_ != 0 ? 0 : 1;
    }

private:
    static std::size_t column(std::string_view name) { return name.size() < 68 ? 70 - name.size() : 2; }
    static std::string on_one_line(std::string text) {
        for (char& c : text)
            if (static_cast<unsigned char>(c) < 0x20) c = ' ';
        return text;
    }

    std::ofstream file_{};
    int passed_ = 0, failed_ = 0;
};

struct group {
    const char* name;
    std::vector<test_case> cases;
};

std::vector<group> all_groups() {
    return {
        {"messages", message_cases()},
        {"options", option_cases()},
        {"answers", answer_cases()},
        {"refusals", refusal_cases()},
        {"upgrade", upgrade_cases()},
        {"frames", frame_cases()},
        {"compression", compression_cases()},
        {"encryption", encryption_cases()},
        {"quotas", quota_cases()},
        {"limits", limit_cases()},
        {"consumers", consumer_cases()},
        {"subscriptions", subscription_cases()},
        {"redelivery", redelivery_cases()},
        {"readers", reader_cases()},
        {"receiver refusals", receiver_refusal_cases()},
        {"volume", volume_cases()},
        {"reconnect", reconnect_cases()},
        {"deduplication", deduplication_cases()},
        {"processes", process_cases()},
    };
}

} // namespace

int main(int argc, char** argv) {
    settings s;
    try {
        s = read_arguments(argc, argv);
    } catch (const std::invalid_argument& e) {
        std::cerr << "conformance: " << e.what() << "\n" << usage;
        return 2;
    }
    try {
        const servers under_test = s.gateway ? gateways() : pulsars(s);
        target& server = *under_test.main;
        server.secure = under_test.secure.get();
        server.narrow = under_test.narrow.get();
        server.produce = s.produce;
        server.seed = s.seed.empty() ? std::random_device{}() : std::stoull(s.seed);
        server.proxy_url = s.proxy_url;
        server.control = s.control;
        server.broker_url = s.broker;
        server.consume = s.consume;
        rows table(s.results);
        for (const group& g : all_groups())
            for (const test_case& each : g.cases)
                if ((std::string(g.name) + ": " + each.name).find(s.only) != std::string::npos)
                    table.run(server, g.name, each);
        return table.finish();
    } catch (const std::exception& e) {
        std::cerr << "conformance: " << e.what() << "\n";
        return 1;
    }
}
