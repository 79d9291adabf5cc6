"""Find policies: those that ship with bp_faust, and those of a site's own files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from bp_faust.clinical.policy import Policy, PolicyError, read_policy


def _shipped() -> dict[str, Policy]:
    files = sorted((file for file in resources.files(__name__).iterdir()), key=lambda file: file.name)
    found = [read_policy(file.read_text("utf-8"), file.name) for file in files if file.name.endswith(".yaml")]
    return {policy.id: policy for policy in found}


#: The policies in this folder, by id.
POLICIES = _shipped()


def find_policy(name: str) -> Policy:
    """Return a policy by its id, or by the path of its file; raise PolicyError where that is none."""
    if name in POLICIES:
        return POLICIES[name]
    if not name.endswith((".yaml", ".yml")):
        raise PolicyError(
            f"There is no policy {name!r}: name one of {', '.join(POLICIES)}, or the path of a file that ends in .yaml."
        )
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, ValueError) as exc:
        raise PolicyError(f"The policy file {name} cannot be read: {exc}.") from exc
    return read_policy(text, name)
