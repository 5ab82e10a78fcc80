// SPDX-License-Identifier: BSL-1.0
// The cuts that one connection is in for, by the bytes that it has carried.
#pragma once

#include <sluice/testing/gateway/fault_script.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace testing {
namespace detail {

/// Takes the connection's rules from the script, tells how many bytes may still go by, and when it is time to cut.
///
///     accepted: begin(connection) -> for each read or write: n = allowed(...), n bytes go by, passed(n) -> due()
///     upgraded: begin(socket)
class byte_cuts {
public:
    explicit byte_cuts(fault_script& script) noexcept : script_(script) {}

    /// The counting of that target's bytes begins, once `unsent` more of ours have gone out.
    void begin(fault_target target, std::size_t unsent = 0) {
        if (script_.empty()) return;
        if (auto rule = script_.take({target})) {
            const std::uint64_t before = rule->way == direction::to_client ? unsent : 0;
            armed_.push_back({rule, rule->bytes + before});
            check(armed_.back());
        }
    }

    /// How many of n bytes go by before the connection is cut. Less than n: the cut can no more be withdrawn.
    std::size_t allowed(direction way, std::size_t n) noexcept {
        for (armed& a : armed_) {
            if (a.rule->way != way || a.left >= n || !stands(a)) continue;
            a.certain = true;
            n = static_cast<std::size_t>(a.left);
        }
        return n;
    }
    /// They have gone by.
    void passed(direction way, std::size_t n) {
        for (armed& a : armed_) {
            if (a.rule->way != way) continue;
            a.left -= std::min<std::uint64_t>(n, a.left);
            check(a);
        }
    }
    std::optional<testing::cut> due() const noexcept { return due_; }

private:
    struct armed {
        std::shared_ptr<fault_rule> rule;
        std::uint64_t left;
        bool certain = false;
    };

    bool stands(const armed& a) const noexcept { return a.certain || script_.stands(*a.rule); }
    void check(const armed& a) {
        if (due_ || a.left != 0 || !stands(a)) return;
        script_.meet(*a.rule);
        due_ = a.rule->how;
    }

    fault_script& script_;
    std::vector<armed> armed_{};
    std::optional<testing::cut> due_{};
};

} // namespace detail
} // namespace testing
} // namespace v1
} // namespace sluice
