"""Opens verification reports in Chromium and in a JUnit parser, and compares their figures with those of --json."""

import json
import math
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import junitparser

import checks
from browser import Browser

MODELS = checks.ROOT / "Fixtures" / "models"
HOSTILE = "<script>document.title='x'</script>\"'&\u202e\n<img src=http://127.0.0.1:9/x>"
WIDTHS = ((1280, 900), (390, 844))
VERDICTS = ("pass", "fail", "inconclusive")

# What a reader sees, with what the attributes say of it.
PAGE = """(() => {
  const all = (selector, part) => [...document.querySelectorAll(selector)].map(part)
  const data = element => ({...element.dataset, text: element.innerText})
  return {
    body: {...document.body.dataset}, title: document.title, text: document.body.textContent,
    tiles: all('.tiles strong', e => e.innerText),
    levels: all('[data-level]', data), checks: all('tr[data-check]', data),
    tensors: all('#tensors tbody tr', e => ({...e.dataset, cells: [...e.cells].map(c => c.innerText)})),
    points: all('figure [data-kind]', e => ({...e.dataset, plot: e.closest('figure').id})),
    worst: all('#worst article', e => (
      {...e.dataset, counts: [...e.querySelectorAll('[data-count]')].map(bar => +bar.dataset.count)})),
    model: all('#model dl', data), findings: all('#findings article', data),
    unseen: all('svg', e => e.getBoundingClientRect()).filter(r => !r.width || !r.height).length,
    unnamed: all('svg[role=img]', e => ['title', 'desc'].every(name => e.querySelector(name)?.textContent))
      .filter(isNamed => !isNamed).length,
    injected: document.querySelectorAll('script, img, iframe, object, form').length,
  }
})()"""


def verify(source, converted, out, *options):
    """Writes all three reports; the JSON one, and the exit code."""
    command = [str(checks.PORT), "verify", str(source), str(converted), "--json", str(out / "report.json"),
               "--junit", str(out / "report.xml"), "--html", str(out / "report.html"), *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if result.returncode not in (0, 1):
        raise RuntimeError(f"port exited {result.returncode}: {result.stderr.strip()[-400:]}")
    return json.loads((out / "report.json").read_text()), result.returncode


def number(value):
    """A figure of the JSON document, which has null for what is not finite."""
    return math.inf if value is None else value


def shown(text):
    """A number as the page shows it."""
    return float(text.replace(",", "").rstrip(" %").lstrip("<>"))


def near(text, value):
    """Whether a shown number is the value, rounded to what is shown."""
    return math.isclose(shown(text), value, rel_tol=6e-3, abs_tol=1e-12)


def printed(name):
    """A name as pages show it."""
    hidden = {*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)}
    return "".join(f"\\u{{{ord(c):x}}}" if ord(c) in hidden else c for c in name)


def check_tensors(check, name, page, report):
    """The table has every tensor with its figures, and shows them rounded."""
    tensors = {printed(t["name"]): t for t in report["tensors"]}
    check.same(f"{name}: tensors", sorted(tensors), sorted(row["name"] for row in page["tensors"]))
    keys = {"relativeRmse": "relative_rmse", "maxAbsoluteError": "max_absolute_error", "cosine": "cosine",
            "equalShare": "equal_share"}
    for row in page["tensors"]:
        tensor, where = tensors[row["name"]], f"{name}: {row['name']}"
        metrics = tensor.get("metrics")
        check.that(f"{where}: verdict", row["verdict"] == tensor["verdict"], row["verdict"])
        check.that(f"{where}: verdict in words", row["verdict"] in row["cells"][1].lower(), row["cells"][1])
        for attribute, key in keys.items() if metrics else ():
            check.that(f"{where}: {key}", float(row[attribute]) == number(metrics[key]), row[attribute])
        if metrics:
            check.that(f"{where}: shown error", near(row["cells"][4], number(metrics["relative_rmse"])), row["cells"])
            check.that(f"{where}: shown largest", near(row["cells"][5], metrics["max_absolute_error"]), row["cells"])
        if "operators" in tensor:
            check.that(f"{where}: products", float(row["productError"]) == number(tensor["operators"]["error"]), row)


