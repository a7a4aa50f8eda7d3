"""Compares `gitops helm template` with helm, whole processes side by side, and prints a table.

Each line is the better of N rounds, `corpus` one round of the first case of each chart. Both programs must give
the same bytes, but where the original gives others each time. The last column says what the project promises.
"""


TRIVIAL = {
    "Chart.yaml": "apiVersion: v2\nname: trivial\nversion: 1.0.0\n",
    "templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n",
}
CHARTS = [
    ("podinfo", "stefanprodan__podinfo__charts_podinfo", ">= 12x"),
    ("ingress-nginx", "kubernetes__ingress-nginx__charts_ingress-nginx", ""),
    ("kube-prometheus-stack", "prometheus-community__helm-charts__charts_kube-prometheus-stack", ">= 10x"),
]


def trivial(work):
    chart = work / "trivial"
    for name, text in TRIVIAL.items():
        (chart / name).parent.mkdir(parents=True, exist_ok=True)
        (chart / name).write_text(text)
    return chart


def main():
    a, wanted = arguments()
    gitops, peer = str(a.gitops.resolve()), str(a.peer.resolve())
    ours, theirs = [gitops, "helm"], [peer]
    heading()
    cases = [("trivial", ["template", "rel", str(trivial(a.work)), "--kube-version", "v1.33.0"], None, ">= 15x")]
    charts = unpack(a.work, a.shared) / "helm/charts"
    cases += [(name, ["template", "rel", "chart", "-n", "test", "--kube-version", "v1.33.0"], charts / directory, promise)
              for name, directory, promise in CHARTS]
    for name, flags, cwd, promise in cases:
        if not wanted(name):
            continue
        mine, other = best(ours + flags, a.rounds, cwd), best(theirs + flags, a.rounds, cwd)
        same = "same bytes" if mine[3] == other[3] else "BYTES DIFFER"
        if run(theirs + flags, cwd)[2] != other[3]:
            same = "random bytes"
        share = f"; {mine[1] / other[1]:.0%} of the memory, promised 25%" if other[1] else ""
        line(name, mine, other, promise, f"; {same}{share}")
    if wanted("corpus"):
        mine, other, differ, count = [0, 0], [0, 0], 0, 0
        for path in sorted(charts.glob("*/cases.json")):
            # One whose output varies from run to run says nothing of bytes.
            case = next((c for c in json.loads(path.read_text())["cases"] if c["args"][0] == "template"), None)
            if case is None or case.get("nondeterministic"):
                continue
            m, o = run(ours + case["args"], path.parent), run(theirs + case["args"], path.parent)
            differ += m[1:] != o[1:]
            count += 1
            mine[0], other[0] = mine[0] + m[0], other[0] + o[0]
        line("corpus", mine, other, ">= 15x", f"; {count} charts, {differ} differ")


main()
