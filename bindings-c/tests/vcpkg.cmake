# Runs the port as vcpkg does, with stand-ins for the functions of vcpkg that it calls: cmake -DPREFIX=… -DPROFILE=… -P vcpkg.cmake
cmake_minimum_required(VERSION 3.18)

function(vcpkg_check_linkage)
endfunction()

function(vcpkg_execute_required_process)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "WORKING_DIRECTORY;LOGNAME" "COMMAND")
  execute_process(COMMAND ${arg_COMMAND} WORKING_DIRECTORY "${arg_WORKING_DIRECTORY}" RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${arg_COMMAND} ended with ${code}")
  endif()
endfunction()

function(vcpkg_replace_string file old new)
  file(READ "${file}" text)
  string(FIND "${text}" "${old}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "${file} has no ${old}")
  endif()
  string(REPLACE "${old}" "${new}" text "${text}")
  file(WRITE "${file}" "${text}")
endfunction()

function(vcpkg_fixup_pkgconfig)
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  foreach(file IN LISTS arg_FILE_LIST)
    file(READ "${file}" text)
    file(APPEND "${CURRENT_PACKAGES_DIR}/share/junfeiai/copyright" "${text}")
  endforeach()
endfunction()

set(TARGET_TRIPLET test)
set(CURRENT_PACKAGES_DIR "${PREFIX}")
set(JUNFEIAI_CARGO_PROFILE "${PROFILE}")
get_filename_component(port "${CMAKE_CURRENT_LIST_DIR}/../packaging/vcpkg/junfeiai" ABSOLUTE)
# The port takes the folder that it is in from there.
set(CMAKE_CURRENT_LIST_DIR "${port}")
include("${port}/portfile.cmake")
