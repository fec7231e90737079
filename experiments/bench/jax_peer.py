"""The same VRNN in JAX: jit over lax.scan, value_and_grad, optax; written as a newcomer would, and hoisted by hand.

Weights have the names of the model's state_dict, and the loss is the model's for the same weights and noise. JAX takes
its number of threads from the environment when it is first used, so that a process measures one number of threads.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from experiments.bench.shapes import Cell, Shape, make_batch, make_model

Step = Callable[[], object]
Loss = Callable[..., Any]  # of weights, x [T, B, D] and noise [T, B, Z], in nats per step
MIN_STD = 1e-4


def is_installed() -> bool:
    """Whether JAX and optax are there: the extra `jax` of the suite."""
    return all(importlib.util.find_spec(name) is not None for name in ("jax", "optax"))


def use_threads(count: int) -> None:
    """Gives JAX so many threads of the CPU, where it has not been used yet."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ["NPROC"] = str(count)  # what XLA's client reads the size of its pool from
    if count == 1:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()


def as_jax(tensor: Tensor) -> Any:
    """A copy as a JAX array."""
    import jax.numpy as jnp

    return jnp.asarray(tensor.detach().numpy().copy())


def weights_of(model: nn.Module) -> dict[str, Any]:
    """The model's weights by their names."""
    return {name: as_jax(weight) for name, weight in model.state_dict().items()}


def make_losses(cell: Cell) -> dict[str, Loss]:
    """The loss of `shapes.make_model` with a standard ELBO, by name: jax_naive and jax_hoisted."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    relu, sigmoid = jax.nn.relu, jax.nn.sigmoid

    def linear(p: Any, name: str, x: Any) -> Any:
        found = x @ p[f"{name}.weight"].T
        return found + p[f"{name}.bias"] if f"{name}.bias" in p else found

    def phi_x(p: Any, x: Any) -> Any:
        return relu(linear(p, "phi_x.2", relu(linear(p, "phi_x.0", x))))

    def phi_z(p: Any, z: Any) -> Any:
        return relu(linear(p, "phi_z.0", z))

    def joint(p: Any, net: str, from_a: Any, h: Any) -> Any:
        first = relu(from_a + linear(p, f"{net}.from_b", h))
        return linear(p, f"{net}.rest.3", relu(linear(p, f"{net}.rest.1", first)))

    def normal(params: Any) -> tuple[Any, Any]:
        mean, raw = jnp.split(params, 2, -1)
        return mean, jax.nn.softplus(raw) + MIN_STD

    def prior(p: Any, h: Any) -> tuple[Any, Any]:
        return normal(linear(p, "prior_net.2", relu(linear(p, "prior_net.0", h))))

    def posterior(p: Any, from_x: Any, h: Any) -> tuple[Any, Any]:
        return normal(joint(p, "posterior_net", from_x, h))

    def log_px(p: Any, x: Any, features: Any, h: Any) -> Any:
        logits = joint(p, "emission_net", linear(p, "emission_net.from_a", features), h)
        return logits * x - jax.nn.softplus(logits)

    def kl(q: tuple[Any, Any], r: tuple[Any, Any]) -> Any:
        ratio = q[1] / r[1]
        return 0.5 * (ratio**2 + ((q[0] - r[0]) / r[1]) ** 2 - 1.0) - jnp.log(ratio)

    def gru(p: Any, inputs: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
        (h,) = state
        recurrent, size = linear(p, "recurrence.from_h", h), h.shape[-1]
        gates = sigmoid(inputs[:, : 2 * size] + recurrent[:, : 2 * size])
        new = jnp.tanh(inputs[:, 2 * size :] + gates[:, :size] * recurrent[:, 2 * size :])
        return (new + gates[:, size:] * (h - new),)

    def lstm(p: Any, inputs: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
        h, c = state
        enter, forget, new, leave = jnp.split(inputs + linear(p, "recurrence.from_h", h), 4, -1)
        c = sigmoid(forget) * c + sigmoid(enter) * jnp.tanh(new)
        return sigmoid(leave) * jnp.tanh(c), c

    update, fields = {"gru": (gru, 1), "lstm": (lstm, 2)}[cell]

    def start(p: Any, x: Any) -> tuple[Any, ...]:
        return (jnp.zeros((x.shape[1], p["recurrence.from_h.weight"].shape[1])),) * fields

    def naive(p: Any, x: Any, noise: Any) -> Any:
        def step(carry: Any, inputs: Any) -> tuple[Any, None]:
            (state, total), (x_t, noise_t) = carry, inputs
            h, features = state[0], phi_x(p, x_t)
            q = posterior(p, linear(p, "posterior_net.from_a", features), h)
            z = phi_z(p, q[0] + q[1] * noise_t)
            total += kl(q, prior(p, h)).sum() - log_px(p, x_t, z, h).sum()
            gates = linear(p, "recurrence.from_x", features) + linear(p, "recurrence.from_z", z)
            return (update(p, gates, state), total), None

        (_, total), _ = lax.scan(step, (start(p, x), 0.0), (x, noise))
        return total / (x.shape[0] * x.shape[1])

    def hoisted(p: Any, x: Any, noise: Any) -> Any:
        def step(state: Any, inputs: Any) -> tuple[Any, Any]:
            from_x, gates, noise_t = inputs
            q = posterior(p, from_x, state[0])
            z = phi_z(p, q[0] + q[1] * noise_t)
            return update(p, gates + linear(p, "recurrence.from_z", z), state), (q, z, state[0])

        features = phi_x(p, x)
        known = linear(p, "posterior_net.from_a", features), linear(p, "recurrence.from_x", features), noise
        _, (q, z, h) = lax.scan(step, start(p, x), known)
        return (kl(q, prior(p, h)).sum() - log_px(p, x, z, h).sum()) / (x.shape[0] * x.shape[1])

    return {"jax_naive": naive, "jax_hoisted": hoisted}


def make_step(shape: Shape, cell: Cell, name: str, rate: float, max_norm: float) -> Step:
    """A whole training step: noise, loss, gradient, clip, Adam.

    Args:
      shape, cell: of the model.
      name: jax_naive or jax_hoisted.
      rate: learning rate.
      max_norm: of the gradient.
    """
    import jax
    import optax

    loss, optimizer = make_losses(cell)[name], optax.chain(optax.clip_by_global_norm(max_norm), optax.adam(rate))
    weights, x = weights_of(make_model(shape, cell)), as_jax(make_batch(shape).x.transpose(0, 1))
    state = (weights, optimizer.init(weights), jax.random.PRNGKey(0))

    def update(weights: Any, moments: Any, key: Any, x: Any) -> Any:
        key, drawn = jax.random.split(key)
        noise = jax.random.normal(drawn, (shape.T, shape.B, shape.z))
        _, gradient = jax.value_and_grad(loss)(weights, x, noise)
        changes, moments = optimizer.update(gradient, moments, weights)
        return optax.apply_updates(weights, changes), moments, key

    compiled = jax.jit(update, donate_argnums=(0, 1, 2))

    def step() -> None:
        nonlocal state
        state = jax.block_until_ready(compiled(*state, x))

    return step
