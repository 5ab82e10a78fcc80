// SPDX-License-Identifier: BSL-1.0
// Bytes in, lines out. No more is held than one line that is allowed and what was read last.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tool {

class line_splitter {
public:
    struct line {
        std::string_view text{}; ///< valid until the next `prepare`
        bool too_long = false;   ///< its text is not kept
    };

    /// Without a delimiter all that comes is one line.
    line_splitter(std::optional<std::string> delimiter, std::size_t limit)
        : delimiter_(std::move(delimiter)), limit_(limit) {}

    /// Room for the next n bytes.
    std::span<char> prepare(std::size_t n) {
        buffer_.erase(0, begin_);
        searched_ -= begin_;
        begin_ = 0;
        end_ = buffer_.size();
        buffer_.resize(end_ + n);
        return {buffer_.data() + end_, n};
    }
    /// The first n bytes of that room have been filled.
    void commit(std::size_t n) {
        end_ += n;
        buffer_.resize(end_);
    }

    /// The next line that has come with its delimiter.
    std::optional<line> next() {
        const std::size_t width = delimiter_ ? delimiter_->size() : 0;
        const std::size_t at = delimiter_ ? buffer_.find(*delimiter_, searched_) : std::string::npos;
        if (at != std::string::npos) {
            const line found = take(at);
            begin_ = searched_ = at + width;
            return found;
        }
        // A delimiter may have come in part. Of a line that is too long nothing else is needed.
        const std::size_t tail = width == 0 ? 0 : width - 1;
        if (end_ - begin_ > limit_ + tail) {
            skipping_ = true;
            begin_ = end_ - tail;
        }
        searched_ = std::max(begin_, end_ - std::min(end_, tail));
        return std::nullopt;
    }

    /// At the end of the input: what came behind the last delimiter.
    std::optional<line> rest() {
        if (delimiter_ && begin_ == end_ && !skipping_) return std::nullopt;
        const line found = take(end_);
        begin_ = searched_ = end_;
        return found;
    }

private:
    line take(std::size_t end) {
        const bool too_long = std::exchange(skipping_, false) || end - begin_ > limit_;
        if (too_long) return {{}, true};
        return {std::string_view(buffer_).substr(begin_, end - begin_), false};
    }

    std::optional<std::string> delimiter_;
    std::size_t limit_;
    std::string buffer_{};
    std::size_t begin_ = 0, searched_ = 0, end_ = 0;
    bool skipping_ = false;
};

} // namespace tool
