#!/usr/bin/env python3
"""Man pages from what the program says of itself: manual.py PROGRAM DIRECTORY.

Reads `PROGRAM --experimental-dump-help` (swift-argument-parser's description of a command as JSON)
and writes tapedeck.1 and one tapedeck-COMMAND.1 a command.
"""

import json
import pathlib
import subprocess
import sys


def escape(text):
    text = (text or "").replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in text.split("\n"))


def name_of(argument):
    names = argument.get("names") or []
    flags = ", ".join(("-" if n["kind"] == "short" else "--") + n["name"] for n in names)
    value = f"<{argument.get('valueName', 'value')}>"
    if argument["kind"] == "positional":
        return value
    return flags if argument["kind"] == "flag" else f"{flags} {value}"


def page(command, path):
    name = "-".join(path)
    lines = [f'.TH {name.upper()} 1 "" tapedeck "tapedeck manual"', ".SH NAME", escape(f"{name} - {command.get('abstract', '')}")]
    shown = [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]
    lines += [".SH SYNOPSIS", f".B {escape(' '.join(path))}"]
    for argument in shown:
        text = escape(name_of(argument))
        lines.append(f"[{text}]" if argument.get("isOptional", True) else text)
    if command.get("discussion"):
        lines += [".SH DESCRIPTION", escape(command["discussion"])]
    if shown:
        lines.append(".SH OPTIONS")
        for argument in shown:
            lines += [".TP", f".B {escape(name_of(argument))}", escape(argument.get("abstract") or "")]
            if argument.get("discussion"):
                lines.append(escape(argument["discussion"]))
    children = [c for c in command.get("subcommands", []) if c["commandName"] != "help"]
    if children:
        lines.append(".SH COMMANDS")
        for child in children:
            lines += [".TP", f".BR {escape(name)}\\-{escape(child['commandName'])} (1)", escape(child.get("abstract") or "")]
    lines += [".SH EXIT STATUS", "0 ok; 1 nothing found; 2 failed; 64 bad usage."]
    return "\n".join(lines) + "\n"


def write(command, directory, path):
    (directory / ("-".join(path) + ".1")).write_text(page(command, path))
    for child in command.get("subcommands", []):
        if child["commandName"] != "help":
            write(child, directory, path + [child["commandName"]])


def main():
    program, directory = sys.argv[1:]
    dump = subprocess.run([program, "--experimental-dump-help"], capture_output=True, text=True, check=True).stdout
    write(json.loads(dump)["command"], pathlib.Path(directory), ["tapedeck"])


main()
