"""Swiftlet beside llama.cpp, ONNX Runtime and, where there is one, ik_llama.cpp: the two sides in turn, round after round, and
the ratio of their medians. `run` installs what this needs."""

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import start

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SWIFTLET = ROOT / ".build/release/swiftlet"


@dataclass
class Row:
    key: str
    title: str
    unit: str
    model: str
    part: str
    peer: str
    #: The least ratio; words where it is an amount.
    bar: float | str
    aim: str
    less_is_better: bool = False

    def ratio(self, ours: float, theirs: float) -> float:
        return theirs / ours if self.less_is_better else ours / theirs


def rows() -> list[Row]:
    def llama(part: str, title: str, model: str, bar: float, aim: str) -> Row:
        return Row(f"{part}-{model}", f"{title}, llama3-1b {model.upper()}", "tok/s", model, part, "llama.cpp", bar, aim)

    return [
        llama("prefill", "prefill 512", "q8_0", 3.2, "1.4× ik_llama.cpp"),
        llama("prefill", "prefill 512", "q4_k_m", 2.0, "1.4× ik_llama.cpp"),
        llama("decode1", "decode, 1 sequence", "q8_0", 1.5, "88% of the roof"),
        llama("decode1", "decode, 1 sequence", "q4_k_m", 1.35, "1.6×"),
        llama("decode8", "decode, 8 sequences", "q8_0", 4, "5.5×"),
        llama("decode8", "decode, 8 sequences", "q4_k_m", 3, "4.2×"),
        Row("start-q4_k_m", "start to the first token of a prompt of 1, llama3-1b Q4_K_M", "ms", "q4_k_m", "start", "llama.cpp", 10, "20×", True),
        Row("memory-q4_k_m", "memory of its own that a second process takes, llama3-1b Q4_K_M", "MB", "q4_k_m", "memory", "llama.cpp", "≤ 40 MB",
            "≤ 15 MB", True),
        Row("health-q4_k_m", "start to the answer of /health, beside llama.cpp's first token", "ms", "q4_k_m", "health", "llama.cpp", "≤ 20 ms", "", True),
        Row("documents", "MiniLM Q8_0, documents of 74 tokens", "documents/s", "minilm", "documents", "ONNX Runtime int8", 1.4, "2×"),
        Row("single", "MiniLM Q8_0, one short text", "ms", "minilm", "single", "ONNX Runtime int8", 1.3, "2.5×", True),
    ]


def main() -> None:
    options = parse()
    if options.parse:
        return
    if options.quality:
        import quality

        return quality.report(options.models, options.threads)
    if options.weights is not None:
        import weight_types

        return weight_types.report(options.models, options.threads, options.weights)
    chosen = [row for row in rows() if not options.only or row.key in options.only]
    # By part, model and side; "roof" beside the sides is the share of the roof that Swiftlet reached.
    measured: dict[tuple[str, str, str], list[float]] = {}
    for model in dict.fromkeys(row.model for row in chosen):
        parts = [row.part for row in chosen if row.model == model]
        sides = sides_for(model, parts, options)
        for _ in range(options.rounds):
            for side, measure in sides.items():
                print(f"measuring {model} with {side}", file=sys.stderr, flush=True)
                for path in options.models.glob(f"*-{model}.gguf"):
                    read(path)
                for part, value in ((part, value) for part, value in measure().items() if value is not None):
                    part, _, kind = part.partition("-")
                    measured.setdefault((part, model, kind or side), []).append(value)
    results = []
    for row in chosen:
        values = {side: statistics.median(found) for (part, model, side), found in measured.items() if (part, model) == (row.part, row.model)}
        results.append({
            "row": row.key, "title": row.title, "unit": row.unit, "swiftlet": values["Swiftlet"], "peer": row.peer,
            "peer_value": values[row.peer], "ratio": row.ratio(values["Swiftlet"], values[row.peer]), "at_least": row.bar, "aim": row.aim,
            "share_of_roof": values.get("roof"), "ik_llama_cpp": values.get("ik_llama.cpp"), "rounds": options.rounds,
        })
    print(table(results, options))
    if options.json:
        Path(options.json).write_text(json.dumps({"date": str(date.today()), "machine": machine(), "rows": results}, indent=2) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="Tests/Benchmarks/peers/run",
        description="Compare Swiftlet's speed with that of llama.cpp and ONNX Runtime on this machine, the sides in turn. The first run "
        "builds the peers and makes the models (7 GB). Measure on a quiet machine. --quality compares answers instead.")
    parser.add_argument("--only", action="append", choices=[row.key for row in rows()], help="this row alone (may be given again)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured (default: 3)")
    parser.add_argument("--threads", type=int, default=2, help="threads of every side (default: 2)")
    parser.add_argument("--models", type=Path, default=ROOT / ".build/peers-models", help="where the models are kept (default: .build/peers-models)")
    parser.add_argument("--json", metavar="FILE", help="write the results to this file, too")
    parser.add_argument("--ik", type=Path, metavar="FOLDER", help="where ik_llama.cpp's llama-bench is: measured, too, for one sequence")
    parser.add_argument("--quality", action="store_true", help="compare log probabilities with llama.cpp's, not speed")
    parser.add_argument("--weights", nargs="*", metavar="TYPE", help="the same for each weight type, or for these (F16, Q2_K, …); needs 5 GB more")
    parser.add_argument("--parse", action="store_true", help=argparse.SUPPRESS)  # looks at the arguments alone, before anything is built
    options = parser.parse_args()
    options.models = options.models.resolve()
    options.ik = options.ik and options.ik.resolve()
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads must be at least 1")
    return options


