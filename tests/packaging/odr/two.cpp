// SPDX-License-Identifier: BSL-1.0
// With one.cpp: both translation units see the same objects.
#include "every_header.hpp"

const std::error_category& category_of_two();
const std::error_category& category_of_two() { return sluice::error_category(); }
