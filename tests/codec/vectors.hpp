// SPDX-License-Identifier: BSL-1.0
// Compressed data that this library did not make: derived by hand from the formats' documents, or written by other
// implementations. Each line says where it comes from.
#pragma once

#include <sluice/codec.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vectors {

using sluice::compression_type;
using namespace std::string_view_literals;

/// Two digits a byte; blanks between them are skipped.
inline std::vector<std::byte> from_hex(std::string_view digits) {
    std::vector<std::byte> bytes;
    int high = -1;
    for (const char c : digits) {
        if (c == ' ') continue;
        const int value = c <= '9' ? c - '0' : c - 'a' + 10;
        if (high >= 0) bytes.push_back(static_cast<std::byte>(high << 4 | value));
        high = high >= 0 ? -1 : value;
    }
    return bytes;
}

struct vector {
    compression_type type;
    std::string_view origin;
    std::string_view hex;
    std::string plain;
};

/// What the implementations were given: repeats, a run, and literals.
inline const std::string sample = "{\"sensor\":\"kitchen\",\"celsius\":21.5}\n"
                                  "{\"sensor\":\"kitchen\",\"celsius\":21.6}\n"
                                  "{\"sensor\":\"cellar\",\"celsius\":12.0}\n" +
                                  std::string(80, '-') + "\n";

/// ZSTD with a content checksum: damage cannot pass unnoticed.
inline constexpr std::string_view zstd_checked =
    "28b52ffd24bc05020032030c11a03d850dbc394a86fefbfeef9b470d3c211a740e51c84beecd47a711a4a0fdb8de9b176c6bc570b145fbdcb7"
    "fe95010400fca2c628aec0717946f5047613b0ef";

/// ZLIB that ends in a sync flush.
inline constexpr std::string_view zlib_flushed =
    "789caa562a4ecd2bce2f52b252cace2c49ce48cd53d2514a4ecd29ce2c2d56b23232d433ade5aa26a4c60c450d502627b1085989a1919e412d"
    "972e950117000000ffff";

