# How the Find modules of this folder look for a library: a target that is already there, then the package's own CMake
# file, then pkg-config, then the path. Debian 12 ships Asio with neither of the first two, lz4 without the first.
#
#   sluice_find(<package> TARGET <target to provide> [ALSO <what the package's own CMake file may call it>...]
#               HEADER <file> [LIBRARY <name>] [PKG_CONFIG <module>] [PATH_ONLY])
#
# Sets <package>_FOUND_BY. The caller hands it to find_package_handle_standard_args.
include_guard(GLOBAL)

function(sluice_find package)
    cmake_parse_arguments(PARSE_ARGV 1 arg "PATH_ONLY" "TARGET;HEADER;LIBRARY;PKG_CONFIG" "ALSO")
    set(found_by "")

    if(TARGET ${arg_TARGET})
        set(found_by "target")
    endif()

    if(NOT found_by AND NOT arg_PATH_ONLY)
        find_package(${package} CONFIG QUIET)
        set(${package}_VERSION "${${package}_VERSION}" PARENT_SCOPE)
        foreach(name IN LISTS arg_TARGET arg_ALSO)
            if(NOT found_by AND TARGET ${name})
                set(found_by "CMake package")
                if(NOT name STREQUAL arg_TARGET)
                    add_library(${arg_TARGET} INTERFACE IMPORTED)
                    target_link_libraries(${arg_TARGET} INTERFACE ${name})
                endif()
            endif()
        endforeach()
    endif()

    if(NOT found_by AND NOT arg_PATH_ONLY AND arg_PKG_CONFIG)
        find_package(PkgConfig QUIET)
        if(PkgConfig_FOUND)
            pkg_check_modules(sluice_pc_${package} QUIET IMPORTED_TARGET ${arg_PKG_CONFIG})
            if(sluice_pc_${package}_FOUND)
                set(found_by "pkg-config")
                set(${package}_VERSION "${sluice_pc_${package}_VERSION}" PARENT_SCOPE)
                add_library(${arg_TARGET} INTERFACE IMPORTED)
                target_link_libraries(${arg_TARGET} INTERFACE PkgConfig::sluice_pc_${package})
            endif()
        endif()
    endif()

    if(NOT found_by)
        find_path(${package}_INCLUDE_DIR ${arg_HEADER})
        mark_as_advanced(${package}_INCLUDE_DIR)
        if(arg_LIBRARY)
            find_library(${package}_LIBRARY ${arg_LIBRARY})
            mark_as_advanced(${package}_LIBRARY)
        endif()
        if(${package}_INCLUDE_DIR AND (NOT arg_LIBRARY OR ${package}_LIBRARY))
            set(found_by "path")
            add_library(${arg_TARGET} INTERFACE IMPORTED)
            target_include_directories(${arg_TARGET} INTERFACE "${${package}_INCLUDE_DIR}")
            if(arg_LIBRARY)
                target_link_libraries(${arg_TARGET} INTERFACE "${${package}_LIBRARY}")
            endif()
        endif()
    endif()

    set(${package}_FOUND_BY "${found_by}" PARENT_SCOPE)
endfunction()
