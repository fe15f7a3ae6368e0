"""python -m lab.kube: build the programs of the lab's clusters, and print where they are."""

import sys

from lab.kube.build import PROGRAMS, BuildError, build


def main(names):
    unknown = sorted(set(names) - set(PROGRAMS))
    if unknown:
        print(f"lab.kube: no program is named {unknown[0]}; known: {', '.join(PROGRAMS)}",
              file=sys.stderr)
        return 2
    try:
        for path in build(*names, tell=lambda text: print(text, file=sys.stderr)).values():
            print(path)
    except BuildError as error:
        print(f"lab.kube: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
