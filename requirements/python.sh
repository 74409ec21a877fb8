#!/bin/sh
# Print a Python that can serve: `sh requirements/python.sh UV_VERSION [PYTHON]`.
#
# That is 3.10 to 3.12 with venv and a shared libpython, which Triton runs Python models with. Not
# 3.13: its process in the server's wheel is linked with a libpython that lacks modules, and reads
# the arrays of NumPy 2 wrongly; NumPy 1.26 is not built for it. PYTHON is taken if it fits; without
# it the first one on PATH that does, else 3.12 from uv, whose builds carry their libpython.
set -eu

fits='
import ctypes, pathlib, sys, sysconfig
version = "%d.%d" % sys.version_info[:2]
if version not in ("3.10", "3.11", "3.12"):
    sys.exit("it is Python " + version)
try:
    import ensurepip, venv
except ImportError:
    sys.exit("it lacks venv")
name = "libpython" + version + ".so.1.0"
folders = str(sysconfig.get_config_var("LIBDIR")), sys.base_prefix + "/lib"
try:
    any(pathlib.Path(folder, name).is_file() for folder in folders) or ctypes.CDLL(name)
except OSError:
    sys.exit("it lacks " + name)
print(sys.executable)
'
needed="Python 3.10 to 3.12 with venv and a shared libpython (Debian 12, Ubuntu 22.04 and 24.04: \
python3-venv and libpython3-dev; pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared)"

if [ -n "${2:-}" ]; then
    if why=$("$2" -I -c "$fits" 2>&1); then
        echo "$why"
        exit
    fi
    echo "$2 cannot serve: $why; expected $needed" >&2
    exit 1
fi

for name in python3 python3.12 python3.11 python3.10; do
    IFS=:
    for folder in $PATH; do
        "$folder/$name" -I -c "$fits" 2>/dev/null && exit
    done
    unset IFS
done

# As a package, uv needs no more than what any Python 3 with venv has.
helper=$(mktemp -d)
trap 'rm -rf "$helper"' EXIT
from_uv() {
    uv=$(command -v uv) || {
        python3 -m venv "$helper/venv" &&
            "$helper/venv/bin/python" -m pip install --quiet "uv==$1" &&
            uv=$helper/venv/bin/uv
    } >&2 || return
    "$uv" python install 3.12 >&2 && python=$("$uv" python find --managed-python 3.12) &&
        "$python" -I -c "$fits"
}
echo "no Python on PATH can serve: having uv install 3.12" >&2
from_uv "$1" 2>"$helper/why" && exit
why=$(grep --ignore-case --max-count=1 --extended-regexp 'error|not ' "$helper/why" || true)
echo "uv could not install Python 3.12 (${why#error: }): let it reach its downloads" \
    "(UV_PYTHON_INSTALL_MIRROR names a mirror), or install $needed and name it with PYTHON=... if it" \
    "is not on PATH" >&2
exit 1
