// SPDX-License-Identifier: BSL-1.0
// Stands first in the include path of the lower rooms' tests. Every header of Asio includes this one before anything
// else, so none of them can be used there.
#error "web/, pulsar/, core/ and codec/ do not include Asio"
