# Zstandard: zstd::libzstd.
include("${CMAKE_CURRENT_LIST_DIR}/SluiceFind.cmake")
include(FindPackageHandleStandardArgs)

sluice_find(zstd TARGET zstd::libzstd ALSO zstd::libzstd_shared zstd::libzstd_static
    HEADER zstd.h LIBRARY zstd PKG_CONFIG libzstd)
find_package_handle_standard_args(zstd REQUIRED_VARS zstd_FOUND_BY VERSION_VAR zstd_VERSION
    REASON_FAILURE_MESSAGE "zstd.h is in libzstd-dev on Debian and Ubuntu")
