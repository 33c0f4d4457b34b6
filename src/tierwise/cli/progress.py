"""A progress bar on stderr, so that stdout is the result alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """Gives a function that says what is done and how much of the whole is (0 to 1)."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=1.0)

        def say(what: str, done: float) -> None:
            bar.update(task, description=what, completed=done)

        yield say


@contextmanager
def progress_by_steps(steps: int) -> Iterator[Callable[[str], None]]:
    """Gives a function that says, before each of so many steps, what it is."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=steps)

        def say(what: str) -> None:
            bar.update(task, description=what)
            bar.advance(task)

        yield say
