"""What the sources define: a name in a document is looked up as a definition, not as a word that stands somewhere."""

import re
import subprocess

from blocks import ROOT, read

# Items of other people that the documents for contributors name.
OTHERS = {"fork", "AbortSignal", "sync_data", "Debug", "fetch", "setTimeout", "writev"}

# How each language begins a definition, an entry of a record, and a call that defines (a macro's row).
PATTERNS = {
    ".rs": [r"\b(?:fn|struct|enum|trait|mod|const(?!\s+fn)|static|type|macro_rules!)\s+(\w+)", r"^\s*(?:pub(?:\([^)]*\))?\s+)?([a-z_]\w*): ",
            r"^\s*([A-Z]\w*)(?:\s*[({].*|\s*=\s*\d+.*)?,?$"],
    ".py": [r"^\s*(?:async )?(?:def|class) (\w+)", r"^(\w+)(?:: [^=]+)? = "],
    ".pyi": [r"^\s*(?:async )?(?:def|class) (\w+)"],
    ".ts": [r"\b(?:function\*?|class|interface|type|const|enum)\s+(\w+)", r"^\s*(?:readonly |static |async |\*)*(\w+)\??\s*[(:]"],
    ".mjs": [r"\b(?:function\*?|class|const)\s+(\w+)"],
    ".h": [r"\b(jfai_\w+)\(", r"^\s*(JFAI_\w+)\b", r"#define (\w+)"],
    ".hpp": [r"\b(?:class|struct|namespace) (\w+)"],
    ".toml": [r"^(\w[\w-]*) = ", r'^name = "([\w-]+)"'],
}
COMMENT = {".py": r"(?m)(?:^|\s)#.*$", ".pyi": r"(?m)(?:^|\s)#.*$", ".toml": r"(?m)(?:^|\s)#.*$"}


def files():
    """Every file of the repository, those included that are not added yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return [name for name in names if (ROOT / name).exists()]


def definitions():
    """The names of all items, fields and options, and every text that is nothing but a word (an event, a suite)."""
    found = set(OTHERS)
    for name in files():
        ending = "." + name.rpartition(".")[2]
        if patterns := PATTERNS.get(ending):
            code = re.sub(COMMENT.get(ending, r"(?m)(?:^|\s)//.*$"), "", read(name))
            for pattern in [*patterns, r'"(\w+)"']:
                found.update(re.findall(pattern, code, re.M))
        # A module is defined by its file or folder.
        found.update(re.split(r"[/.]", name))
    found.update(re.findall(r"^([\w-]+):", read("Makefile"), re.M))
    return found
