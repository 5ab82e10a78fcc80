// SPDX-License-Identifier: BSL-1.0
// Runs the conformance cases against one server and prints a row for each; the last line is "N passed, N failed".
#include "cases.hpp"
#include "servers.hpp"

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
  --version V                                   the Pulsar's release, 4.0.7 unless said
  --only TEXT                                   only cases whose names hold the text
)";

struct settings {
    bool gateway = false;
    std::string url{}, admin{}, secure_url{}, ca_file{}, token{}, stranger{}, version = "4.0.7", only{};
};

settings read_arguments(int argc, char** argv) {
    settings s;
    const std::map<std::string, std::string settings::*> options{
        {"--url", &settings::url},         {"--admin", &settings::admin}, {"--secure-url", &settings::secure_url},
        {"--ca", &settings::ca_file},      {"--token", &settings::token}, {"--stranger", &settings::stranger},
        {"--version", &settings::version}, {"--only", &settings::only},
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
    if (s.gateway == !s.url.empty() || s.url.empty() != s.admin.empty()) throw std::invalid_argument("which server?");
    return s;
}

std::string read_file(const std::string& name) {
    std::ifstream file(name);
    check(file.good(), name + " cannot be read");
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The server and, beside it, the one that is reached over TLS.
std::vector<std::unique_ptr<target>> make_targets(const settings& s) {
    std::vector<std::unique_ptr<target>> targets;
    if (s.gateway) {
        sluice::testing::gateway_options options;
        options.proxy.token = "a-token-of-the-gateway";
        targets.push_back(std::make_unique<gateway_target>(options));
        options.tls = true;
        targets.push_back(std::make_unique<gateway_target>(options));
    } else {
        const web::url_result admin = web::parse_url(s.admin);
        check(admin.error.empty(), "--admin: " + admin.error);
        const auto add = [&](const std::string& url) {
            auto server = std::make_unique<pulsar_target>();
            server->address = {asio::ip::make_address(admin.value.host), admin.value.port};
            server->url = url;
            server->token = s.token;
            server->stranger = s.stranger;
            server->is_pulsar_3_0 = s.version.starts_with("3.0.");
            targets.push_back(std::move(server));
        };
        add(s.url);
        if (!s.secure_url.empty()) {
            add(s.secure_url);
            targets.back()->ca_pem = read_file(s.ca_file);
        }
    }
    if (targets.size() == 2) targets[0]->secure = targets[1].get();
    return targets;
}

class table {
public:
    void run(target& server, const test_case& each) {
        server.note.clear();
        const auto begin = std::chrono::steady_clock::now();
        std::string verdict = "ok  ", why;
        try {
            each.run(server);
            ++passed_;
            why = server.note;
        } catch (const skipped& e) {
            verdict = "skip";
            why = e.what();
        } catch (const std::exception& e) {
            verdict = "FAIL";
            why = e.what();
            ++failed_;
        }
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
        std::cout << verdict << "  " << each.name << std::string(column(each.name), ' ') << ms.count() << " ms"
                  << (why.empty() ? "" : "  ") << why << std::endl;
    }
    int finish() const {
        std::cout << passed_ << " passed, " << failed_ << " failed" << std::endl;
        return failed_ == 0 && passed_ != 0 ? 0 : 1;
    }

private:
    static std::size_t column(std::string_view name) { return name.size() < 58 ? 60 - name.size() : 2; }

    int passed_ = 0, failed_ = 0;
};

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
        const auto targets = make_targets(s);
        table rows;
        for (const auto& group : {message_cases(), option_cases(), refusal_cases(), answer_cases(), frame_cases(),
                                  volume_cases(), reconnect_cases()})
            for (const test_case& each : group)
                if (std::string_view(each.name).find(s.only) != std::string_view::npos)
                    rows.run(*targets.front(), each);
        return rows.finish();
    } catch (const std::exception& e) {
        std::cerr << "conformance: " << e.what() << "\n";
        return 1;
    }
}
