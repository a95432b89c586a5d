#!/usr/bin/env python3
"""godwit-report: the page says what was measured, stays what it is in a browser, on a phone and on paper; bad reports are named."""
import copy
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "node"))
import browser  # noqa: E402
import cli_node  # noqa: E402

REPORT = pathlib.Path(os.environ["GODWIT_BIN"]) / "godwit-report"
PATIENCE_SECONDS = 100 * cli_node.PATIENCE
LOOK = os.environ.get("GODWIT_REPORT_PICTURES")  # A directory that keeps what the browser saw, to look at.
PHONE, DESK = 390, 1200
OTHER_VERSION, UNREADABLE, DAMAGED = 9, 11, 14
HOSTILE = ["<script>document.title = 'caught'</script>", '"><img src=x onerror="document.title=\'caught\'">', "</title><svg onload=alert(1)>",
           "$\\frac{1}{0}$ {{ 7 * 7 }}", "nul \u0000 escape \u001b end \ud800", "名前 é", "a" * 400, "]]> --> &lt; &amp;"]


def measurement(what, size=1 << 20, samples=(0.5, 0.4, 0.6, 0.5, 0.5), **more):
    one = {"question": "migrate", "what": what, "provider": "tcp", "from": "dram", "to": "pmem", "unit": "s", "size_bytes": size, "count": 64,
           "parameters": {"depth": 8}, "samples": list(samples), "compared_with": None, "details": {}}
    return {**one, **more}


def report(*measurements, **more):
    return {"report_version": 1, "tool": "godwit-bench", "version": "0.1.0", "time": "2026-11-22T12:00:00Z", "command": ["godwit-bench", "migrate"],
            "machine": {"host": "n1", "processor": "EPYC", "cores": 2, "memory_bytes": 1 << 34, "nics": ["eth0, up", "mlx5_0 port 1, ACTIVE"]},
            "provider": "tcp", "libraries": {"libfabric": "1.17"}, "settings": {"repeat": 5}, "notes": ["as it was measured"],
            "measurements": list(measurements), **more}


def bench_report():
    beside = {"what": "raw read", "bytes": 64 << 20, "samples": [0.2, 0.2, 0.25, 0.2, 0.2]}
    sizes = [4096 << shift for shift in range(0, 19, 2)]
    return report(*[measurement("migrate", size, [0.5 / (i + 1)] * 5, **{"from": source, "compared_with": beside, "details": {"raw_seconds": [1, 2]}})
                    for i, size in enumerate(sizes) for source in ("dram", "pmem", "file")])


def mpi_report():
    chance = random.Random(1)
    rows = []
    for kind in ("weak", "strong"):
        for what in ("godwit put", "godwit get", "MPI_Put", "raw write"):
            rows += [measurement(what, samples=[0.5, 0.6, 0.55], question="scaling", parameters={"scaling": kind, "pairs": pairs},
                                 count=64 * (pairs if kind == "weak" else 1)) for pairs in (1, 2, 4, 8)]
    rows += [measurement(what, 8, [chance.lognormvariate(0, 0.3) * 1e-6 * centre for _ in range(200)], question="latency", count=1,
                         compared_with={"what": "raw write", "bytes": 8 * 40, "samples": [40 * 7e-6] * 5})
             for what, centre in (("godwit put", 40), ("MPI_Put", 9), ("MPI_Send", 5))]
    return report(*rows, tool="godwit-mpibench", libraries={"libfabric": "1.17", "mpi": "Open MPI 4.1.4"})


def bulk_report(ranks=6):
    chance = random.Random(2)
    calls = []
    for rank in range(ranks):
        at = 0.0
        while at < 9:
            end = at + chance.uniform(0.2, 2)
            calls.append({"rank": rank, "source": "tcp://n1:7411", "destination": f"tcp://n{chance.randrange(2, 5)}:7411", "begin_s": at - at % 0.1,
                          "end_s": end, "bytes": 1 << 28, "objects": 12, "error": "GODWIT_ERR_NO_SPACE" if chance.random() < 0.1 else None})
            at = end
    whole = report(tool="godwit-bulk", calls=calls, ranks=[{"rank": rank} for rank in range(ranks)], calls_left_out=7, links=[{"bytes": 1}])
    del whole["measurements"]
    return whole


