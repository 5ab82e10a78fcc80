// SPDX-License-Identifier: BSL-1.0
// What stands before every block of a page when it is compiled.
#pragma once

#include <sluice.hpp>
#include <sluice/testing/gateway.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
