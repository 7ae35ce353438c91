"""The one thing that pyproject.toml cannot say: the engine is a Rust extension, and optional.

Where no Rust toolchain can build it, the package installs all the same and runs on the reference
evaluator, which `bloomish --version` and every run then say.
"""

from setuptools import setup
from setuptools_rust import Binding, RustExtension

setup(
    rust_extensions=[
        RustExtension(
            "bloomish._engine",
            path="runtime/engine/Cargo.toml",
            binding=Binding.PyO3,
            features=["extension-module"],
            py_limited_api=True,
            optional=True,
            debug=False,
        )
    ],
    # Without this the abi3 wheel is tagged for one Python only.
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
