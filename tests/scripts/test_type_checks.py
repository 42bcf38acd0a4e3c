"""mypy looks at every package there is: one that is left out is left out silently."""

import tomllib

from rehearsal.checkout import CHECKOUT


def test_every_package_is_type_checked() -> None:
    """Those of the scripts by name, as each stands by itself."""
    configuration = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    packages = {path.parent.name for path in (CHECKOUT / "scripts").glob("*/__init__.py")}
    assert set(configuration["tool"]["mypy"]["packages"]) == packages | {"tlsmgr", "tests"}
