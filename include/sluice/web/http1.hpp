// SPDX-License-Identifier: BSL-1.0
// HTTP/1.1, RFC 9112, for both sides: messages, how they are written, how they are read.
#pragma once

#include <sluice/web/http1_message.hpp>
#include <sluice/web/http1_parser.hpp>
