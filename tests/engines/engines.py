"""The engines, as an administrator would install them: PostgreSQL and rsyslog.

They run in the sandbox, whose files and processes are gone when it ends.
Everything that waits here waits for an event; a time limit only says when to give
up.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from testenv.clone import TOP

SHIPPED = TOP / "postfix/auxiliary/tls-audit"
POLL = 0.05
PATIENCE = 120


def wait_for(condition, what, patience=PATIENCE):
    """Wait until condition() is true, and return what it is."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"no {what} within {patience} s"
        time.sleep(POLL)
    return value


def quoted(text):
    """A string, in SQL."""
    return "'" + text.replace("'", "''") + "'"


def audit(*args, status=0):
    """Output of posttls-audit, as installed."""
    done = subprocess.run(["posttls-audit", *map(str, args)], capture_output=True,
                          text=True, check=False, env=dict(os.environ, TZ="UTC"))
    assert done.returncode == status, done.stderr
    return done.stdout


class Database:
    """PostgreSQL with postgresql.sql, and what clients need to find it."""

    SERVICES = Path("/etc/postgresql-common/pg_service.conf")

    def __init__(self, name):
        self.place = Path(f"/var/tmp/{name}-postgresql")
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"),
                            key=lambda path: float(path.parent.name))
        self.place.mkdir(mode=0o755)
        shutil.chown(self.place, "postgres")
        self.run("initdb", "-D", self.place / "data", "-E", "UTF8", "--locale=C",
                 "-A", "trust", "-N")
        self.start()
        self.run("createdb", "-h", self.place, "tls_audit")
        self.install()
        self.sql("CREATE ROLE rsyslog LOGIN IN ROLE tls_audit_loader;"
                 "CREATE ROLE reader LOGIN IN ROLE tls_audit_reader;")
        self.SERVICES.parent.mkdir(exist_ok=True)
        self.SERVICES.write_text(f"[tls_audit]\nhost={self.place}\n"
                                 "dbname=tls_audit\nuser=rsyslog\n")

    def run(self, program, *args, text=None):
        """PostgreSQL does not run as root."""
        done = subprocess.run(
            ["runuser", "-u", "postgres", "--", self.programs / program, *args],
            input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self):
        self.run("pg_ctl", "-D", self.place / "data", "-w", "-l", self.place / "log",
                 "-o", f"-k {self.place} -c listen_addresses=''", "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.place / "data", "-w", "-m", mode, "stop")

    def install(self, database="tls_audit"):
        self.run("psql", "-h", self.place, "-d", database, "-qX", "-f", "-",
                 text=(SHIPPED / "postgresql.sql").read_text())

    def sql(self, text, user="postgres", database="tls_audit"):
        return self.run("psql", "-h", self.place, "-d", database, "-U", user, "-XqAt",
                        "-v", "ON_ERROR_STOP=1", text=text).strip()

    def rows(self, query, user="reader", database="tls_audit"):
        """What a query returns, a dictionary for each row."""
        return json.loads(self.sql(
            "SET search_path = tls_audit; SET TimeZone = 'UTC';"
            f"SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM ({query}) AS q;",
            user, database))

    def value(self, query):
        return self.rows(f"SELECT ({query}) AS value")[0]["value"]


class Rsyslog:
    """rsyslogd with the shipped configuration, as README says to install it."""

    CONFIG = Path("/etc/rsyslog.d")
    LOG = Path("/var/tmp/engines-rsyslog")

    def __init__(self, inputs):
        """inputs: what replaces those of rsyslog-input.conf."""
        shutil.rmtree(self.CONFIG)
        self.CONFIG.mkdir()
        shutil.copy(SHIPPED / "rsyslog.conf", self.CONFIG / "tls-audit.conf")
        shutil.copy(SHIPPED / "postlog.rulebase", self.CONFIG / "tls-audit.rulebase")
        (self.CONFIG / "tls-audit-input.conf").write_text(inputs)
        Path("/etc/rsyslog.conf").write_text(
            'global(workDirectory="/var/spool/rsyslog")\n'
            'include(file="/etc/rsyslog.d/*.conf")\n')
        Path("/var/spool/rsyslog").mkdir(exist_ok=True)
        self.process = None

    @staticmethod
    def input_file(path):
        """The shipped input, for this file."""
        shipped = (SHIPPED / "rsyslog-input.conf").read_text().split("\n\n")
        text = next(part for part in shipped if "input(" in part)
        return text[text.index("input("):].replace("/var/log/maillog", str(path)) + "\n"

    @staticmethod
    def check():
        """What rsyslogd says of its configuration."""
        return subprocess.run(["rsyslogd", "-N1"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)

    def start(self):
        with self.LOG.open("a") as log:
            self.process = subprocess.Popen(
                ["rsyslogd", "-n", "-i", "/run/rsyslogd-test.pid"], stdout=log, stderr=log)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        Path("/run/rsyslogd-test.pid").unlink(missing_ok=True)
