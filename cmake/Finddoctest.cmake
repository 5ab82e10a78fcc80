# doctest, for the tests alone: doctest::doctest.
include("${CMAKE_CURRENT_LIST_DIR}/SluiceFind.cmake")
include(FindPackageHandleStandardArgs)

sluice_find(doctest TARGET doctest::doctest HEADER doctest/doctest.h)
find_package_handle_standard_args(doctest REQUIRED_VARS doctest_FOUND_BY VERSION_VAR doctest_VERSION
    REASON_FAILURE_MESSAGE "doctest/doctest.h is in doctest-dev on Debian and Ubuntu")
