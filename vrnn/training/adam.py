"""Adam and AdamW by torch's fused kernel alone: torch.optim's numbers and state, without what it does around them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor

KINDS: tuple[Any, ...] = (torch.optim.Adam, torch.optim.AdamW)
UNUSUAL = ("amsgrad", "maximize", "foreach", "capturable", "differentiable")  # options that are left to torch


class Optimizer(Protocol):
    """What training needs of an optimizer; each of torch.optim has it."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...

    def step(self) -> object: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> object: ...


def make_optimizer(build: Callable[..., torch.optim.Optimizer], parameters: Iterable[Tensor]) -> Optimizer:
    """What `build` makes of the parameters; in place of fused Adam or AdamW of the usual options, `Adam`.

    Args:
      build: such as a partial of torch.optim.Adam; options that are wrong are left to it, and it says so.
      parameters: all that are trained.

    Raises:
      ValueError, TypeError, RuntimeError: what `build` raises.
    """
    leaves = list(parameters)
    if isinstance(build, functools.partial) and build.func in KINDS and not build.args and leaves:
        known = {name: each.default for name, each in inspect.signature(build.func).parameters.items()}
        options = {**known, **build.keywords}
        del options["params"]
        if options.keys() <= known.keys() and _is_usual(options) and _are_alike(leaves):
            # Adam has this as an argument, AdamW takes it for granted.
            return Adam(leaves, {"decoupled_weight_decay": build.func is torch.optim.AdamW, **options})
    return build(leaves)


def _is_usual(options: dict[str, Any]) -> bool:
    """Whether `Adam` does all that these options ask for, and no value is wrong."""
    rate, betas, eps, decay = (options[name] for name in ("lr", "betas", "eps", "weight_decay"))
    return (
        options["fused"] is True
        and not any(options[name] for name in UNUSUAL)
        and all(isinstance(value, int | float) and value >= 0.0 for value in (rate, eps, decay))
        and isinstance(betas, list | tuple)
        and len(betas) == 2
        and all(isinstance(beta, float) and 0.0 <= beta < 1.0 for beta in betas)
    )


def _are_alike(parameters: list[Tensor]) -> bool:
    """Whether the kernel takes all of them in one call."""
    first = parameters[0]
    if first.device.type not in ("cpu", "cuda") or not first.is_floating_point():
        return False
    kind = first.device, first.dtype, first.layout
    return all((leaf.device, leaf.dtype, leaf.layout) == kind for leaf in parameters)


class Adam:
    """Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), with the numbers and the state of torch.optim.

    A step is one call of the kernel; torch.optim's takes twice as long at small sizes, and its first use imports
    torch's compiler, for more than a second.

    Args:
      parameters: of one device and type.
      options: those of torch.optim.Adam, all of them.

    Attributes:
      param_groups: one, as torch.optim has it; its options may be changed between steps.
    """

    def __init__(self, parameters: list[Tensor], options: dict[str, Any]):
        self.parameters = parameters
        self.param_groups: list[dict[str, Any]] = [{"params": parameters, **options, "betas": tuple(options["betas"])}]
        self.state: dict[int, dict[str, Tensor]] = {}  # by number, of those parameters that ever had a gradient

    @torch.no_grad()
    def step(self) -> None:
        """Updates every parameter that has a gradient."""
        group = self.param_groups[0]
        grads = {number: leaf.grad for number, leaf in enumerate(self.parameters) if leaf.grad is not None}
        if not grads:
            return
        states = [self.state.get(number) or self._begin(number) for number in grads]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
        kernel(
            [self.parameters[number] for number in grads],
            list(grads.values()),
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

    def _begin(self, number: int) -> dict[str, Tensor]:
        """The state of a parameter before its first step."""
        leaf = self.parameters[number]
        self.state[number] = {
            "step": torch.zeros((), dtype=torch.float32, device=leaf.device),
            "exp_avg": torch.zeros_like(leaf, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(leaf, memory_format=torch.preserve_format),
        }
        return self.state[number]

    def state_dict(self) -> dict[str, Any]:
        """As torch.optim.Adam has it: tensors by the number of their parameter, and the options."""
        numbers = list(range(len(self.parameters)))
        groups = [{**group, "params": numbers} for group in self.param_groups]
        return {"state": {number: dict(state) for number, state in sorted(self.state.items())}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what this class or torch.optim has saved; the options are the saved ones, as torch has it.

        Raises:
          ValueError: it is of other parameters.
        """
        groups = state_dict["param_groups"]
        if len(groups) != 1 or len(groups[0]["params"]) != len(self.parameters):
            raise ValueError(
                f"an optimizer of {len(self.parameters)} parameters in one group was expected, "
                f"got {[len(group['params']) for group in groups]}"
            )
        self.param_groups[0].update({name: value for name, value in groups[0].items() if name != "params"})
        self.state = {}
        for number, saved in zip(groups[0]["params"], range(len(self.parameters)), strict=True):
            if number in state_dict["state"]:
                leaf, found = self.parameters[saved], state_dict["state"][number]
                self.state[saved] = {
                    "step": torch.as_tensor(found["step"], dtype=torch.float32, device=leaf.device).clone(),
                    **{name: found[name].to(leaf, copy=True) for name in ("exp_avg", "exp_avg_sq")},
                }
