// SPDX-License-Identifier: BSL-1.0
// Everything but the test gateway (sluice/testing/gateway.hpp). A codec is here where its CMake target is linked.
#pragma once

#include <sluice/client.hpp>
#include <sluice/codec.hpp>
#include <sluice/codec/any.hpp>
#include <sluice/codec/none.hpp>
#include <sluice/config.hpp>
#include <sluice/credentials.hpp>
#include <sluice/error.hpp>
#include <sluice/message.hpp>
#include <sluice/observer.hpp>
#include <sluice/producer.hpp>
#include <sluice/stats.hpp>
#include <sluice/version.hpp>

#ifdef SLUICE_WITH_LZ4
#include <sluice/codec/lz4.hpp>
#endif
#ifdef SLUICE_WITH_ZLIB
#include <sluice/codec/zlib.hpp>
#include <sluice/deflate.hpp>
#endif
#ifdef SLUICE_WITH_ZSTD
#include <sluice/codec/zstd.hpp>
#endif
#ifdef SLUICE_WITH_SNAPPY
#include <sluice/codec/snappy.hpp>
#endif
