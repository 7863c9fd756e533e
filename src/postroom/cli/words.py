"""A command whose words may begin with a dash: -word is no option there, but what must not be found."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

_NUMBER = re.compile(r"-n\d+")


class WordsCommand(TyperCommand):
    """Takes options by their whole names only (-t acme, -n 50, -n50); all else with one dash is a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        parameters: list[Any] = self.get_params(ctx)
        wants_value = {
            name: not (each.is_flag or each.count)
            for each in parameters
            if each.param_type_name == "option"
            for name in each.opts
        }
        options, words, rest = list[str](), list[str](), list(args)
        while rest:
            each = rest.pop(0)
            if each == "--":
                words += rest
                break
            if each in wants_value or each.startswith("--") or _NUMBER.fullmatch(each):
                options.append(each)
                if wants_value.get(each) and rest:
                    options.append(rest.pop(0))
            else:
                words.append(each)
        return super().parse_args(ctx, [*options, "--", *words])
