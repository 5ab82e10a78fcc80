# Snappy: Snappy::snappy.
include("${CMAKE_CURRENT_LIST_DIR}/SluiceFind.cmake")
include(FindPackageHandleStandardArgs)

sluice_find(Snappy TARGET Snappy::snappy ALSO Snappy::snappy-static
    HEADER snappy.h LIBRARY snappy PKG_CONFIG snappy)
find_package_handle_standard_args(Snappy REQUIRED_VARS Snappy_FOUND_BY VERSION_VAR Snappy_VERSION
    REASON_FAILURE_MESSAGE "snappy.h is in libsnappy-dev on Debian and Ubuntu")
