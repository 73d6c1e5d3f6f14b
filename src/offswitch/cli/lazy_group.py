"""A group of commands that are imported only when they are run, so that --help is instant."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

__all__ = ["lazy_group"]


def lazy_group(commands: Mapping[str, str], package: str, lister: str) -> type[click.Group]:
    """A class of groups whose command `name` is `command` in the module `package.name`.

    `commands` says of each what it does; a name that is unknown suggests the nearest of them and
    `lister`, which shows all.
    """

    class LazyGroup(click.Group):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return sorted(commands)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            if cmd_name not in commands:
                return None
            module = importlib.import_module(f"{package}.{cmd_name}")
            command: click.Command = module.command
            return command

        def resolve_command(
            self, ctx: click.Context, args: list[str]
        ) -> tuple[str | None, click.Command | None, list[str]]:
            if args and args[0] not in commands and not args[0].startswith("-"):
                from offswitch.errors import nearest_name

                message = nearest_name(args[0], commands, kind="command", lister=lister)
                raise click.UsageError(message, ctx)
            return super().resolve_command(ctx, args)

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            with formatter.section("Commands"):
                formatter.write_dl(sorted(commands.items()))

    return LazyGroup