def kind(tensor):
    """What the page calls tensors that differ in layer and expert only: the role, or the name without numbers."""
    if "role" in tensor:
        return tensor["role"].split(", ")[0]
    return printed(".".join("*" if piece.isdigit() else piece for piece in tensor["name"].split(".")))


def check_plots(check, name, page, report):
    """Every point is the largest error of its kind in its layer, and none is missing."""
    largest = {}
    for tensor in report["tensors"]:
        if "metrics" in tensor:
            key = kind(tensor), str(tensor.get("layer", ""))
            largest[key] = max(largest.get(key, 0), number(tensor["metrics"]["relative_rmse"]))
    plotted = {key[0] for key, error in largest.items() if error}
    plotted |= {kind(tensor) for tensor in report["tensors"] if tensor["verdict"] == "fail"}
    expected = {key: error for key, error in largest.items() if key[0] in plotted}
    for plot in ("error-by-kind", "error-by-layer"):
        found = {(point["kind"], point.get("layer", "")): float(point["error"])
                 for point in page["points"] if point["plot"] == plot}
        own = {key: error for key, error in expected.items() if key[1] or plot == "error-by-kind"}
        check.that(f"{name}: {plot}", found == own, f"{len(own)} points became {len(found)}")
    for series, key in (("converted model", "layer_errors"), ("rounding noise", "layer_noise")):
        found = [float(point["error"]) for point in page["points"]
                 if (point["plot"], point["kind"]) == ("hidden-states", series)]
        errors = [number(error) for error in report.get("model", {}).get(key, [])]
        check.that(f"{name}: {key}", found == (errors if any(errors) else []), found)
    tensors = {printed(t["name"]): t for t in report["tensors"]}
    for article in page["worst"]:
        metrics = tensors[article["name"]]["metrics"]
        counts = metrics.get("ulp_histogram") or metrics.get("block_histogram") or []
        check.that(f"{name}: histogram of {article['name']}", article["counts"] == counts, article["counts"])


def check_page(check, name, browser, report, path):
    """The page loads nothing, complains of nothing, fits both widths, and says what the JSON document says."""
    for width, height in WIDTHS:
        browser.resize(width, height)
        browser.open(path)
        others = [url for url in browser.requests() if url != path.resolve().as_uri() and not url.startswith("data:")]
        check.that(f"{name}: requests at {width}", not others and browser.requests(), others)
        check.that(f"{name}: console at {width}", not browser.complaints(), browser.complaints()[:2])
        size = browser.evaluate("document.documentElement.scrollWidth")
        check.that(f"{name}: fits {width}", size <= width, size)
    page = browser.evaluate(PAGE)
    body, findings = page["body"], report["findings"]
    check.that(f"{name}: verdict", body["verdict"] == report["verdict"], body)
    check.that(f"{name}: verdict in words", report["verdict"] in page["title"].lower(), page["title"])
    for key, value in (("comparedValues", report["compared_values"]), ("values", report["values"]),
                       ("checks", len(findings)), ("tensors", len(report["tensors"]))):
        check.that(f"{name}: {key}", int(body[key]) == value, body[key])
    check.same(f"{name}: tiles", [len(findings), report["compared_values"]], [shown(t) for t in page["tiles"][:2]])
    check.same(f"{name}: levels", *([(level["level"], level["verdict"], int(level["checks"]), int(level["failures"]))
                                     for level in levels] for levels in (report["levels"], page["levels"])))
    counts = Counter((finding["check"], finding["verdict"]) for finding in findings)
    rows = {(row["check"], verdict): int(row[key]) for row in page["checks"]
            for verdict, key in zip(VERDICTS, ("passed", "failed", "undecided"))}
    check.that(f"{name}: checks", {key: count for key, count in rows.items() if count} == counts, rows)
    bad = {key: count for key, count in counts.items() if key[1] != "pass"}
    check.that(f"{name}: findings", {(a["check"], a["verdict"]): int(a["count"]) for a in page["findings"]} == bad, bad)
    for text in [f["likely_cause"] for f in findings if "likely_cause" in f] + report["not_checked"] + report["notes"]:
        check.that(f"{name}: says {text[:40]!r}", " ".join(printed(text).split()) in " ".join(page["text"].split()))
    model = report.get("model")
    check.that(f"{name}: model", len(page["model"]) == (model is not None), page["model"])
    if model and "distribution" in model:
        divergence = number(model["distribution"]["mean_kl"])
        check.that(f"{name}: divergence", float(page["model"][0]["meanKl"]) == divergence, page["model"])
    check.that(f"{name}: pictures", not page["unseen"] and not page["unnamed"], (page["unseen"], page["unnamed"]))
    check.that(f"{name}: nothing injected", not page["injected"], page["injected"])
    check_tensors(check, name, page, report)
    check_plots(check, name, page, report)