class Case(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="godwit-test.")
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)
        self.page = self.directory / "report.html"

    def file(self, name, content):
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    def run_tool(self, *arguments, status=0, environment=None):
        """`environment` adds to ours."""
        done = subprocess.run([REPORT, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                              env={**os.environ, **(environment or {})})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        if status == 0:
            self.assertEqual(done.stderr, "")
        return done.stderr

    def make(self, *reports, options=()):
        files = [self.file(f"report{i}.json", one) for i, one in enumerate(reports)]
        self.run_tool(*options, *files, "-o", self.page)
        return self.page.read_text(encoding="utf-8")


class BadReports(Case):
    def refused(self, content, status, *words):
        path = self.file("bad.json", content)
        said = self.run_tool(path, "-o", self.page, status=status)
        for word in (str(path), *words):
            self.assertIn(word, said)
        self.assertFalse(self.page.exists())

    def test_what_is_no_report_is_said(self):
        self.refused(b"", DAMAGED, "is empty")
        self.refused(b"\n \n", DAMAGED, "is empty")
        self.refused(b"godwit-bench: no such provider\n", DAMAGED, "is not JSON")
        self.refused(b'{"report_version": 1, ', DAMAGED, "is not JSON")
        self.refused(b'\xff\xfe{}', DAMAGED, "is not JSON")
        self.refused(b"[" * 100000, DAMAGED, "is not JSON")
        self.refused([], DAMAGED, "is no report of a Godwit tool")
        self.refused({"blocks": 7}, DAMAGED, "is no report of a Godwit tool")

    def test_another_version_is_named_with_what_to_do(self):
        self.refused({**bench_report(), "report_version": 2}, OTHER_VERSION, "report_version 2", "reads version 1", "use the one")
        self.refused({**bench_report(), "report_version": "1"}, OTHER_VERSION, 'report_version "1"')
        self.refused({**bench_report(), "report_version": True}, OTHER_VERSION, "report_version true")

    def test_each_wrong_key_is_named_with_its_place(self):
        def broken(change):
            whole = json.loads(json.dumps(bench_report()))  # Nothing of it twice.
            change(whole, whole["measurements"][3])
            return whole
        for change, *words in (
                (lambda whole, one: whole.pop("machine"), "machine is missing"),
                (lambda whole, one: whole.pop("tool"), "tool is missing"),
                (lambda whole, one: whole.pop("measurements"), "measurements is missing, and so is calls"),
                (lambda whole, one: whole.update(provider=3), "provider must be a text, and is a whole number"),
                (lambda whole, one: whole.update(command=["a", 1]), "command[1] must be a text"),
                (lambda whole, one: whole.update(measurements={}), "measurements must be a list, and is an object"),
                (lambda whole, one: whole["measurements"].append(7), "measurements[30] must be an object"),
                (lambda whole, one: one.pop("samples"), "measurements[3].samples is missing"),
                (lambda whole, one: one.update(samples=[]), "measurements[3].samples is empty"),
                (lambda whole, one: one.update(samples=[1, -2]), "measurements[3].samples[1]", "-2"),
                (lambda whole, one: one.update(samples=[True]), "measurements[3].samples[0]"),
                (lambda whole, one: one.update(samples=[1e-300]), "measurements[3].samples[0]"),
                (lambda whole, one: one.update(count=0), "measurements[3].count must be at least 1"),
                (lambda whole, one: one.update(size_bytes=1.5), "measurements[3].size_bytes must be a whole number, and is a number"),
                (lambda whole, one: one.update(size_bytes=10 ** 400), "measurements[3].size_bytes"),
                (lambda whole, one: one.update(parameters={"scaling": "weak", "pairs": 0}),
                 "measurements[3].parameters.pairs must be at least 1, and is 0"),
                (lambda whole, one: one.update(parameters={"scaling": "strong", "pairs": True}),
                 "measurements[3].parameters.pairs must be a whole number, and is true or false"),
                (lambda whole, one: one.update(unit="ms"), 'measurements[3].unit must be "s"'),
                (lambda whole, one: one.update(sample=[1]), "measurements[3].sample is no key of a measurement"),
                (lambda whole, one: one["compared_with"].pop("bytes"), "measurements[3].compared_with.bytes is missing"),
                (lambda whole, one: one["compared_with"].update(samples=[]), "measurements[3].compared_with.samples is empty"),
        ):
            with self.subTest(words[0]):
                self.refused(broken(change), DAMAGED, *words)
        self.refused(json.dumps(bench_report()).replace("[0.5,", "[NaN,").encode(), DAMAGED, "NaN")

    def test_a_call_that_ends_before_it_begins_is_named(self):
        whole = bulk_report()
        whole["calls"][2].update(begin_s=5, end_s=4)
        self.refused(whole, DAMAGED, "calls[2].end_s must not be before begin_s")

    def test_files_that_cannot_be_read_or_written(self):
        self.assertIn("No such file", self.run_tool(self.directory / "none.json", "-o", self.page, status=UNREADABLE))
        self.assertIn("Is a directory", self.run_tool(self.directory, "-o", self.page, status=UNREADABLE))
        good = self.file("good.json", bench_report())
        self.assertIn("cannot be written", self.run_tool(good, "-o", self.directory / "none/report.html", status=UNREADABLE))

    def test_a_home_that_keeps_nothing_is_no_reason_to_speak(self):
        good = self.file("good.json", bench_report())
        for home in ("/nonexistent", "/proc", self.directory):  # The last one is new: the list of fonts is made for it.
            with self.subTest(home):
                self.run_tool(good, "-o", self.page, environment={"HOME": str(home), "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""})

    def test_a_package_that_is_missing_is_named(self):
        good = self.file("good.json", bench_report())
        done = subprocess.run(["/usr/bin/python3", "-I", "-S", REPORT, good, "-o", self.page], capture_output=True, text=True,
                              timeout=PATIENCE_SECONDS)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("install python3-matplotlib", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_the_help_names_every_tool_that_leaves_reports(self):
        told = " ".join(subprocess.run([REPORT, "--help"], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True).stdout.split())
        for tool in ("bench", "mpibench", "bulk", "h5stage"):
            self.assertIn(f"godwit-{tool} ", told.replace(",", " "))

    def test_the_command_line(self):
        good = self.file("good.json", bench_report())
        self.assertIn("--compare takes two reports, not 1", self.run_tool("--compare", good, "-o", self.page, status=2))
        self.assertIn("-o", self.run_tool(good, status=2))


class Documented(Case):
    def test_the_example_is_a_report_and_every_key_of_it_is_explained(self):
        text = (pathlib.Path(__file__).resolve().parents[2] / "docs/reference/report.md").read_text()
        example = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])
        page = self.make(example)
        self.assertIn("AMD EPYC", page)
        explained = set(re.findall("`([a-z_]+)`", text))
        for part in (example, example["measurements"][0], example["measurements"][0]["compared_with"], example["calls"][0]):
            self.assertEqual(set(part) - explained, set())


class Ratios(Case):
    def test_they_are_of_samples_beside_each_other_or_else_of_medians(self):
        beside = {"what": "raw read", "bytes": 64 << 20, "samples": [2.0, 1.0, 4.0]}
        # Of pairs 4, 1 and 1; of medians 2.
        page = self.make(report(measurement("paired", samples=[0.5, 1.0, 4.0], compared_with=beside),
                                measurement("alone", samples=[1.0], compared_with=beside)))
        self.assertRegex(page, r'row">paired<.*<td>1 of raw read<')
        self.assertRegex(page, r'row">alone<.*<td>2 of raw read<')


class Comparisons(Case):
    def outcomes(self, first, second):
        page = self.make(report(*first), report(*second), options=["--compare"])
        rows = re.findall(r'<tr><th scope="row">migrate</th><th scope="row">(.*?)</th>(.*?)</tr>', page)
        return {name: re.findall("<td>(.*?)</td>", rest)[-3:] for name, rest in rows}

    def test_faster_slower_and_no_difference_are_told_apart(self):
        samples = [1.0, 1.1, 0.9, 1.05, 0.95]
        found = self.outcomes([measurement(name, samples=samples) for name in ("halved", "doubled", "same", "alone")],
                              [measurement("halved", samples=[one / 2 for one in samples]),
                               measurement("doubled", samples=[one * 2 for one in samples]),
                               measurement("same", samples=[1.1, 0.92, 0.97, 1.04, 1.01]), measurement("same", size=1)])
        self.assertEqual({name: outcome for name, (_, _, outcome) in found.items()},
                         {"halved": "faster", "doubled": "slower", "same": "no difference shown"})
        self.assertEqual(found["halved"][0], "2.000")
        low, high = (float(one) for one in found["halved"][1].split(" … "))
        self.assertTrue(1.4 < low < 2 < high < 2.6, (low, high))
        self.assertIn("only in the first", self.page.read_text())
        self.assertIn("only in the second", self.page.read_text())

    def test_few_samples_show_nothing(self):
        found = self.outcomes([measurement("few", samples=[1, 1])], [measurement("few", samples=[9, 9])])
        self.assertEqual(found["few"][1:], ["–", "too few samples"])

    def test_samples_that_are_all_the_same_have_an_interval_without_width(self):
        found = self.outcomes([measurement("flat", samples=[1] * 5)], [measurement("flat", samples=[1] * 5)])
        self.assertEqual(found["flat"], ["1.000", "1.000 … 1.000", "no difference shown"])

    def test_runs_with_nothing_in_common_say_so(self):
        self.assertEqual(self.outcomes([measurement("one")], [measurement("other")]), {})
        self.assertIn("they have nothing in common", self.page.read_text())


class Pages(Case):
    @classmethod
    def setUpClass(cls):
        if not browser.is_installed():
            print("SKIPPED: the page of godwit-report is not looked at: there is no chromium")
            raise unittest.SkipTest("no chromium")
        cls.chromium = browser.Browser()
        cls.addClassCleanup(cls.chromium.close)

    def look(self, width, name):
        self.chromium.open(self.page, width)
        if LOOK:
            self.chromium.screenshot(pathlib.Path(LOOK) / f"{name}-{width}.png")
        self.assertEqual(self.chromium.complaints(), [])
        self.assertEqual(self.chromium.requests(), [self.page.resolve().as_uri()])
        self.assertEqual(self.chromium.value("document.scripts.length"), 0)
        self.assertLessEqual(self.chromium.value("document.documentElement.scrollWidth"), width)

    def assert_readable(self):
        """In each figure: letters of 12 pixels at least, none beside the picture, none over another; and words for who cannot see it."""
        found = self.chromium.value("""[...document.querySelectorAll("figure svg")].map(svg => {
          const frame = svg.getBoundingClientRect();
          const texts = [...svg.querySelectorAll("text")].map(text => {
            const matrix = text.getScreenCTM(), box = text.getBoundingClientRect();
            return {words: text.textContent, pixels: parseFloat(getComputedStyle(text).fontSize) * Math.hypot(matrix.a, matrix.b), box};
          });
          const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                                 Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;
          return {
            title: svg.querySelector("title").textContent,
            described: svg.querySelector("desc").textContent.length > 20 && svg.getAttribute("role") === "img",
            count: texts.length,
            small: texts.filter(text => text.pixels < 12).map(text => [text.words, text.pixels]),
            outside: texts.filter(({box}) => box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 ||
                                             box.bottom > frame.bottom + 1).map(text => text.words),
            overlapping: texts.flatMap((one, i) => texts.slice(i + 1).filter(other => over(one.box, other.box))
                                                        .map(other => [one.words, other.words])),
          };
        })""")
        for figure in found:
            with self.subTest(figure["title"]):
                self.assertTrue(figure["described"])
                self.assertGreater(figure["count"], 3)
                self.assertEqual((figure["small"], figure["outside"], figure["overlapping"]), ([], [], []))
        return [figure["title"] for figure in found]

    def assert_prints(self, *words):
        pdf = self.directory / "report.pdf"
        self.chromium.print(pdf)
        if LOOK:
            (pathlib.Path(LOOK) / f"{self.id().split('.')[-1]}.pdf").write_bytes(pdf.read_bytes())
        text = subprocess.run(["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, text=True).stdout
        for word in words:
            self.assertIn(word, text)

    def test_every_tool_has_its_figures_on_a_phone_on_a_desk_and_on_paper(self):
        self.make(bench_report(), mpi_report(), bulk_report())
        expected = ["migrate: rate over size", "latency of 8 B", "weak scaling: as much for each pair",
                    "strong scaling: as much in all", "what each rank did when"]
        for width in (PHONE, DESK):
            self.look(width, "tools")
            self.assertEqual(self.assert_readable(), expected)
        self.assert_prints("Rate over size", "Latency", "Scaling", "Timeline", "All measurements", "p99", "calls_left_out", "libfabric", "Open MPI 4.1.4",
                           "parameters", "raw read, measured beside it")

    def test_a_comparison_is_readable(self):
        second = bench_report()
        for one in second["measurements"][::2]:
            one["samples"] = [sample * 0.7 for sample in one["samples"]]
        self.make(bench_report(), second, options=["--compare"])
        for width in (PHONE, DESK):
            self.look(width, "comparison")
            self.assertIn("how much faster the second run is", self.assert_readable())
        self.assert_prints("Two runs compared", "no difference shown", "95 % interval")

    def test_names_are_no_markup(self):
        rows = [measurement(name, size, **{"from": name, "to": name, "details": {name: name}, "parameters": {name: name}, "question": HOSTILE[0],
                                           "compared_with": {"what": name, "bytes": 9, "samples": [1] * 5}})
                for name in HOSTILE for size in (8, 4096)]
        rows += [measurement(name, samples=[0.1 + i for i in range(20)], question=HOSTILE[3], count=1) for name in HOSTILE]
        calls = [{"rank": i, "source": name, "destination": name, "begin_s": 0, "end_s": 1, "bytes": 1, "objects": 1, "error": name}
                 for i, name in enumerate(HOSTILE)]
        whole = report(*rows, calls=calls, tool=HOSTILE[0], command=HOSTILE, notes=HOSTILE, machine={name: name for name in HOSTILE},
                       settings={name: HOSTILE for name in HOSTILE}, provider=HOSTILE[1])
        other = copy.deepcopy(whole)
        other["command"].append("--again")
        for one in other["measurements"]:
            one["samples"] = [sample * 2 for sample in one["samples"]]
        self.make(whole, other, options=["--compare"])  # Which shows both reports, too.
        self.look(PHONE, "hostile")
        self.assertNotEqual(self.chromium.value("document.title"), "caught")
        self.assertEqual(self.chromium.value("document.querySelectorAll('img, script, svg svg, svg[onload]').length"), 0)
        shown = self.chromium.value("document.body.textContent")
        for name in HOSTILE[:4] + HOSTILE[-3:]:
            self.assertIn(name, shown)
        in_pictures = self.chromium.value("[...document.querySelectorAll('svg text')].map(text => text.textContent).join('\\n')")
        self.assertIn("<script>document.title", in_pictures)
        self.assertIn("$\\frac{1}{0}$", in_pictures)

    def test_a_report_without_measurements_is_a_page_of_its_machine(self):
        self.make(report())
        self.look(PHONE, "bare")
        self.assertIn("EPYC", self.chromium.value("document.body.textContent"))

    def test_thousands_of_calls_and_dozens_of_ranks_stay_readable(self):
        whole = bulk_report(64)
        whole["calls"] = [{**call, "begin_s": call["begin_s"] + 10 * i, "end_s": call["end_s"] + 10 * i}
                          for call in whole["calls"] for i in range(8)]
        self.make(whole)
        self.look(PHONE, "many")
        self.assert_readable()
        self.assertLess(self.page.stat().st_size, 4 << 20)


if __name__ == "__main__":
    unittest.main()
