"""Asks Xen's own verify-stream-v2 about many streams in one process.

usage: driver.py ROOT

ROOT is where Debian's xen-utils-4.17 was unpacked. Each line on stdin is a format (libxc, libxl or xl), a space and a
path; each is answered on stdout by a line of JSON: the exit code that the tool would have ended with, and the last line
of what it would have complained.
"""

import importlib.machinery
import importlib.util
import json
import os
import sys


def load(root):
    """The tool's script as a module, found together with the modules that it comes with."""
    xen = os.path.join(root, "usr", "lib", "xen-4.17")
    sys.path.insert(0, os.path.join(xen, "lib", "python"))
    # Nothing is to be written beside the unpacked files.
    sys.dont_write_bytecode = True
    script = os.path.join(xen, "bin", "verify-stream-v2")
    loader = importlib.machinery.SourceFileLoader("verify_stream_v2", script)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def ask(tool, form, path):
    """Runs the tool's own main loop over one stream, as its command line would."""
    complaints = []
    tool.err = complaints.append
    # Unbuffered, as the tool opens its input.
    with open(path, "rb", 0) as tool.fin:
        code = tool.read_stream(form)
    lines = [line for text in complaints for line in text.splitlines() if line.strip()]
    # A stream error ends with the traceback, whose last line names it; a script error says one thing more.
    return {"code": code, "message": lines[-2 if code == 2 else -1] if lines else ""}


def main():
    tool = load(sys.argv[1])
    for line in sys.stdin:
        form, path = line.rstrip("\n").split(" ", 1)
        print(json.dumps(ask(tool, form, path)), flush=True)


if __name__ == "__main__":
    main()
