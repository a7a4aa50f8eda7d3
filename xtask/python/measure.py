"""What the speed tables share: CPU time and memory of whole processes, and lines of a table."""
import argparse, json, os, pathlib, subprocess, sys, tempfile


def run(command, cwd=None):
    """CPU seconds, exit status and standard output."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, cwd=cwd)
        _, status, usage = os.wait4(process.pid, 0)
        out.seek(0)
        return usage.ru_utime + usage.ru_stime, status, out.read()


def memory(command, cwd=None):
    """The largest resident set in bytes; 0 where there is no GNU time. A child of this program would count what
    this program occupies."""
    if not os.path.exists("/usr/bin/time"):
        return 0
    with tempfile.NamedTemporaryFile() as told:
        timed = ["/usr/bin/time", "-f", "%M", "-o", told.name, *command]
        subprocess.run(timed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd)
        return int(told.read().split()[-1]) * 1024


def best(command, rounds, cwd=None):
    runs = [run(command, cwd) for _ in range(rounds)]
    return min(r[0] for r in runs), memory(command, cwd), runs[0][1], runs[0][2]


def line(name, mine, other, promise, note=""):
    ratio = f"{other[0] / mine[0]:.0f}x" if other else ""
    cpu, rss = (f"{other[0] * 1e3:.1f} ms", f"{other[1] / 2**20:.1f} MiB") if other else ("", "")
    print(f"{name:<22}{mine[0] * 1e3:>9.1f} ms{cpu:>14}{ratio:>9}{mine[1] / 2**20:>8.1f} MiB{rss:>12}  {promise}{note}", flush=True)


def heading():
    print(f"{'case':<22}{'ours':>12}{'original':>14}{'ratio':>9}{'memory':>12}{'original':>12}  promised")


def unpack(work, shared):
    """The corpora, in a directory of this table."""
    subprocess.run([sys.executable, shared / "corpus/check.py", "unpack", "--root", work / "corpus"], check=True,
                   stdout=subprocess.DEVNULL)
    return work / "corpus"


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("gitops", "peer", "shared", "work"):
        parser.add_argument("--" + name, type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--slow", action="store_true")
    a = parser.parse_args()
    only = set(filter(None, a.only.split(",")))
    return a, lambda name: not only or name in only
