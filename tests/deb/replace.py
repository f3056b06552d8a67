#!/usr/bin/python3
"""Put our Debian packages in the place of Debian's own, and back: in the sandbox.

usage: replace.py SUMMARY DEBIANS DEPENDENCIES

SUMMARY is what ci/deb has printed: its commands are executed. The others are
directories with packages. Mail is in every queue when the packages are changed.
The first thing that does not hold ends the scenario with exit status 1.
"""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

from testenv.mail_system import (CONFIG, LOG_FILE, Broken, MailSystem, administrators_commands,
                                 before_each_start, carry_out, check, features_work, messages_in,
                                 run, shell, take_it_back)

PLUGINS = Path("/usr/lib/postfix")
REPOSITORY = Path("/var/tmp/debians")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}

# A table of each type that is a plugin, and whether postmap compiles it.
TABLES = {
    "pcre": ("/^k.y$/ value\n", False),
    "cdb": ("key value\n", True),
    "lmdb": ("key value\n", True),
    "sqlite": (f"dbpath = {CONFIG}/x.db\nquery = SELECT v FROM t WHERE k='%s'\n",
               False),
}

# With no server to ask: that it is asked shows that the plugin is loaded.
CLIENTS = {
    "ldap": ("server_host = ldap://127.0.0.1:1\nsearch_base = dc=example\n",
             "Unable to bind|Can't contact LDAP server"),
    "mysql": ("hosts = 127.0.0.1\nuser = x\ndbname = x\nquery = SELECT 1\n",
              "connect to mysql server"),
    "pgsql": ("hosts = 127.0.0.1\nuser = x\ndbname = x\nquery = SELECT 1\n",
              "connect to pgsql server"),
}


def command(text):
    output = shell(text, env=ENVIRONMENT)
    print("ok: " + text, flush=True)
    return output


def in_summary(summary, first_words):
    """A command that the summary names; it may be longer than a line."""
    match = re.search(f"^    ({re.escape(first_words)}.*(\n        .*)*)",
                      summary, re.M)
    if not match:
        raise Broken("the summary has no command " + first_words)
    return match[1]


def installed():
    """Package and version of everything that is built from Postfix's source."""
    lines = shell("dpkg-query -W -f '${source:Package} ${Package} ${Version}"
                  " ${db:Status-Status}\\n'").splitlines()
    return {package: version for source, package, version, status
            in map(str.split, lines)
            if (source, status) == ("postfix", "installed")}


def only_from(*directories):
    """The clone has no network: apt gets what it needs from here."""
    REPOSITORY.mkdir()
    for directory in directories:
        for file in Path(directory).glob("*.deb"):
            (REPOSITORY / file.name).symlink_to(file)
    shell("dpkg-scanpackages --multiversion . >Packages 2>scan.log", cwd=REPOSITORY)
    Path("/etc/apt/sources.list").write_text(
        f"deb [trusted=yes] file:{REPOSITORY} ./\n")
    shell("rm -rf /etc/apt/sources.list.d/* /etc/apt/preferences* /var/lib/apt/lists/*")
    Path("/etc/apt/apt.conf.d/99clone").write_text(
        'APT::Get::Assume-Yes "true";\nAPT::Sandbox::User "root";\n')
    command("apt-get update")


def make_tables():
    database = sqlite3.connect(CONFIG / "x.db")
    database.execute("CREATE TABLE t (k TEXT, v TEXT)")
    database.execute("INSERT INTO t VALUES ('key', 'value')")
    database.commit()
    for kind, (text, compiled) in TABLES.items():
        table = CONFIG / ("x." + kind)
        table.write_text(text)
        if compiled:
            run("postmap", f"{kind}:{table}")
    for kind, (text, _) in CLIENTS.items():
        (CONFIG / ("x." + kind)).write_text(text)