def sides_for(model: str, parts: list[str], options: argparse.Namespace) -> dict:
    import models

    threads = str(options.threads)
    if model == "minilm":
        path, texts = models.minilm(options.models, "q8_0"), options.models / "texts.txt"
        texts.write_text("\n".join(documents()) + "\n")
        return {
            "ONNX Runtime int8": lambda: output(sys.executable, HERE / "with_onnx.py", models.MINILM, options.models, threads, texts),
            "Swiftlet": lambda: embedding(path, texts, threads),
        }
    path = models.llama(options.models, model)
    sides = {
        "llama.cpp": lambda: output(sys.executable, HERE / "with_llama_cpp.py", "speed", path, threads, *parts),
        "Swiftlet": lambda: generation(path, parts, threads),
    }
    if options.ik:
        sides["ik_llama.cpp"] = lambda: with_ik(options.ik, path, parts, threads)
    return sides


def read(path: Path) -> None:
    """Nobody's start waits for the disk. A pack is left alone: its first reader decides in what pages the system keeps it."""
    with path.open("rb", buffering=0) as file:
        while file.read(16 << 20):
            pass


def output(*command, folder: Path | None = None):
    """What the command prints, as JSON."""
    result = subprocess.run([str(word) for word in command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{result.stderr[-2000:]}")
    return json.loads(result.stdout)


def generation(path: Path, parts: list[str], threads: str) -> dict:
    result = start.measure(path, threads) if {"start", "memory", "health"} & set(parts) else {}
    sequences = [part.removeprefix("decode") for part in parts if part.startswith("decode")]
    if sequences or "prefill" in parts:
        bench = output(SWIFTLET, "bench", path, "--prompt", 512, "--generate", 24, "--parallel", ",".join(sequences or ["1"]),
                       "--threads", threads, "--rounds", 1, "--format", "json")
        result |= {"prefill": bench["prefill_tokens_per_second"], "prefill-roof": bench["roof_share"]["products"]}
        for count in sequences:
            result["decode" + count] = bench["decode_tokens_per_second"][count]
            result[f"decode{count}-roof"] = bench["roof_share"]["decode"][count]
    return result


def embedding(path: Path, texts: Path, threads: str) -> dict:
    bench = output(SWIFTLET, "bench", path, "--embed", texts, "--threads", threads, "--rounds", 1, "--format", "json")
    return {"documents": bench["documents_per_second"], "single": bench["single_ms"], "documents-roof": bench["roof_share"]["products"]}


def with_ik(folder: Path, path: Path, parts: list[str], threads: str) -> dict:
    result = {}
    for part, arguments in (("prefill", ["-p", 512, "-n", 0]), ("decode1", ["-p", 0, "-n", 24])):
        if part in parts:
            # It leaves a log where it runs.
            runs = output(folder / "llama-bench", "-m", path, *arguments, "-t", threads, "-r", 1, "-o", "json", folder=path.parent)
            result[part] = runs[0]["avg_ts"]
    return result


def documents() -> list[str]:
    """256 documents of 74 tokens, and a short text."""
    words = (ROOT / "LICENSE").read_text().split()
    while len(words) < 256 * 60:
        words += words
    return [" ".join(words[i * 60:i * 60 + 60]) for i in range(256)] + [" ".join(words[11:19])]


def table(results: list[dict], options: argparse.Namespace) -> str:
    lines = ["| | Swiftlet | peer | ratio | at least | aim | share of the roof |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for result in results:
        share = f"{100 * result['share_of_roof']:.0f}%" if result["share_of_roof"] else ""
        also = f"; ik_llama.cpp {result['ik_llama_cpp']:.4g}" if result["ik_llama_cpp"] else ""
        bar = result["at_least"] if isinstance(result["at_least"], str) else f"{result['at_least']:g}×"
        lines.append(
            f"| {result['title']} | {result['swiftlet']:.4g} {result['unit']} | {result['peer']} {result['peer_value']:.4g}{also} "
            f"| {result['ratio']:.2f}× | {bar} | {result['aim']} | {share} |")
    return "\n".join([*lines, "", f"{date.today()}, {machine()}, {options.threads} threads, medians of {options.rounds}."])


def machine() -> str:
    facts = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    cores = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
    return f"{facts.get('model name', 'unknown processor')} (family {facts.get('cpu family', '?')}), {cores} cores"


if __name__ == "__main__":
    main()
