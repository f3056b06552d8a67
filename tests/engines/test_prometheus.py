"""Metrics, rules, alerts, console and dashboard, with the real programs.

A certificate breaks, mail falls back, and Alertmanager is told; it is repaired, and
Alertmanager is told that, too.
"""

import http.server
import json
import re
import subprocess
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from engines import SHIPPED, audit, wait_for
from mail import DESTINATIONS, LOGS, Site

HERE = Path(__file__).resolve().parent
RULES = SHIPPED / "prometheus-rules.yml"
CONSOLE = SHIPPED / "prometheus-console.html"
DASHBOARD = SHIPPED / "grafana-dashboard.json"
METRICS = SHIPPED / "tls-audit-metrics"
NODE, PROMETHEUS, ALERTMANAGER, HOOK = 9100, 9090, 9093, 9099
WINDOW = "8s"                           # what 15 minutes are in this test


def test_rules(tmp_path):
    tests = tmp_path / "tests.yml"
    tests.write_text((HERE / "prometheus-rules-test.yml").read_text().replace(
        "RULES", str(RULES)))
    for command in (["check", "rules", RULES], ["test", "rules", tests]):
        done = subprocess.run(["promtool", *command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_each_alert_is_tested():
    tested = (HERE / "prometheus-rules-test.yml").read_text()
    for alert in re.findall(r"- alert: (\w+)", RULES.read_text()):
        assert tested.count(f"alertname: {alert}\n") >= 2, alert


class Hook(http.server.BaseHTTPRequestHandler):
    """Takes note of what Alertmanager says."""

    heard = []

    def do_POST(self):                  # noqa: N802 (the library's name)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.heard.extend((alert["labels"]["alertname"], alert["status"])
                          for alert in body["alerts"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def get(port, path, **query):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?"
                                + urllib.parse.urlencode(query), timeout=10) as answer:
        return answer.read().decode()


class Monitoring:
    """A mail server, its metrics, and those who look at them."""

    def __init__(self, place):
        self.place = place
        self.textfiles = place / "textfiles"
        self.consoles = place / "consoles"
        self.processes = []
        for directory in (self.textfiles, self.consoles):
            directory.mkdir()
        (self.consoles / "tls-audit.html").write_text(CONSOLE.read_text())
        (place / "rules.yml").write_text(RULES.read_text().replace(
            "offset 15m", f"offset {WINDOW}"))
        (place / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            "rule_files: [rules.yml]\n"
            "alerting: {alertmanagers: [{static_configs: "
            f"[{{targets: ['127.0.0.1:{ALERTMANAGER}']}}]}}]}}\n"
            "scrape_configs:\n- job_name: node\n  static_configs:\n"
            f"  - {{targets: ['127.0.0.1:{NODE}'], labels: {{instance: mx1}}}}\n")
        (place / "alertmanager.yml").write_text(
            "route: {receiver: hook, group_wait: 0s, group_interval: 1s, group_by: [alertname]}\n"
            "receivers: [{name: hook, webhook_configs: "
            f"[{{url: 'http://127.0.0.1:{HOOK}/'}}]}}]\n")
        hook = http.server.ThreadingHTTPServer(("127.0.0.1", HOOK), Hook)
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        self.site = Site(("mx1",))
        self.site.start()

    def start(self):
        self.run("prometheus-node-exporter", "--collector.disable-defaults",
                 "--collector.textfile", f"--collector.textfile.directory={self.textfiles}",
                 f"--web.listen-address=127.0.0.1:{NODE}")
        self.run("prometheus-alertmanager", f"--config.file={self.place}/alertmanager.yml",
                 f"--storage.path={self.place}/alertmanager", "--cluster.listen-address=",
                 f"--web.listen-address=127.0.0.1:{ALERTMANAGER}")
        self.run("prometheus", f"--config.file={self.place}/prometheus.yml",
                 f"--storage.tsdb.path={self.place}/data",
                 f"--web.console.templates={self.consoles}",
                 f"--web.listen-address=127.0.0.1:{PROMETHEUS}")

    def run(self, *command):
        with (self.place / f"{command[0]}.log").open("w") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def stop(self):
        self.site.stop()
        for process in self.processes:
            process.terminate()
            process.wait()

    def deliver(self, count):
        """So many messages to the server whose certificate breaks, one by one, as they
        would share a connection otherwise; and the metrics after that."""
        for _ in range(count):
            self.site.submit("mx1", "breaks.test")
        self.site.wake()
        self.site.finish()
        self.measure()

    def measure(self):
        subprocess.run(["sh", METRICS, self.place / "summary", self.textfiles, LOGS["mx1"]], check=True)

    def query(self, expression):
        """label set -> value"""
        try:
            answer = get(PROMETHEUS, "/api/v1/query", query=expression)
        except OSError:
            return []
        return json.loads(answer)["data"]["result"]

    def alerts(self):
        return {alert["labels"]["alertname"] for alert in json.loads(
            get(ALERTMANAGER, "/api/v2/alerts", active="true"))}


@pytest.fixture(scope="module", name="world")
def make_world(tmp_path_factory):
    world = Monitoring(tmp_path_factory.mktemp("prometheus"))
    world.deliver(10)
    world.start()
    yield world
    world.stop()


def dump_dom(url):
    """The page as a browser sees it."""
    return subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", url],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
        timeout=60).stdout


def rows(page, table):
    """The cells of a table of the page."""
    body = re.search(f'<table id="{table}">(.*?)</table>', page, re.S)[1]
    return [re.findall("<td[^>]*>(.*?)</td>", row) for row in
            re.findall("<tr.*?</tr>", body, re.S)][1:]


def test_alert_fires_and_resolves(world):
    wait_for(lambda: world.query(f'posttls_audit_lines_total{{kind="audit"}} offset {WINDOW}'),
             "metrics in Prometheus")
    assert world.alerts() == set()
    world.site.change()
    world.deliver(5)
    wait_for(lambda: ("TlsAuditFallbacks", "firing") in Hook.heard, "alert")
    assert "TlsAuditFallbacks" in world.alerts()
    page = dump_dom(f"http://127.0.0.1:{PROMETHEUS}/consoles/tls-audit.html")
    assert ["TlsAuditFallbacks", "firing", "mx1", ""] in rows(page, "alerts")
    assert ["mx1", "secure", "encrypt", "mismatch"] in [row[:4] for row in rows(page, "fallbacks")]
    world.site.place("breaks.test", DESTINATIONS["breaks.test"][1],
                     world.site.servers["breaks.test"])
    world.deliver(5)
    wait_for(lambda: ("TlsAuditFallbacks", "resolved") in Hook.heard, "end of the alert")
    assert "TlsAuditFallbacks" not in world.alerts()


def test_console_says_what_posttls_audit_says(world):
    report = json.loads(audit("-j", LOGS["mx1"]))
    wait_for(lambda: world.query("posttls_audit_deliveries_total"), "metrics")
    page = dump_dom(f"http://127.0.0.1:{PROMETHEUS}/consoles/tls-audit.html")
    assert rows(page, "deliveries")[0][0] == "mx1"
    assert int(rows(page, "deliveries")[0][2]) == sum(
        row["deliveries"] for row in report["levels"])
    assert {row[1]: int(row[2]) for row in rows(page, "destinations")} == {
        row["verdict"]: row["destinations"] for row in report["verdicts"] if row["destinations"]}


def names_in(text):
    """Names of metrics in an expression, or in anything."""
    return set(re.findall(r"\b(?:posttls_audit|tls_audit|node_textfile)[a-z0-9_:]+(?<!:)", text))


def test_metrics_exist(world):
    """Those that the rules, the console and the dashboard name."""
    known = set(re.findall(r"^# TYPE (\S+)", (world.textfiles / "tls-audit.prom").read_text(),
                           re.M))
    known |= set(re.findall(r"record: (\S+)", RULES.read_text()))
    known |= {row["metric"]["__name__"] for row in world.query('{__name__=~"node_textfile.*"}')}
    dashboard = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions += [variable["query"] for variable in dashboard["templating"]["list"]]
    for text in (*expressions, CONSOLE.read_text(), RULES.read_text()):
        assert names_in(text) <= known, names_in(text) - known
    assert len(names_in(" ".join(expressions))) > 10


def test_dashboard_expressions(world):
    """Prometheus understands each of them."""
    dashboard = json.loads(DASHBOARD.read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        assert panel["title"] and panel["targets"]
        for target in panel["targets"]:
            expression = target["expr"].replace("$instance", ".*")
            assert json.loads(get(PROMETHEUS, "/api/v1/query", query=expression))[
                "status"] == "success"


def test_promtool_accepts_the_metrics(world):
    done = subprocess.run(["promtool", "check", "metrics"], text=True, check=False,
                          input=(world.textfiles / "tls-audit.prom").read_text(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout


def test_summary_that_something_else_keeps(world, tmp_path):
    """Without a log, the same metrics, and the summary is as it was."""
    before = (world.place / "summary").read_bytes()
    subprocess.run(["sh", METRICS, world.place / "summary", tmp_path], check=True)
    assert (tmp_path / "tls-audit.prom").read_text() == (
        world.textfiles / "tls-audit.prom").read_text()
    assert (world.place / "summary").read_bytes() == before


def test_metrics_stay_when_something_fails(world, tmp_path):
    """The file is as it was, and posttls-audit has said why."""
    before = (world.textfiles / "tls-audit.prom").read_text()
    (tmp_path / "summary").write_text("damaged\n")
    for arguments in ((world.place / "summary", world.textfiles, "/no/such/log"),
                      (tmp_path / "summary", world.textfiles, LOGS["mx1"])):
        done = subprocess.run(["sh", METRICS, *arguments], stderr=subprocess.PIPE, text=True,
                              check=False)
        assert done.returncode != 0
        assert re.fullmatch("(posttls-audit: .*\n){1,2}", done.stderr), done.stderr
        assert (world.textfiles / "tls-audit.prom").read_text() == before
        assert list(world.textfiles.iterdir()) == [world.textfiles / "tls-audit.prom"]
    assert subprocess.run(["sh", METRICS, "--help"], stdout=subprocess.PIPE, check=True).stdout