def tables_work(which):
    for kind in TABLES:
        check(run("postmap", "-q", "key", f"{kind}:{CONFIG}/x.{kind}")
              == "value\n", f"{which}: {kind}")
    for kind, (_, complaint) in CLIENTS.items():
        done = subprocess.run(
            ["postmap", "-q", "key", f"{kind}:{CONFIG}/x.{kind}"],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if not re.search(complaint, done.stdout):
            raise Broken(f"{which}: {kind}: {done.stdout}")
        print(f"ok: {which}: {kind}", flush=True)


def debians_plugins_work(debians):
    """The plugins' interface is Debian's: theirs load into our programs."""
    for kind in (*TABLES, *CLIENTS):
        file, = Path(debians).glob(f"postfix-{kind}_*.deb")
        plugin = PLUGINS / f"postfix-{kind}.so"
        plugin.rename(plugin.with_suffix(".ours"))
        shell(f"dpkg-deb --fsys-tarfile {file} | tar -xC / ./usr/lib/postfix/{plugin.name}")
    tables_work("Debian's own plugin")
    for plugin in PLUGINS.glob("*.ours"):
        plugin.rename(plugin.with_suffix(".so"))
    check(not shell(f"dpkg -V {' '.join(installed())} | grep /usr/lib || :"),
          "our own plugins are back")


def state():
    """What a package may leave behind: configuration, and names of files."""
    config = {str(path): path.read_bytes() for path in CONFIG.rglob("*")
              if path.is_file() and not path.is_symlink()
              # The plugin packages take their lines out and add them again.
              and path.name != "dynamicmaps.cf"
              # These are the scenario's own.
              and not path.name.startswith(("x.", "tls_policy"))}
    # Their own scripts, Debian's, leave a tab where there is no last field.
    config["dynamicmaps.cf"] = sorted(
        line.rstrip() for line in (CONFIG / "dynamicmaps.cf").read_text().splitlines())
    names = shell("find /etc/postfix /usr/sbin /usr/lib/postfix /usr/share/man"
                  " /usr/share/doc/postfix* /var/lib/postfix /var/spool/postfix"
                  " -path '/var/spool/postfix/*/*' -prune -o -print")
    return config, set(names.splitlines())


def mail_while_changing(system):
    """It arrives while the packages are changed, or soon after."""
    system.send("user@example.net")


def go_to_ours(system, summary):
    """With Postfix running."""
    before = installed()
    main_and_master = {name: (CONFIG / name).read_bytes()
                       for name in ("main.cf", "master.cf")}
    tables = {path.name: path.read_bytes() for path in CONFIG.glob("tls_policy*")}
    mail_while_changing(system)
    command(in_summary(summary, "apt install --only-upgrade"))
    now = installed()
    check(now.keys() == before.keys(), "the same packages are installed")
    check(all("+tlsfallback" in version for version in now.values()),
          f"all of them are ours: {sorted(set(now.values()))}")
    for name, data in main_and_master.items():
        check((CONFIG / name).read_bytes() == data, f"{name} is untouched")
    for name, data in tables.items():
        check((CONFIG / name).read_bytes() == data, f"{name} is untouched")
    mail_while_changing(system)
    command(in_summary(summary, "postfix reload"))
    check(not shell(f"dpkg -V {' '.join(now)} | grep -v ' c /etc/' || :"),
          "the files are those of the packages")
    command(in_summary(summary, "apt-mark hold"))


def report_works():
    report = shell(f"posttls-audit {LOG_FILE}")
    check("example.com" in report, "posttls-audit reports")


def go_back(summary, debian, names):
    command(in_summary(summary, "apt-mark unhold"))
    command(in_summary(summary, "cd "))
    check(installed() == dict.fromkeys(names, debian), "back to Debian's packages")
    command(in_summary(summary, "postfix reload"))
    check("unknown parameter" in subprocess.run(
        ["postconf", "smtp_tls_fallback_level"], stderr=subprocess.PIPE,
        text=True).stderr, "and to Debian's programs")


def forgotten_attribute(system):
    """As documented: mail is deferred, not lost, until it is removed."""
    system.policy("example.com secure fallback=may\nexample.org encrypt\n")
    message = system.send("user@example.com")
    lines = system.logged(lambda: system.world.settle(message))
    check(any("status=deferred" in line and "4.7.5" in line for line in lines),
          "a forgotten `fallback' attribute defers the mail")
    system.policy("example.com secure\nexample.org encrypt\n")
    run("postqueue", "-f")
    system.all_arrived()


def scenario(summary, debians, dependencies):
    policy = Path("/usr/sbin/policy-rc.d")
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    shell("debconf-set-selections", input="".join(
        f"postfix postfix/{answer}\n" for answer in (
            "main_mailer_type select Internet Site",
            "mailname string sandbox.example")))
    only_from(debians, dependencies)
    names = sorted({file.name.split("_")[0] for file in Path(debians).glob("*.deb")})
    command("apt-get install --no-install-recommends " + " ".join(names))
    debian = installed()["postfix"]
    check(installed() == dict.fromkeys(names, debian),
          f"Debian's packages {debian} are installed")
    before_each_start()

    system = MailSystem()
    system.start()
    before_each_start()
    make_tables()
    tables_work("Debian's package")
    system.mail("user@example.com")
    # From now on the packages may restart what they want to.
    policy.write_text("#!/bin/sh\n[ \"$1\" = postfix ] || exit 101\n")
    before = state()
    system.fill_queues()

    go_to_ours(system, summary)
    tables_work("our package")
    debians_plugins_work(debians)
    system.repair_and_flush()
    administrators_commands()
    features_work(system)
    report_works()

    take_it_back(system)
    system.fill_queues()
    mail_while_changing(system)
    go_back(summary, debian, names)
    tables_work("Debian's package again")
    system.repair_and_flush()
    system.mail("user@example.com")
    system.all_arrived()
    config, files = state()
    for name in before[0].keys() | config.keys():
        if before[0].get(name) != config.get(name):
            raise Broken(f"{name} was\n{before[0].get(name)}\nand is\n{config.get(name)}")
        print(f"ok: {name} as before", flush=True)
    check(files == before[1], f"no file is left behind or missing {sorted(files ^ before[1])}")
    forgotten_attribute(system)
    run("postfix", "stop")
    check(messages_in("maildrop") == 0, "empty maildrop")


if __name__ == "__main__":
    sys.exit(carry_out(scenario, *sys.argv[1:]))
