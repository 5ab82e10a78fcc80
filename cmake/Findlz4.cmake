# lz4: LZ4::lz4.
include("${CMAKE_CURRENT_LIST_DIR}/SluiceFind.cmake")
include(FindPackageHandleStandardArgs)

sluice_find(lz4 TARGET LZ4::lz4 ALSO lz4::lz4 LZ4::lz4_shared LZ4::lz4_static
    HEADER lz4.h LIBRARY lz4 PKG_CONFIG liblz4)
find_package_handle_standard_args(lz4 REQUIRED_VARS lz4_FOUND_BY VERSION_VAR lz4_VERSION
    REASON_FAILURE_MESSAGE "lz4.h is in liblz4-dev on Debian and Ubuntu")
