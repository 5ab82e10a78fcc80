# The codec targets. Each brings one library and tells sluice.hpp so: sluice::lz4 defines SLUICE_WITH_LZ4=1. The build
# and the installed package make them with the same function, for the libraries are the user's choice, not the
# installation's. Read again in each directory that looks for the package: variables do not leave a directory.

set(sluice_codecs lz4 zlib zstd snappy)
set(sluice_lz4_package lz4)
set(sluice_lz4_library LZ4::lz4)
set(sluice_zlib_package ZLIB)
set(sluice_zlib_library ZLIB::ZLIB)
set(sluice_zstd_package zstd)
set(sluice_zstd_library zstd::libzstd)
set(sluice_snappy_package Snappy)
set(sluice_snappy_library Snappy::snappy)

macro(sluice_add_codec name)
    if(NOT TARGET sluice::${name})
        string(TOUPPER ${name} _sluice_upper)
        add_library(sluice::${name} INTERFACE IMPORTED ${ARGN})
        set_target_properties(sluice::${name} PROPERTIES
            INTERFACE_COMPILE_DEFINITIONS SLUICE_WITH_${_sluice_upper}=1
            INTERFACE_LINK_LIBRARIES ${sluice_${name}_library})
    endif()
endmacro()
