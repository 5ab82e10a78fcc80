// SPDX-License-Identifier: BSL-1.0
// JSON events as a shop and its warehouse publish them, in the envelope of CloudEvents 1.0, 450 to 750 bytes: what
// compression is measured with. A seed makes the same events everywhere: the standard library's distributions differ
// from one library to the next.
//
// Names, texts and places come from lists, as they do in a shop; a visitor looks at a few pages, a sensor counts its
// readings, which drift. Ids, times, amounts and quantities differ from event to event, and are what remains when all
// else is compressed away.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// xoshiro256**, its state filled by splitmix64.
class random_numbers {
public:
    explicit random_numbers(std::uint64_t seed) noexcept {
        for (std::uint64_t& word : state_) {
            std::uint64_t z = seed += 0x9e3779b97f4a7c15;
            z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
            z = (z ^ z >> 27) * 0x94d049bb133111eb;
            word = z ^ z >> 31;
        }
    }

    std::uint64_t next() noexcept {
        const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
        const std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }
    /// Below `n`, which is small: the remainder's bias is not seen.
    std::size_t below(std::size_t n) noexcept { return static_cast<std::size_t>(next() >> 32) % n; }
    int between(int low, int high) noexcept {
        return low + static_cast<int>(below(static_cast<std::size_t>(high - low) + 1));
    }
    /// Around the middle of the range rather than at its ends: the mean of three.
    int around(int low, int high) noexcept {
        return (between(low, high) + between(low, high) + between(low, high)) / 3;
    }
    template <class List>
    const auto& one_of(const List& list) noexcept {
        return list[below(list.size())];
    }
    /// One in so many.
    bool once_in(std::size_t n) noexcept { return below(n) == 0; }

private:
    std::array<std::uint64_t, 4> state_{};
};

class event_generator {
public:
    explicit event_generator(std::uint64_t seed) noexcept : random_(seed) {}

