"""Read secret settings from files: ``BP_FAUST_WEB_TOKEN_FILE`` names one that holds ``BP_FAUST_WEB_TOKEN``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource


class SecretFileError(Exception):
    """Say that a secret cannot be read from its file; the text names the setting and the path, never the content."""


class SecretFiles(PydanticBaseSettingsSource):
    """Give every SecretStr setting that names a file, with ``_FILE`` behind its name in the environment."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        # As pydantic-settings does: names count in capitals as in small letters.
        self._environment = {name.upper(): value for name, value in os.environ.items()}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return what a setting's file holds, None where it has none; raise SecretFileError."""
        variable = f"{self.config['env_prefix']}{field_name}".upper()
        path = self._environment.get(f"{variable}_FILE")
        if not path or not is_secret(field):
            return None, field_name, False
        if self._environment.get(variable):
            raise SecretFileError(f"{variable} and {variable}_FILE are both set: leave one of them out.")
        try:
            value = Path(path).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
            raise SecretFileError(
                f"{variable}_FILE is {path}, which cannot be read ({reason}): let this user read it, or name another."
            ) from exc
        if not value:
            raise SecretFileError(f"{variable}_FILE is {path}, which is empty: write the secret into it.")
        return value, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the settings that files hold, by name; raise SecretFileError."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a setting's value must not be shown."""
    return SecretStr.__name__ in str(field.annotation)
