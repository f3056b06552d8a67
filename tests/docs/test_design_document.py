"""docs/DESIGN.md says what the code does, where a program can tell: the tables.

Each table of the design is read as rows of words, each table of the code as rows
of its initializer, and they must name the same things in the same order.
"""

import re

from testenv.clone import TOP

DESIGN = (TOP / "docs/DESIGN.md").read_text()


def section(title):
    """The text of one section, by the beginning of its title."""
    found = re.search(rf"^(#+) {re.escape(title)}.*?\n(.*?)(?=^##? |^\1 |\Z)",
                      DESIGN, re.MULTILINE | re.DOTALL)
    assert found, f"no section \"{title}\""
    return found[2]


def table_rows(text):
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 2
    return rows[2:]


def code_table(name, path):
    """The initializer of a table in the code."""
    text = (TOP / "postfix" / path).read_text()
    found = re.search(rf"\b{name}\[\] = \{{\n(.*?)^\}};", text,
                      re.MULTILINE | re.DOTALL)
    assert found, f"{path}: no table {name}"
    return found[1]


def test_obstacles():
    designed = [row[0] for row in table_rows(section("5. Obstacles"))]
    coded = re.findall(r'\{TLS_OBSTACLE_\w+, "([a-z-]+)"',
                       code_table("tls_fallback_table", "src/tls/tls_fallback.c"))
    # A failed handshake has two steps, and one keyword.
    assert designed == list(dict.fromkeys(coded))


def test_rules():
    """In the text, each rule is an item of the list that begins with "Never"."""
    text = section("5. Obstacles").split("\nNever, ", 1)[1].split("\n\n", 1)[0]
    text = text.split("\n`TLS-Required", 1)[0]
    designed = set(re.findall(r"^- ([a-z-]+)[: (]", text, re.MULTILINE))
    coded = set(re.findall(r'\{TLS_FALLBACK_RULE_\w+, "([a-z-]+)"',
                           code_table("tls_fallback_rules",
                                      "src/tls/tls_fallback.c")))
    assert designed == coded


def test_audit_attributes():
    rows = table_rows(section("smtp_tls_audit_template"))
    designed = [name for row in rows for name in row[0].split(", ")]
    coded = re.findall(r'\{"([a-z_]+)", tls_audit_\w+',
                       code_table("tls_audit_table", "src/tls/tls_audit.c"))
    assert sorted(designed) == sorted(coded)


def test_built_in_templates():
    named = set(re.findall(r"`(standard|full|json)`",
                           section("smtp_tls_audit_template")))
    manual = (TOP / "proto/postconf.proto").read_text()
    manual = manual[manual.index("%PARAM smtp_tls_audit_template"):]
    assert named == {"standard", "full", "json"}
    for name in named:
        assert f"<b>{name}</b>" in manual


def test_version():
    header = (TOP / "postfix/src/posttls-audit/audit_version.h").read_text()
    newest = re.search(r"^## (\S+)", (TOP / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert f'"{newest[1]}"' in header


def test_places_exist():
    for line in section("2. Shape").splitlines():
        if line.startswith("    "):
            for word in re.findall(r"(?:^ {4}|  +)([\w.]+/?)(?=  |$)", line):
                assert word == "build/" or (TOP / word).exists(), word
