"""The compiled code that runs programs: made by LLVM for this CPU once, and kept in the user's cache.

`run(program, operations, start, step, turns, rows)` does the operations one after the other, at every time step, for
all rows of the batch.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from vrnn.compiled.cache import kept
from vrnn.compiled.emit import Loop, function, numbers
from vrnn.compiled.operations import PRODUCT, WIDTH
from vrnn.compiled.products import NARROW, WIDE, Tiling, pack, product
from vrnn.compiled.rows import OPERATIONS, each
from vrnn.compiled.vectors import I64, KINDS


class Target(NamedTuple):
    """What code is made for.

    Attributes:
      triple: system and architecture.
      cpu, features: as LLVM names them.
    """

    triple: str
    cpu: str
    features: str

    @classmethod
    def of_host(cls) -> Target:
        features = llvm.get_host_cpu_features()
        return cls(llvm.get_process_triple(), llvm.get_host_cpu_name(), features.flatten() if features else "")

    @property
    def tiling(self) -> Tiling:
        return WIDE if "+avx512f" in self.features.split(",") else NARROW

    def machine(self) -> llvm.TargetMachine:
        found = llvm.Target.from_triple(self.triple)
        return found.create_target_machine(cpu=self.cpu, features=self.features, opt=3, jit=True)


class Machine(NamedTuple):
    """Compiled code for one type of numbers.

    Attributes:
      run, pack: see this module, and `vrnn.compiled.products`; they take int64.
      panel: columns of a panel of packed weights.
      seconds: that compiling took; 0: it lay in the cache.
      engine: holds the code.
    """

    run: Callable[..., None]
    pack: Callable[..., None]
    panel: int
    seconds: float
    engine: llvm.ExecutionEngine


def source(kind_name: str, target: Target) -> str:
    """The module as LLVM IR."""
    kind, module = KINDS[kind_name], ir.Module("vrnn")
    module.triple = target.triple
    known = {number: each(module, kind, operation) for number, operation in OPERATIONS.items()}
    known[PRODUCT] = product(module, kind, target.tiling)
    pack(module, kind)

    def emit(b: ir.IRBuilder, arguments: Sequence[ir.Value]) -> None:
        program, count, start, step, turns, rows = arguments
        with Loop(b, I64(0), turns, I64(1)) as turn, Loop(b, I64(0), count, I64(1)) as number:
            time = b.add(start, b.mul(turn, step))
            operation = b.add(program, b.mul(number, I64(8 * WIDTH)))
            done = b.append_basic_block("done")
            choice = b.switch(numbers(b, operation, [0])[0], done)
            for code, made in known.items():
                block = b.append_basic_block(made.name)
                choice.add_case(I64(code), block)
                b.position_at_end(block)
                b.call(made, [operation, time, rows])
                b.branch(done)
            b.position_at_end(done)

    function(module, "run", 6, emit, exported=True)
    return str(module)


def object_code(text: str, target: Target) -> bytes:
    """Compiles a module."""
    machine = target.machine()
    module = llvm.parse_assembly(text)
    module.data_layout = str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)


@functools.cache
def machine(kind_name: str, target: Target | None = None) -> Machine:
    """The code for float32 or float64: from the cache, or compiled, and then kept there if that can be."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = target or Target.of_host()
    started = time.monotonic()
    sources = b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
    about = repr((kind_name, target, llvmlite.__version__, llvm.llvm_version_info)).encode()
    name = f"{kind_name}-{hashlib.sha256(sources + about).hexdigest()[:32]}.o"
    code, was_kept = kept(name, lambda: object_code(source(kind_name, target), target))
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target.machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    run, pack_weight = (
        ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * count)(engine.get_function_address(name))
        for name, count in (("run", 6), ("pack", 7))
    )
    seconds = 0.0 if was_kept else time.monotonic() - started
    return Machine(run, pack_weight, KINDS[kind_name].lanes * target.tiling.vectors, seconds, engine)
