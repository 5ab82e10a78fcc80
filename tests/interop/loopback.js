// SPDX-License-Identifier: BSL-1.0
// node --require: every host name is this machine. jsc8 puts `api-` before a region's host, and `api-localhost` has no
// address.
"use strict";
const dns = require("dns");
dns.lookup = (host, options, callback) => {
    if (typeof options === "function") [options, callback] = [{}, options];
    const address = { address: "127.0.0.1", family: 4 };
    process.nextTick(() => (options.all ? callback(null, [address]) : callback(null, address.address, address.family)));
};
