"""How kernels are compiled, and the two instructions that numba has no name for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit
from numba.extending import intrinsic

from complaint_model import hashing
from complaint_model.hashing import SEPARATOR, ZERO

BLOCK = 16  # bytes folded at a time

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile at the first call, cache on disk if a folder can be written, and run without the interpreter's lock."""
    try:
        return cast("_Function", njit(cache=True, nogil=True)(function))
    except RuntimeError:  # "no locator available": there is no folder for the cache
        return cast("_Function", njit(nogil=True)(function))


mix: Any = njit(nogil=True)(hashing.mix)  # of one number, where NumPy takes arrays


def _fold_block(_typing: Any, data: Any, position: Any, digit_before: Any, letters: Any, length: Any) -> Any:
    """Build `fold_block` (see its comment) in LLVM's intermediate language."""
    from llvmlite import ir  # noqa: PLC0415 - for the compiler only
    from numba.core import types  # noqa: PLC0415

    octets, codes, bits = ir.VectorType(ir.IntType(8), BLOCK), ir.VectorType(ir.IntType(32), BLOCK), ir.IntType(BLOCK)

    def all_of(value: int) -> Any:
        return ir.Constant(octets, [value] * BLOCK)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def block_of(array: int, kind: Any) -> Any:
            start = context.make_array(signature.args[array])(context, builder, arguments[array]).data
            return builder.bitcast(builder.gep(start, [arguments[array + 1]]), kind.as_pointer())

        byte = builder.load(block_of(0, octets), align=1)
        lower = builder.or_(byte, all_of(0x20))
        letter = builder.icmp_unsigned("<", builder.sub(lower, all_of(ord("a"))), all_of(26))
        digit = builder.icmp_unsigned("<", builder.sub(byte, all_of(ord("0"))), all_of(10))
        odd = builder.icmp_unsigned(">=", byte, all_of(0x80))
        for skipped in b"'`_":
            odd = builder.or_(odd, builder.icmp_unsigned("==", byte, all_of(skipped)))
        digits = builder.bitcast(digit, bits)
        repeated = builder.and_(digits, builder.or_(builder.shl(digits, bits(1)), builder.trunc(arguments[2], bits)))
        folded = builder.select(letter, lower, builder.select(digit, all_of(ZERO), all_of(SEPARATOR)))
        builder.store(builder.zext(folded, codes), block_of(3, codes), align=4)
        plain = builder.cttz(builder.or_(builder.bitcast(odd, bits), repeated), ir.IntType(1)(0))
        return builder.zext(plain, ir.IntType(64))

    return types.uint64(data, position, digit_before, letters, length), build


# fold_block(data, position, digit_before, letters, length): fold the BLOCK bytes data[position:] into letters[length:] with vector
# instructions, which compilers do not find by themselves. Returns how many of them, from the first on, are plain: ASCII, and a letter, a
# separator or the first digit of a number. The caller overwrites the rest. `digit_before` is 1 after a digit that was kept, else 0.
#
#     data[position:]       O  n     1  2  /  0  3  ,     i  t  '  s     o
#     letters[length:]      o  n  .  0  0  .  0  0  .  .  i  t  .  s  .  o      (. is SEPARATOR)
#     not plain                         ^        ^              ^               a repeated digit, another one, an apostrophe
#     returned: 4           o  n  .  0
fold_block: Any = intrinsic(_fold_block)


def _prefetch(_typing: Any, array: Any, _place: Any) -> Any:
    """Build `prefetch` in LLVM's intermediate language."""
    from llvmlite import ir  # noqa: PLC0415 - for the compiler only
    from numba.core import cgutils, types  # noqa: PLC0415

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind)
        builder.call(fetch, [pointer, number(0), number(3), number(1)])  # to read, to keep, data
        return context.get_dummy_value()

    return types.void(array, types.uint64), build


# prefetch(array, place): ask the memory for array[place] (one dimension, uint64 place) without waiting for it.
prefetch: Any = intrinsic(_prefetch)
