"""The C library for Conan 2, built by cargo from the repository that this recipe is in: conan create bindings-c/packaging/conan"""

import os
import re
import shutil
from pathlib import Path

from conan import ConanFile
from conan.errors import ConanException, ConanInvalidConfiguration
from conan.tools.build import cross_building
from conan.tools.files import copy, load


class Junfeiai(ConanFile):
    name = "junfeiai"
    description = "The JunFeiAI video API for C and C++: creates, waits for and downloads videos safely"
    license = "Apache-2.0 OR MIT"
    homepage = "https://junfeiai.com"
    topics = ("junfeiai", "video", "api")
    package_type = "shared-library"
    # A library of C: neither the compiler nor its options make a difference.
    settings = "os", "arch"
    options = {"cargo_profile": ["ANY"], "rust_target": [None, "ANY"]}
    default_options = {"cargo_profile": "release-c", "rust_target": None}

    def set_version(self) -> None:
        manifest = load(self, Path(self.recipe_folder).parents[2] / "Cargo.toml")
        self.version = re.search(r'^version = "(.+)"$', manifest, re.M)[1]

    def export_sources(self) -> None:
        root, place = Path(self.recipe_folder).parents[2], Path(self.export_sources_folder)
        hidden = ("*/node_modules/*", "*/target/*", "*/__pycache__/*")
        for pattern in ("Cargo.toml", "Cargo.lock", "README.md", "LICENSE-*"):
            copy(self, pattern, root, place)
        for folder in ("core", "bindings-c"):
            copy(self, "*", root / folder, place / folder, excludes=hidden)
        # Members of the workspace that are not built: cargo wants to see their manifests and sources.
        for folder in ("bindings-python", "bindings-wasm", "tests"):
            for pattern in ("*.toml", "*.rs"):
                copy(self, pattern, root / folder, place / folder, excludes=hidden)

    def validate(self) -> None:
        if self.settings.os not in ("Linux", "Macos", "Windows"):
            raise ConanInvalidConfiguration(f"the library can be built for Linux, macOS and Windows, not for {self.settings.os}")
        if cross_building(self) and not self.options.rust_target:
            raise ConanInvalidConfiguration("set the option rust_target to Rust's name of the target, such as aarch64-unknown-linux-gnu")

    def package(self) -> None:
        if not shutil.which("cargo"):
            raise ConanException("the library is built by cargo, which was not found in PATH: install Rust 1.89 or newer")
        command = "cargo run --quiet --locked -p xtask --no-default-features -- install-c"
        command += f' --profile {self.options.cargo_profile} --prefix "{self.package_folder}"'
        if self.options.rust_target:
            command += f" --target {self.options.rust_target}"
        self.run(command, cwd=self.source_folder)

    def package_info(self) -> None:
        # The package's own CMake files: junfeiai::junfeiai and junfeiai::static, as everywhere.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "junfeiai")]
        self.cpp_info.set_property("pkg_config_name", "junfeiai")
        self.cpp_info.libs = ["junfeiai"]
