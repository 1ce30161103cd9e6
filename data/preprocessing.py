"""`python -m data.preprocessing --input_dir ... --output_dir ...` is `hstmae preprocess` with the same options."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works without installing the package, too
    from hstmae.cli import main

    sys.exit(main(["preprocess", *sys.argv[1:]]))
