# Pinned releases for those who have a network and no packages. FETCHCONTENT_SOURCE_DIR_ASIO and the like name a local
# copy instead. OpenSSL stays the system's: its security updates are the system's work.
include_guard(GLOBAL)
include(FetchContent)

FetchContent_Declare(asio GIT_REPOSITORY https://github.com/chriskohlhoff/asio.git
    GIT_TAG asio-1-30-2 GIT_SHALLOW ON)
FetchContent_Declare(simdjson GIT_REPOSITORY https://github.com/simdjson/simdjson.git
    GIT_TAG v3.10.1 GIT_SHALLOW ON)
FetchContent_Declare(lz4 GIT_REPOSITORY https://github.com/lz4/lz4.git
    GIT_TAG v1.10.0 GIT_SHALLOW ON)
FetchContent_Declare(zlib GIT_REPOSITORY https://github.com/madler/zlib.git
    GIT_TAG v1.3.1 GIT_SHALLOW ON)
FetchContent_Declare(zstd GIT_REPOSITORY https://github.com/facebook/zstd.git
    GIT_TAG v1.5.6 GIT_SHALLOW ON)
FetchContent_Declare(snappy GIT_REPOSITORY https://github.com/google/snappy.git
    GIT_TAG 1.2.2 GIT_SHALLOW ON)
FetchContent_Declare(doctest GIT_REPOSITORY https://github.com/doctest/doctest.git
    GIT_TAG v2.4.11 GIT_SHALLOW ON)

# A library that is its headers: target <target> over the folder of <header> under the source.
function(sluice_fetch_headers name target header)
    FetchContent_GetProperties(${name})
    if(NOT ${name}_POPULATED)
        FetchContent_Populate(${name})
    endif()
    find_path(sluice_${name}_headers ${header} NO_CACHE REQUIRED NO_DEFAULT_PATH
        PATHS "${${name}_SOURCE_DIR}" PATH_SUFFIXES asio/include include .)
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} INTERFACE "${sluice_${name}_headers}")
endfunction()

# A library that is built by its own CMake file, quietly and never installed with ours: target <target> over <library>.
function(sluice_fetch_library name target library folder)
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW) # the options below are plain variables
    set(BUILD_SHARED_LIBS OFF)
    set(BUILD_TESTING OFF)
    set(CMAKE_COMPILE_WARNING_AS_ERROR OFF)
    foreach(off IN LISTS ARGN)
        set(${off} OFF)
    endforeach()
    FetchContent_GetProperties(${name})
    if(NOT ${name}_POPULATED)
        FetchContent_Populate(${name})
        add_subdirectory("${${name}_SOURCE_DIR}/${folder}" "${${name}_BINARY_DIR}" EXCLUDE_FROM_ALL)
    endif()
    if(NOT TARGET ${target})
        add_library(${target} INTERFACE IMPORTED GLOBAL)
        target_link_libraries(${target} INTERFACE ${library})
        target_include_directories(${target} INTERFACE "${${name}_SOURCE_DIR}" "${${name}_BINARY_DIR}")
    endif()
endfunction()

function(sluice_fetch package)
    if(package STREQUAL "asio")
        sluice_fetch_headers(asio asio::asio asio.hpp)
    elseif(package STREQUAL "doctest")
        sluice_fetch_headers(doctest doctest::doctest doctest/doctest.h)
    elseif(package STREQUAL "simdjson")
        sluice_fetch_library(simdjson simdjson::simdjson simdjson "." SIMDJSON_DEVELOPER_MODE)
    elseif(package STREQUAL "lz4")
        sluice_fetch_library(lz4 LZ4::lz4 lz4_static build/cmake LZ4_BUILD_CLI LZ4_BUILD_LEGACY_LZ4C)
    elseif(package STREQUAL "ZLIB")
        sluice_fetch_library(zlib ZLIB::ZLIB zlibstatic "." ZLIB_BUILD_EXAMPLES)
    elseif(package STREQUAL "zstd")
        sluice_fetch_library(zstd zstd::libzstd libzstd_static build/cmake ZSTD_BUILD_PROGRAMS ZSTD_BUILD_SHARED
            ZSTD_BUILD_TESTS ZSTD_LEGACY_SUPPORT)
    elseif(package STREQUAL "Snappy")
        sluice_fetch_library(snappy Snappy::snappy snappy "." SNAPPY_BUILD_TESTS SNAPPY_BUILD_BENCHMARKS)
    endif()
endfunction()
