"""Where each value of a configuration was written, so that a mistake can be shown there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tierwise.errors import ConfigError


@dataclass(frozen=True)
class Origin:
    """The file that a configuration came from, if any, and what came from the environment.

    `lines` has the line of each field that stands in the file, `variables` the name of the
    variable that set a field, both by dotted path. `unset` are the complaints about keys whose
    variables are not set, of a configuration that was read without need of them.
    """

    file: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[ConfigError, ...] = ()

    def place(self, error: ConfigError, at: str | None = None) -> ConfigError:
        """The same error with file and line, or with the variable that is to blame.

        Args:
            at: the field at fault, where it is known better than the error knows it.
        """
        if error.file is not None:
            return error
        fault = at or error.field
        variable, line = self._nearest(fault or "")
        message = error.message
        if variable is not None:
            message += f", from the environment variable {variable}"
        return ConfigError(
            message,
            field=fault,
            remedy=error.remedy,
            file=None if variable is not None else self.file,
            line=line,
        )

    def _nearest(self, fault: str) -> tuple[str | None, int | None]:
        """The variable or else the line that set a field, or what it stands in."""
        while fault:
            if fault in self.variables:
                return self.variables[fault], None
            if fault in self.lines:
                return None, self.lines[fault]
            fault = fault.rpartition(".")[0]
        return None, None
