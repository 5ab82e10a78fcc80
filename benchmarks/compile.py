# SPDX-License-Identifier: BSL-1.0
# What the README's first program takes to compile, beside the Beast peer over TLS: one line of JSON for each program and
# level of optimisation. CXX names the compiler. No cache takes part.
import json
import os
import pathlib
import shlex
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent


def first_program(readme):
    text = readme.read_text()
    begin = text.index("```cpp\n") + len("```cpp\n")
    return text[begin:text.index("```", begin)]


def compile_once(source, level, flags, folder):
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    command = [*compiler, "-std=c++20", level, "-c", str(source), "-o", str(folder / "program.o"), *flags]
    begin = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(process, 0)  # with what its own children have used
    if status != 0:
        raise SystemExit("failed: " + shlex.join(command))
    return {"seconds": round(time.perf_counter() - begin, 3), "cpu_seconds": round(used.ru_utime + used.ru_stime, 3),
            "peak_mib": round(used.ru_maxrss / 1024, 1), "object_kib": (folder / "program.o").stat().st_size // 1024}


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        quickstart = folder / "readme.cpp"
        quickstart.write_text(first_program(TOP / "README.md"))
        programs = {
            "sluice": (quickstart, ["-DASIO_STANDALONE", f"-I{TOP / 'include'}"]),
            "beast": (TOP / "benchmarks/beast.cpp", ["-DBENCH_BEAST_TLS_ONLY"]),
        }
        for level in ("-O0", "-O2"):
            for mode, (source, flags) in programs.items():
                used = compile_once(source, level, flags, folder)
                print(json.dumps({"mode": mode, "level": level, **used}, separators=(",", ":")), flush=True)


main()
