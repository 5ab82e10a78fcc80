// SPDX-License-Identifier: BSL-1.0
// Memory that operations and strands use again.
#include <sluice/io/asio_compat.hpp>

#include <doctest/doctest.h>

#include <asio/post.hpp>

#include <memory>
#include <vector>

namespace {

using sluice::io::memory_allocator;
using sluice::io::operation_memory;
using sluice::io::strand_memory;

TEST_CASE("operation memory: the next operation gets the last one's block, if it is large enough") {
    operation_memory memory;
    void* const first = memory.allocate(100);
    memory.deallocate(first, 100);
    CHECK(memory.allocate(40) == first);
    memory.deallocate(first, 40);
    void* const larger = memory.allocate(200);
    memory.deallocate(larger, 200);
    CHECK(memory.allocate(200) == larger);
    memory.deallocate(larger, 200);
}

TEST_CASE("operation memory: while one operation has the block, another gets its own") {
    operation_memory memory;
    void* const first = memory.allocate(100);
    void* const second = memory.allocate(100);
    CHECK(second != first);
    memory.deallocate(second, 100);
    memory.deallocate(first, 100);
    CHECK(memory.allocate(100) == first);
    memory.deallocate(first, 100);
}

TEST_CASE("strand memory: blocks of up to 256 bytes are used again, larger ones are the system's") {
    strand_memory memory;
    void* const small = memory.allocate(256);
    void* const large = memory.allocate(257);
    memory.deallocate(small, 256);
    memory.deallocate(large, 257);
    CHECK(memory.allocate(1) == small);
    memory.deallocate(small, 1);
}

TEST_CASE("memory allocator: what one gives another may take, whatever it is for") {
    operation_memory memory, other;
    const memory_allocator<int, operation_memory*> a(&memory), same(&memory), different(&other);
    const memory_allocator<double, operation_memory*> rebound(a);
    CHECK(a == same);
    CHECK(a == rebound);
    CHECK(rebound == a);
    CHECK(a != different);
    std::vector<int, memory_allocator<int, operation_memory*>> numbers(a);
    for (int i = 0; i < 100; ++i) numbers.push_back(i);
    CHECK(numbers.back() == 99);

    const auto blocks = std::make_shared<strand_memory>();
    const memory_allocator<void, std::shared_ptr<strand_memory>> owning(blocks);
    CHECK(blocks.use_count() == 2);
    CHECK(owning == memory_allocator<char, std::shared_ptr<strand_memory>>(owning));
}

TEST_CASE("a strand over a type-erased executor queues in memory of its own, which outlives it") {
    int ran = 0;
    {
        asio::io_context context;
        {
            const sluice::io::strand_of<asio::any_io_executor> strand(
                sluice::io::erased_executor(asio::any_io_executor(context.get_executor())));
            for (int i = 0; i < 100; ++i) asio::post(strand, [&ran] { ++ran; });
        }
        context.run_one(); // the others are destroyed with the context, uncalled
    }
    CHECK(ran > 0);
}

} // namespace