inline const std::vector<vector> valid{
    // lz4_Block_format.md: token (literals, match - 4), literals, little-endian offset.
    {compression_type::lz4, "by hand: no literals, no match", "00", ""},
    {compression_type::lz4, "by hand: five literals", "50 68656c6c6f", "hello"},
    {compression_type::lz4, "by hand: twenty literals, 15 + 5", "f005 30313233343536373839 30313233343536373839",
     "01234567890123456789"},
    {compression_type::lz4, "by hand: a literal, a match of 15 + 1 + 4 at offset 1, the last five literals",
     "1f 61 0100 01 50 6262626262", std::string(21, 'a') + "bbbbb"},
    {compression_type::lz4, "by hand: the shortest end, a match twelve bytes before it", "13 61 0100 50 6262626262",
     "aaaaaaaabbbbb"},
    {compression_type::lz4, "aircompressor 0.27 (Java) as Pulsar 4.0.7 calls it",
     "ff157b2273656e736f72223a226b69746368656e222c2263656c73697573223a32312e357d0a24000e193624006863656c6c617247007f313"
     "2"
     "2e307d0a2d010038502d2d2d2d0a",
     sample},
    {compression_type::lz4, "lz4js 0.2.0 (JavaScript)",
     "ff157b2273656e736f72223a226b69746368656e222c2263656c73697573223a32312e357d0a24000e193624006863656c6c617247007f313"
     "2"
     "2e307d0a2d010038502d2d2d2d0a",
     sample},
    {compression_type::lz4, "python-lz4 4.4.5, high compression 12",
     "ff157b2273656e736f72223a226b69746368656e222c2263656c73697573223a32312e357d0a24000e18362400001a00386c617223007f313"
     "2"
     "2e307d0a2d010038502d2d2d2d0a",
     sample},

    // RFC 1950: CMF, FLG, deflate (RFC 1951), Adler-32 big endian.
    {compression_type::zlib, "by hand: one stored block", "7801 01 0500 faff 68656c6c6f 062c0215", "hello"},
    {compression_type::zlib, "by hand: two stored blocks", "7801 00 0200 fdff 6865 01 0300 fcff 6c6c6f 062c0215",
     "hello"},
    {compression_type::zlib, "by hand: one empty block of fixed codes", "789c 0300 00000001", ""},
    {compression_type::zlib, "by hand: an empty sync flush, unfinished", "789c 00 0000 ffff", ""},
    {compression_type::zlib, "Python 3.11 zlib, level 9, a window of 512 bytes",
     "18d3ab562a4ecd2bce2f52b252cace2c49ce48cd53d2514a4ecd29ce2c2d56b23232d433ade5aa26a4c60c450d502627b1085989a1919e412"
     "d"
     "972e95011700b2f630a8",
     sample},
    {compression_type::zlib, "pako 3.0.3 (JavaScript)",
     "789cab562a4ecd2bce2f52b252cace2c49ce48cd53d2514a4ecd29ce2c2d56b23232d433ade5aa26a4c60c454d726a4e4e6211b21243233d8"
     "3"
     "5a2e5d2a032e00b2f630a8",
     sample},
    {compression_type::zlib, "java.util.zip as Pulsar 4.0.7 calls it: unfinished", zlib_flushed, sample},

    // RFC 8878: magic, frame header, blocks (last, type, size in 24 bits little endian), checksum.
    {compression_type::zstd, "by hand: a raw block, content size in one byte", "28b52ffd 20 05 290000 68656c6c6f",
     "hello"},
    {compression_type::zstd, "by hand: an empty raw block", "28b52ffd 20 00 010000", ""},
    {compression_type::zstd, "by hand: a run of 300 in a window of 1 KiB, no content size", "28b52ffd 00 00 630900 7a",
     std::string(300, 'z')},
    {compression_type::zstd, "by hand: a raw block, then a run", "28b52ffd 20 07 200000 61626364 1b0000 65", "abcdeee"},
    {compression_type::zstd, "aircompressor 0.27 (Java) as Pulsar 4.0.7 calls it",
     "28b52ffd24bc15020034037b2273656e736f72223a226b69746368656e222c2263656c73697573223a32312e357d0a3663656c6c617231322"
     "e"
     "307d0a2d0a04008ca346095c81e3f28cea097613b0ef",
     sample},
    {compression_type::zstd, "zstd 1.5.4 (command line), -19 --check", zstd_checked, sample},
    {compression_type::zstd, "python-zstandard 0.25.0, streamed: no content size",
     "28b52ffd005815020034037b2273656e736f72223a226b69746368656e222c2263656c73697573223a32312e357d0a3663656c6c617231322"
     "e"
     "307d0a2d0a04008ca346095c81e3f28cea09",
     sample},

    // format_description.txt: size as a varint, then tags (type in the low two bits).
    {compression_type::snappy, "by hand: no bytes", "00", ""},
    {compression_type::snappy, "by hand: a literal", "05 10 68656c6c6f", "hello"},
    {compression_type::snappy, "the document's example of a copy, with a 1-byte offset", "07 08 786162 01 02",
     "xababab"},
    {compression_type::snappy, "the same copy with a 2-byte offset", "07 08 786162 0e 0200", "xababab"},
    {compression_type::snappy, "the same copy with a 4-byte offset", "07 08 786162 0f 02000000", "xababab"},
    {compression_type::snappy, "by hand: a literal whose length stands in one byte more",
     "14 f0 13 30313233343536373839 30313233343536373839", "01234567890123456789"},
    {compression_type::snappy, "aircompressor 0.27 (Java) as Pulsar 4.0.7 calls it",
     "bc01907b2273656e736f72223a226b69746368656e222c2263656c73697573223a32312e357d0a7b7e240004367d2e24001463656c6c61722"
     "e"
     "47001831322e307d0a2dfe01003a0100000a",
     sample},
    {compression_type::snappy, "snappyjs 0.7.0 (JavaScript), cramjam 2.14.0 (Rust)",
     "bc01907b2273656e736f72223a226b69746368656e222c2263656c73697573223a32312e357d0a7b7e240004367d2e24001463656c6c61722"
     "e"
     "47001831322e307d0a2dfe01003a0100000a",
     sample},
};

