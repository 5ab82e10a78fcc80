# Asio without Boost: asio::asio. The header alone on Debian 12, a pkg-config file from Debian 13, a CMake package from
# vcpkg and Conan. SLUICE_ASIO_INCLUDE_DIR names a folder to take instead of all of them.
include("${CMAKE_CURRENT_LIST_DIR}/SluiceFind.cmake")
include(FindPackageHandleStandardArgs)

if(SLUICE_ASIO_INCLUDE_DIR)
    set(asio_INCLUDE_DIR "${SLUICE_ASIO_INCLUDE_DIR}" CACHE PATH "The folder of asio.hpp" FORCE)
    sluice_find(asio TARGET asio::asio HEADER asio.hpp PATH_ONLY)
else()
    sluice_find(asio TARGET asio::asio ALSO asio HEADER asio.hpp PKG_CONFIG asio)
endif()

if(asio_INCLUDE_DIR AND EXISTS "${asio_INCLUDE_DIR}/asio/version.hpp")
    # "#define ASIO_VERSION 102201 // 1.22.1"
    file(STRINGS "${asio_INCLUDE_DIR}/asio/version.hpp" asio_VERSION REGEX "define ASIO_VERSION")
    string(REGEX REPLACE ".*// *" "" asio_VERSION "${asio_VERSION}")
endif()

find_package_handle_standard_args(asio REQUIRED_VARS asio_FOUND_BY VERSION_VAR asio_VERSION
    REASON_FAILURE_MESSAGE "asio.hpp is in libasio-dev on Debian and Ubuntu")

if(asio_FOUND AND asio_FOUND_BY STREQUAL "path")
    target_compile_definitions(asio::asio INTERFACE ASIO_STANDALONE)
    if(asio_VERSION VERSION_LESS 1.24)
        # These versions take clang's coroutines for the experimental ones.
        target_compile_definitions(asio::asio INTERFACE
            $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_CO_AWAIT>
            $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_STD_COROUTINE>)
    endif()
endif()
