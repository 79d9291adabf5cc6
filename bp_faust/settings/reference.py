"""Make the reference of the settings."""

from __future__ import annotations

from bp_faust.settings.fields import FAUST_SETTINGS, Settings


def settings_table() -> str:
    """Return all settings as a Markdown table: name in the environment, default, meaning."""
    rows = [(f"BP_FAUST_{name}", default, meaning) for name, (default, meaning) in FAUST_SETTINGS.items()]
    rows += [
        (f"BP_FAUST_{name.upper()}", field.default, field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, default, meaning in sorted(rows, key=lambda row: row[0]):
        lines.append(f"| `{name}` | {_shown(default)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`{','.join(f'{part:g}' for part in default)}`" if default else ""
    return f"`{default}`"