    std::string next() {
        now_ms_ += random_.between(1, 60);
        out_.clear();
        switch (random_.below(10)) {
        case 0:
        case 1:
        case 2: order(); break;
        case 3:
        case 4:
        case 5:
        case 6: view(); break;
        default: reading(); break;
        }
        return out_;
    }

private:
    struct product {
        std::string_view sku, name;
        int cents;
    };
    struct town {
        std::string_view city, country, zone;
    };
    struct browser {
        std::string_view name, system, agent;
        int width, height;
    };
    static constexpr std::array<product, 24> products{{
        {"KB-4471-BLK", "Mechanical keyboard, black", 12990},
        {"KB-4471-WHT", "Mechanical keyboard, white", 12990},
        {"MS-2030", "Wireless mouse", 3499},
        {"MN-27-4K", "Monitor 27 inch, 4K", 37900},
        {"MN-34-UW", "Monitor 34 inch, ultrawide", 52950},
        {"CB-USBC-2M", "USB-C cable, 2 m", 1290},
        {"CB-HDMI-3M", "HDMI cable, 3 m", 1590},
        {"HS-710", "Headset with noise cancelling", 19900},
        {"LP-STAND", "Laptop stand, aluminium", 4550},
        {"DK-TB4", "Thunderbolt dock, 11 ports", 24900},
        {"SD-1TB-X", "Portable SSD, 1 TB", 9990},
        {"SD-2TB-X", "Portable SSD, 2 TB", 16990},
        {"WC-1080", "Webcam, 1080p", 6990},
        {"CH-65W", "Charger, 65 W", 3990},
        {"CH-100W", "Charger, 100 W", 5990},
        {"BG-15-GRY", "Backpack 15 inch, grey", 7450},
        {"BG-13-NVY", "Sleeve 13 inch, navy", 2990},
        {"RT-AX6", "Router, Wi-Fi 6", 14900},
        {"SW-8P", "Switch, 8 ports", 4290},
        {"PR-LASER", "Laser printer, duplex", 21900},
        {"TN-BLK", "Toner, black", 7990},
        {"DL-LED", "Desk lamp, LED", 5490},
        {"MT-XL", "Mouse mat, XL", 1990},
        {"HB-USB3", "USB hub, 7 ports", 2790},
    }};
    static constexpr std::array<town, 12> towns{{
        {"Berlin", "DE", "eu-central-1"},
        {"Hamburg", "DE", "eu-central-1"},
        {"Wien", "AT", "eu-central-1"},
        {"Lyon", "FR", "eu-west-3"},
        {"Madrid", "ES", "eu-south-2"},
        {"Dublin", "IE", "eu-west-1"},
        {"Leeds", "GB", "eu-west-2"},
        {"Boston", "US", "us-east-1"},
        {"Portland", "US", "us-west-2"},
        {"Toronto", "CA", "ca-central-1"},
        {"Osaka", "JP", "ap-northeast-3"},
        {"Perth", "AU", "ap-southeast-2"},
    }};
    static constexpr std::array<browser, 6> browsers{{
        {"Firefox", "Linux", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", 1920, 971},
        {"Firefox", "Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0", 1536,
         739},
        {"Chrome", "Windows",
         "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
         "Safari/537.36",
         1920, 945},
        {"Chrome", "Android",
         "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile "
         "Safari/537.36",
         412, 784},
        {"Safari", "iOS",
         "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/17.5 Mobile/15E148 Safari/604.1",
         390, 664},
        {"Safari", "macOS",
         "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
         "Safari/605.1.15",
         1440, 789},
    }};
    static constexpr std::array<std::string_view, 4> methods{"card", "invoice", "paypal", "transfer"};
    static constexpr std::array<std::string_view, 3> tiers{"standard", "silver", "gold"};
    static constexpr std::array<std::string_view, 3> carriers{"standard", "express", "pickup"};
    static constexpr std::array<std::string_view, 5> sections{"keyboards", "monitors", "storage", "network", "office"};
    static constexpr std::array<std::string_view, 4> sources{"https://www.example.org/search",
                                                             "https://news.example.net/reviews/monitors-of-the-year",
                                                             "https://shop.example.com/", ""};
    static constexpr std::array<std::string_view, 3> models{"TH-200", "TH-210", "VX-9"};
    static constexpr std::array<std::string_view, 3> releases{"2.4.1", "2.4.3", "3.0.0-rc2"};

    void order() {
        const town& where = random_.one_of(towns);
        begin("/shop/checkout", "com.example.order.created", "order/3");
        printf_("\"customer\":{\"id\":\"C-%08d\"", random_.between(1, 400'000));
        text("tier", random_.one_of(tiers));
        text("country", where.country);
        out_ += "},\"items\":[";
        int total = 0;
        for (int i = 0, n = random_.between(1, 3); i < n; ++i) {
            const product& p = random_.one_of(products);
            const int quantity = random_.once_in(4) ? random_.between(2, 12) : 1;
            const int cents = random_.once_in(3) ? p.cents * random_.between(80, 95) / 100 : p.cents;
            total += quantity * cents;
            out_ += i == 0 ? "{\"sku\":\"" : ",{\"sku\":\"";
            out_ += p.sku;
            out_ += '"';
            text("name", p.name);
            printf_(",\"quantity\":%d,\"unit_price\":%d.%02d}", quantity, cents / 100, cents % 100);
        }
        printf_("],\"total\":%d.%02d,\"currency\":\"EUR\",\"payment\":{\"method\":\"", total / 100, total % 100);
        out_ += random_.one_of(methods);
        printf_("\",\"reference\":\"%010u\"},\"shipping\":{\"city\":\"", static_cast<unsigned>(random_.next() >> 32));
        out_ += where.city;
        printf_("\",\"postcode\":\"%05d\"", random_.between(10'000, 99'999));
        text("carrier", random_.one_of(carriers));
        out_ += "}}}";
    }

    struct visit {
        int left = 0; ///< pages
        std::uint64_t id = 0;
        int user = 0; ///< 0: not known
        std::size_t from = 0, with = 0;
    };
    struct sensor {
        int sequence = 0, temperature = 0, humidity = 0, pressure = 0, battery = 0;
    };

    void view() {
        visit& v = visits_[random_.below(visits_.size())];
        if (v.left-- == 0) {
            v.left = random_.around(0, 14);
            v.id = random_.next();
            v.user = random_.once_in(3) ? random_.between(1, 400'000) : 0;
            v.from = random_.below(towns.size());
            v.with = random_.below(browsers.size());
        }
        const browser& with = browsers[v.with];
        begin("/shop/pages", "com.example.page.viewed", "page/7");
        printf_("\"session\":\"%016llx\",\"user\":", static_cast<unsigned long long>(v.id));
        out_ += v.user == 0 ? "null" : std::to_string(v.user);
        text("region", towns[v.from].zone);
        out_ += ",\"url\":\"https://shop.example.com/";
        out_ += random_.one_of(sections);
        out_ += '/';
        out_ += random_.one_of(products).sku;
        printf_("?page=%d\"", random_.between(1, 9));
        text("referrer", random_.one_of(sources));
        out_ += ",\"device\":{\"browser\":\"";
        out_ += with.name;
        out_ += '"';
        text("system", with.system);
        text("user_agent", with.agent);
        printf_(",\"viewport\":{\"width\":%d,\"height\":%d}}", with.width, with.height);
        printf_(",\"duration_ms\":%d,\"scrolled\":0.%02d}}", random_.around(200, 90'000), random_.between(0, 99));
    }

    void reading() {
        const std::size_t device = random_.below(sensors_.size());
        sensor& s = sensors_[device];
        if (s.sequence == 0)
            s = {random_.between(100'000, 999'999), random_.around(1600, 2600), random_.around(300, 600),
                 random_.around(9900, 10'300), random_.around(20, 100)};
        ++s.sequence;
        s.temperature += random_.around(-20, 20);
        s.humidity += random_.around(-5, 5);
        s.pressure += random_.around(-3, 3);
        const int n = static_cast<int>(device), shake = random_.around(10, 240);
        begin("/warehouse/sensors", "com.example.sensor.reading", "sensor/2");
        printf_("\"device\":{\"id\":\"sn-%02d-%04d\"", n % 12, n);
        text("model", models[device % models.size()]);
        text("firmware", releases[device / 7 % releases.size()]);
        printf_("},\"location\":{\"site\":\"warehouse-%d\",\"hall\":%d,\"rack\":\"R%02d\"}", n % 4, n % 7, n % 48);
        printf_(",\"sequence\":%d,\"readings\":{", s.sequence);
        printf_("\"temperature_c\":%d.%02d,\"humidity_pct\":%d.%d", s.temperature / 100, s.temperature % 100,
                s.humidity / 10, s.humidity % 10);
        printf_(",\"pressure_hpa\":%d.%d,\"vibration_mm_s\":%d.%02d", s.pressure / 10, s.pressure % 10, shake / 100,
                shake % 100);
        printf_("},\"battery_pct\":%d,\"signal_dbm\":-%d", s.battery, random_.around(50, 95));
        text("status", random_.once_in(40) ? "maintenance" : "ok");
        out_ += "}}";
    }

    /// The envelope: an id (RFC 9562, version 4), the time, and what the event is. `data` is left open.
    void begin(std::string_view source, std::string_view type, std::string_view schema) {
        const std::uint64_t high = random_.next(), low = random_.next();
        out_ += "{\"specversion\":\"1.0\"";
        text("source", source);
        text("type", type);
        printf_(",\"id\":\"%08x-%04x-4%03x-%04x-%012llx\"", static_cast<unsigned>(high >> 32),
                static_cast<unsigned>(high >> 16 & 0xffff), static_cast<unsigned>(high & 0xfff),
                static_cast<unsigned>(low >> 48 & 0x3fff) | 0x8000u,
                static_cast<unsigned long long>(low & 0xffff'ffff'ffff));
        const int ms = static_cast<int>(now_ms_ % 86'400'000);
        printf_(",\"time\":\"2026-03-14T%02d:%02d:%02d.%03dZ\"", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                ms % 1000);
        text("datacontenttype", "application/json");
        out_ += ",\"dataschema\":\"https://schemas.example.com/";
        out_ += schema;
        out_ += "\",\"data\":{";
    }

    void text(std::string_view name, std::string_view value) {
        out_ += ",\"";
        out_ += name;
        out_ += "\":\"";
        out_ += value;
        out_ += '"';
    }

    template <class... Values>
    void printf_(const char* format, Values... values) {
        char piece[192];
        const int n = std::snprintf(piece, sizeof piece, format, values...);
        out_.append(piece, static_cast<std::size_t>(n));
    }

    random_numbers random_;
    std::string out_{};
    std::array<visit, 150> visits_{};
    std::array<sensor, 300> sensors_{};
    std::int64_t now_ms_ = 9 * 3'600'000;
};

/// So many events of the seed that is measured.
inline std::vector<std::string> make_events(std::size_t n) {
    event_generator generator(20'260'314);
    std::vector<std::string> events;
    events.reserve(n);
    for (std::size_t i = 0; i < n; ++i) events.push_back(generator.next());
    return events;
}

} // namespace bench