/// What must be refused as corrupt.
inline const std::vector<vector> invalid{
    {compression_type::lz4, "nothing at all", "", ""},
    {compression_type::lz4, "offset 0", "14 61 0000 50 6262626262", ""},
    {compression_type::lz4, "an offset before the beginning", "14 61 0200 50 6262626262", ""},
    {compression_type::lz4, "half an offset", "14 61 01", ""},
    {compression_type::lz4, "four literals behind the last match", "1f 61 0100 00 40 62626262", ""},
    {compression_type::lz4, "the last match begins eleven bytes before the end", "12 61 0100 50 6262626262", ""},
    {compression_type::lz4, "a match length without a match", "03", ""},
    {compression_type::lz4, "a match at the end", "14 61 0100", ""},
    {compression_type::lz4, "more literals than bytes", "60 68656c6c6f", ""},
    {compression_type::lz4, "a length that does not end", "f0 ffff", ""},

    {compression_type::zlib, "nothing at all", "", ""},
    {compression_type::zlib, "the header alone", "789c", ""},
    {compression_type::zlib, "FCHECK wrong", "7802 01 0500 faff 68656c6c6f 062c0215", ""},
    {compression_type::zlib, "method 9", "7903 01 0500 faff 68656c6c6f 062c0215", ""},
    {compression_type::zlib, "block type 3", "7801 07 0500 faff 68656c6c6f 062c0215", ""},
    {compression_type::zlib, "LEN and NLEN disagree", "7801 01 0500 fbff 68656c6c6f 062c0215", ""},
    {compression_type::zlib, "Adler-32 wrong", "7801 01 0500 faff 68656c6c6f 062c0216", ""},
    {compression_type::zlib, "raw deflate without the header", "01 0500 faff 68656c6c6f", ""},
    {compression_type::zlib, "gzip", "1f8b080000000000000301 0500 faff 68656c6c6f 86a61036 05000000", ""},
    {compression_type::zlib, "a preset dictionary (Python 3.11 zlib)", "78bb0baa02e7cb8650000baa02e7", ""},
    {compression_type::zlib, "the end of a sync flush without its block", "789c 0000ffff", ""},
    {compression_type::zlib, "more after a sync flush", "789c 00 0000 ffff 00", ""},

    {compression_type::zstd, "nothing at all", "", ""},
    {compression_type::zstd, "the magic number alone", "28b52ffd", ""},
    {compression_type::zstd, "the magic number of zstd 0.7", "27b52ffd 20 05 290000 68656c6c6f", ""},
    {compression_type::zstd, "a skippable frame", "502a4d18 00000000", ""},
    {compression_type::zstd, "a skippable frame behind", "28b52ffd 20 05 290000 68656c6c6f 502a4d18 00000000", ""},
    {compression_type::zstd, "two frames", "28b52ffd 20 05 290000 68656c6c6f 28b52ffd 20 05 290000 68656c6c6f", ""},
    {compression_type::zstd, "block type 3", "28b52ffd 20 05 2f0000 68656c6c6f", ""},
    {compression_type::zstd, "the reserved bit of the frame header", "28b52ffd 28 05 290000 68656c6c6f", ""},
    {compression_type::zstd, "content size 6, content 5", "28b52ffd 20 06 290000 68656c6c6f", ""},
    {compression_type::zstd, "dictionary 1", "28b52ffd 21 01 05 290000 68656c6c6f", ""},
    {compression_type::zstd, "a checksum that is wrong", "28b52ffd 24 05 290000 68656c6c6f 00000000", ""},

    {compression_type::snappy, "nothing at all", "", ""},
    {compression_type::snappy, "a size of six bytes", "808080808001 00", ""},
    {compression_type::snappy, "a size that does not end", "8080", ""},
    {compression_type::snappy, "offset 0", "07 08 786162 01 00", ""},
    {compression_type::snappy, "an offset before the beginning", "07 08 786162 01 04", ""},
    {compression_type::snappy, "more bytes than the size says", "04 10 68656c6c6f", ""},
    {compression_type::snappy, "fewer bytes than the size says", "06 10 68656c6c6f", ""},
    {compression_type::snappy, "a literal longer than the rest", "05 10 68656c6c", ""},
};

/// Small and well-formed as far as they go, and far more than 64 KiB.
inline const std::vector<vector> bombs{
    {compression_type::snappy, "4 GiB claimed", "ffffffff0f 10 68656c6c6f", ""},
    {compression_type::zstd, "2^62 bytes claimed, and a run of 128 KiB", "28b52ffd e0 0000000000000040 030010 7a", ""},
    {compression_type::zstd, "ten runs of 128 KiB, no content size",
     "28b52ffd 00 38 020010 7a 020010 7a 020010 7a 020010 7a 020010 7a 020010 7a 020010 7a 020010 7a 020010 7a "
     "030010 7a",
     ""},
};

} // namespace vectors
