# simdjson: simdjson::simdjson.
include("${CMAKE_CURRENT_LIST_DIR}/SluiceFind.cmake")
include(FindPackageHandleStandardArgs)

sluice_find(simdjson TARGET simdjson::simdjson HEADER simdjson.h LIBRARY simdjson PKG_CONFIG simdjson)
find_package_handle_standard_args(simdjson REQUIRED_VARS simdjson_FOUND_BY VERSION_VAR simdjson_VERSION
    REASON_FAILURE_MESSAGE "simdjson.h is in libsimdjson-dev on Debian and Ubuntu")
