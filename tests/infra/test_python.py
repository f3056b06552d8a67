"""One style for all Python, and nothing that is imported for no reason."""

import ast
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def git(*words):
    return subprocess.run(["git", "-c", f"safe.directory={TOP}", *words], cwd=TOP, text=True,
                          stdout=subprocess.PIPE, check=True).stdout.splitlines()


def python_files():
    programs = git("grep", "-lI", "^#!/usr/bin/python3", "--", ":!*.py")
    modules = git("ls-files", "*.py")
    assert programs and modules
    return programs + modules


def test_style():
    done = subprocess.run(["/usr/bin/python3", "-m", "flake8", *python_files()], cwd=TOP,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_one_way_to_format():
    """f-strings; `%' is for numbers, and for bytes, which know nothing else."""
    for name in python_files():
        for node in ast.walk(ast.parse((TOP / name).read_text())):
            assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)
                        and isinstance(node.left, ast.Constant)
                        and isinstance(node.left.value, str)), f"{name}:{node.lineno}"
