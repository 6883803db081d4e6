"""What the checkers share: the C files of a tree, their text without comments, and reporting."""
import pathlib
import re
import sys

FOLDERS = ("include", "src", "face", "sim", "tests")
TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def root():
    """The tree to check: the first argument, or the one that this tool belongs to."""
    if len(sys.argv) > 1:
        return pathlib.Path(sys.argv[1])
    return pathlib.Path(__file__).resolve().parent.parent


def c_files(tree, folders=FOLDERS):
    """Every C file below the folders; a tree without any is a mistake, not a success."""
    files = [path.relative_to(tree) for folder in folders
             for path in sorted((tree / folder).rglob("*.[ch]"))]
    if not files:
        sys.exit(f"{tree}: no C files to check")
    return files


def lines(path):
    return path.read_text(encoding="utf-8").split("\n")


def code_lines(path):
    """The lines of a C file with comments and the contents of strings blanked out."""
    def blank(match):
        token = match[0]
        if token[0] in "\"'":
            return token[0] * 2
        return " " + "\n" * token.count("\n")
    return TOKEN.sub(blank, path.read_text(encoding="utf-8")).split("\n")


def finish(faults):
    """Prints the faults and ends: with success if there are none."""
    print("\n".join(faults) or "fine")
    sys.exit(1 if faults else 0)
