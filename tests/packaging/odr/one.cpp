// SPDX-License-Identifier: BSL-1.0
// With two.cpp: a function that is not inline in any header is a duplicate symbol here.
#include "every_header.hpp"

const std::error_category& category_of_two();

int main() { return &sluice::error_category() == &category_of_two() ? 0 : 1; }
