"""Compares two programs' CPU time and memory, whole processes side by side, and prints a table.

speed.py --gitops BIN --peer BIN --shared DIR --work DIR [--rounds N] [--only NAME,...] [--slow]

Each line is the better of N rounds; both programs must give the same bytes. --slow adds the cases that take the
original minutes. The last column says what the project promises.
"""
def size(directory):
    return sum(f.stat().st_size for f in pathlib.Path(directory).rglob("*") if f.is_file())


def synthetic(shared, work, count):
    directory = work / f"full-{count}"
    if not directory.exists():
        generator = shared / "bench/gen_kustomize.py"
        subprocess.run([sys.executable, generator, directory, str(count)], check=True, stdout=subprocess.DEVNULL)
    return directory / "overlay", directory


def kubeflow(work):
    """500 resources, 8 MB: large definitions among small objects, under an overlay with the usual fields."""
    directory = work / "kubeflow"
    if directory.exists():
        return directory / "overlay", directory
    base, overlay = directory / "base", directory / "overlay"
    base.mkdir(parents=True)
    overlay.mkdir()
    names = []
    for index in range(100):
        field = lambda n: (f"              field{n}:\n                description: The {n}th of the fields that configure what is run, "
                           f"in the words of an author who had more to say.\n                type: string\n")
        deep = "".join(field(n) + "                properties:\n" + "".join(
            f"                  part{m}:\n                    description: One of the parts of it; see the guide.\n"
            f"                    type: integer\n" for m in range(12)) for n in range(52))
        definition = (f"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: things{index}.example.com\n"
                      f"spec:\n  group: example.com\n  names:\n    kind: Thing{index}\n    plural: things{index}\n  scope: Namespaced\n"
                      f"  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n"
                      f"        properties:\n          spec:\n            type: object\n            properties:\n{deep}")
        objects = [definition]
        for n in range(2):
            name = f"app-{index}-{n}"
            objects.append(f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  selector:\n    matchLabels:\n      app: {name}\n"
                           f"  template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n      serviceAccountName: {name}\n"
                           f"      containers:\n      - name: main\n        image: example.com/{name}:1.0\n")
            objects.append(f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n")
        (base / f"part-{index}.yaml").write_text("---\n".join(objects))
        names.append(f"- part-{index}.yaml\n")
    (base / "kustomization.yaml").write_text("resources:\n" + "".join(names))
    (overlay / "kustomization.yaml").write_text(
        "resources:\n- ../base\nnamespace: kubeflow\nlabels:\n- pairs:\n    part-of: kubeflow\n  includeSelectors: true\n"
        "commonAnnotations:\n  owner: ml\nimages:\n- name: example.com/app-0-0\n  newTag: v2\n"
        "patches:\n- target:\n    kind: Deployment\n  patch: |-\n    - op: add\n      path: /spec/replicas\n      value: 2\n")
    return overlay, directory


def real(work, shared):
    for cases in sorted((unpack(work, shared) / "kustomize/real").glob("*/cases.json")):
        for case in json.loads(cases.read_text())["cases"]:
            if "expected" in case:
                yield cases.parent / "fs" / case["build_path"]


def main():
    a, wanted = arguments()
    ours, theirs = [str(a.gitops), "kustomize", "build"], [str(a.peer), "build"]
    heading()
    if wanted("start"):
        line("start", best([str(a.gitops), "--version"], 20), best([str(a.peer), "version"], 20), "<= 3 ms")
    if wanted("real"):
        # Each program builds everything after itself, as a pipeline does, and then the two alternate: a large one
        # leaves the next a cold processor cache.
        builds = [[str(d), "--load-restrictor", "LoadRestrictionsNone"] for d in real(a.work, a.shared)]
        passes = lambda program: min(sum(run(program + flags)[0] for flags in builds) for _ in range(a.rounds))
        line("real", [passes(ours), 0], [passes(theirs), 0], ">= 20x")
        mine, other, differ = [0, 0], [0, 0], 0
        for flags in builds:
            m, o = run(ours + flags), run(theirs + flags)
            differ += m[2] != o[2]
            mine[0], other[0] = mine[0] + m[0], other[0] + o[0]
        line("real, alternating", mine, other, "", f"{differ} differ")
    cases = [("kubeflow", kubeflow(a.work), True, ">= 40x")]
    for count, compare, promise in ((4, True, ""), (1000, True, ">= 70x"), (5000, a.slow, ">= 400x"), (40000, False, "flat within 1.3x")):
        cases.append((f"full-{count}", synthetic(a.shared, a.work, count), compare, promise))
    for name, (directory, everything), compare, promise in cases:
        if not wanted(name):
            continue
        mine = best(ours + [str(directory)], a.rounds)
        other = best(theirs + [str(directory)], 1 if "5000" in name else a.rounds) if compare else None
        if mine[2] != 0:
            sys.exit(f"{name}: ours failed")
        same = "" if other is None else "; same bytes" if mine[3] == other[3] else "; BYTES DIFFER"
        bound = 3 * (size(everything) + len(mine[3])) + 10 * 2**20
        objects = mine[3].count(b"\n---\n") + 1
        line(name, mine, other, promise, f"{same}; {mine[0] / objects * 1e6:.0f} us per object; memory {mine[1] / bound:.0%} of what is promised")


main()
