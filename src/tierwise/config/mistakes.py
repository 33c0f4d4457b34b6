"""Collects what is wrong with a configuration, so that all of it is shown at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tierwise.config.origin import Origin
from tierwise.errors import ConfigError


class ConfigErrors(ConfigError):
    """Several mistakes in one configuration, a line for each; its fields are those of the first."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(
            first.message,
            field=first.field,
            remedy=first.remedy,
            file=first.file,
            line=first.line,
        )

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class Mistakes:
    """The mistakes found so far in a configuration of this origin."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._found: list[ConfigError] = []

    @property
    def file(self) -> str | None:
        """The configuration's file."""
        return self._origin.file

    def add(self, error: ConfigError, at: str | None = None) -> None:
        """Takes note of one; `at` is its field, where that is known better than by the error."""
        self._found.append(self._origin.place(error, at))

    @contextmanager
    def noted(self, at: str | None = None) -> Iterator[None]:
        """Takes note of what is raised within, and goes on after it."""
        try:
            yield
        except ConfigError as error:
            self.add(error, at)

    def raise_any(self) -> None:
        """Raises what was found, in the order of the file.

        Raises:
            ConfigError: there was something.
        """
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            raise ConfigErrors(sorted(self._found, key=lambda error: error.line or 0))


def each(error: ConfigError) -> tuple[ConfigError, ...]:
    """The single mistakes that an error stands for."""
    return error.errors if isinstance(error, ConfigErrors) else (error,)
