// SPDX-License-Identifier: BSL-1.0
// Owners of zlib's streams. A z_stream stays where it is: zlib's state points back to it.
#pragma once

#include <zlib.h>

#include <memory>

namespace sluice {
inline namespace v1 {
namespace web {

struct end_deflate {
    void operator()(z_stream* s) const noexcept {
        ::deflateEnd(s);
        delete s;
    }
};
struct end_inflate {
    void operator()(z_stream* s) const noexcept {
        ::inflateEnd(s);
        delete s;
    }
};
using deflater = std::unique_ptr<z_stream, end_deflate>;
using inflater = std::unique_ptr<z_stream, end_inflate>;

} // namespace web
} // namespace v1
} // namespace sluice