def check_junit(check, name, report, path):
    """Suites and cases as a JUnit parser counts them."""
    document = junitparser.JUnitXml.fromfile(str(path))
    suites, findings = list(document), report["findings"]
    check.same(f"{name}: suites", [(level["level"], level["checks"], level["failures"]) for level in report["levels"]],
               [(suite.name, suite.tests, suite.failures) for suite in suites])
    results = [[type(result) for result in case.result] for suite in suites for case in suite]
    kinds = {"pass": [], "fail": [junitparser.Failure], "inconclusive": [junitparser.Skipped]}
    check.same(f"{name}: cases", [kinds[finding["verdict"]] for finding in findings], results)
    check.same(f"{name}: classes", [finding["check"] for finding in findings],
               [case.classname for suite in suites for case in suite])
    counts = Counter(finding["verdict"] for finding in findings)
    check.same(f"{name}: totals", [len(findings), counts["fail"], counts["inconclusive"]],
               [document.tests, document.failures, document.skipped])


def corrupted(path, out):
    """The file with a few bytes of its tensors changed."""
    content = bytearray(path.read_bytes())
    for share in (0.4, 0.6, 0.9):
        start = int(len(content) * share)
        content[start:start + 6] = bytes(byte ^ 0x13 for byte in content[start:start + 6])
    out.write_bytes(content)
    return out


def hostile(folder, out):
    """The checkpoint as a folder with a tensor whose name tries to become markup."""
    from safetensors.torch import load_file, save_file
    shutil.copytree(folder, out)
    file = next(out.glob("*.safetensors"))
    tensors = load_file(file)
    save_file(tensors | {HOSTILE: next(iter(tensors.values())).clone()}, file, {"format": "pt"})
    return out


def cases(out):
    """Names with source, converted checkpoint, options and the exit code that is due."""
    model, moe = MODELS / "tiny-qwen2", checks.SEEDED / "qwen3moe"
    mixed = checks.port_convert(model, "gguf", out / "q4_k_m.gguf", "--quantize", "q4_k_m")
    half = checks.port_convert(model, "gguf", out / "f16.gguf", "--quantize", "f16")
    experts = checks.port_convert(moe, "gguf", out / "experts.gguf")
    codebook = checks.port_convert(model, "gguf", out / "iq4_nl.gguf", "--quantize", "iq4_nl")
    yield "q4_k_m", model, mixed, (), 0
    yield "sampled", model, mixed, ("--sample", "3", "--seed", "5"), 0
    yield "structure", model, mixed, ("--level", "structure"), 0
    yield "lossless experts", moe, experts, (), 0
    yield "codebook", model, codebook, (), 0
    yield "corrupted", model, corrupted(half, out / "corrupted.gguf"), (), 1
    yield "another model", MODELS / "tiny-llama", mixed, (), 1
    yield "hostile name", checks.SEEDED / "llama", hostile(checks.SEEDED / "llama", out / "hostile"), (), 1


def main():
    check = checks.Checks(__file__)
    with check.group("reports"), tempfile.TemporaryDirectory() as temporary, Browser() as browser:
        out = Path(temporary)
        for name, source, converted, options, code in cases(out):
            with check.group(name):
                report, found = verify(source, converted, out, *options)
                check.that(f"{name}: exit code", found == code, found)
                check_page(check, name, browser, report, out / "report.html")
                check_junit(check, name, report, out / "report.xml")
    check.finish()


if __name__ == "__main__":
    main()
