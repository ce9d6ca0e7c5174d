# An overlay port: it builds the repository that it is in, with cargo.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)
# The static library is there as well, as junfeiai::static; one build serves both configurations.
vcpkg_check_linkage(ONLY_DYNAMIC_LIBRARY)
set(VCPKG_BUILD_TYPE release)
set(VCPKG_POLICY_MISMATCHED_NUMBER_OF_BINARIES enabled)

find_program(CARGO cargo HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin" "$ENV{USERPROFILE}/.cargo/bin")
if(NOT CARGO)
  message(FATAL_ERROR "junfeiai is built by cargo, which was not found: install Rust 1.89 or newer")
endif()
set(arguments --prefix "${CURRENT_PACKAGES_DIR}")
# A triplet may say what cargo builds for, and with which profile.
if(JUNFEIAI_RUST_TARGET)
  list(APPEND arguments --target "${JUNFEIAI_RUST_TARGET}")
elseif(VCPKG_CROSSCOMPILING)
  message(FATAL_ERROR "Set JUNFEIAI_RUST_TARGET in the triplet to Rust's name of the target, such as aarch64-unknown-linux-gnu")
endif()
if(JUNFEIAI_CARGO_PROFILE)
  list(APPEND arguments --profile "${JUNFEIAI_CARGO_PROFILE}")
endif()
vcpkg_execute_required_process(
  COMMAND "${CARGO}" run --quiet --locked -p xtask --no-default-features -- install-c ${arguments}
  WORKING_DIRECTORY "${SOURCE_PATH}"
  LOGNAME "cargo-${TARGET_TRIPLET}")

# vcpkg looks for CMake packages in share; they find the rest from there.
file(GLOB files "${CURRENT_PACKAGES_DIR}/lib/cmake/junfeiai/*.cmake")
foreach(file IN LISTS files)
  file(COPY "${file}" DESTINATION "${CURRENT_PACKAGES_DIR}/share/junfeiai")
endforeach()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/lib/cmake")
vcpkg_replace_string("${CURRENT_PACKAGES_DIR}/share/junfeiai/junfeiaiConfig.cmake"
  "\${CMAKE_CURRENT_LIST_DIR}/../../.." "\${CMAKE_CURRENT_LIST_DIR}/../..")
vcpkg_fixup_pkgconfig()

file(GLOB licences "${CURRENT_PACKAGES_DIR}/share/licenses/junfeiai/*")
vcpkg_install_copyright(FILE_LIST ${licences})
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/licenses")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/junfeiai")
