"""The baseline: the VRNN as it is usually written in PyTorch.

Its structure is that of the widely forked emited/VariationalRecurrentNeuralNetwork: every net is called inside the time
loop, nn.GRU is called for one step, all results go to lists, and the losses are added up step by step. It has our
layout and our parametrisation of the standard deviations, so that with the same weights and noise its loss is ours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrnn.models.vrnn import VRNN

Layer = type[nn.GRU] | type[nn.LSTM]


class PerStepLoop(nn.Module):
    """The VRNN of `shapes.make_model`.

    Args:
      x_dim, h_dim, z_dim: sizes; all nets are as wide as h_dim.
      cell: nn.GRU or nn.LSTM.
      min_std: smallest standard deviation of prior and posterior.
    """

    def __init__(self, x_dim: int, h_dim: int, z_dim: int, cell: Layer = nn.GRU, min_std: float = 1e-4):
        super().__init__()
        self.h_dim = h_dim
        self.min_std = min_std
        self.phi_x = nn.Sequential(nn.Linear(x_dim, h_dim), nn.ReLU(), nn.Linear(h_dim, h_dim), nn.ReLU())
        self.phi_z = nn.Sequential(nn.Linear(z_dim, h_dim), nn.ReLU())
        self.enc = nn.Sequential(nn.Linear(h_dim + h_dim, h_dim), nn.ReLU(), nn.Linear(h_dim, h_dim), nn.ReLU())
        self.enc_mean = nn.Linear(h_dim, z_dim)
        self.enc_std = nn.Sequential(nn.Linear(h_dim, z_dim), nn.Softplus())
        self.prior = nn.Sequential(nn.Linear(h_dim, h_dim), nn.ReLU())
        self.prior_mean = nn.Linear(h_dim, z_dim)
        self.prior_std = nn.Sequential(nn.Linear(h_dim, z_dim), nn.Softplus())
        self.dec = nn.Sequential(nn.Linear(h_dim + h_dim, h_dim), nn.ReLU(), nn.Linear(h_dim, h_dim), nn.ReLU())
        self.dec_mean = nn.Sequential(nn.Linear(h_dim, x_dim), nn.Sigmoid())
        self.rnn = cell(h_dim + h_dim, h_dim)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """x [B, T, D], noise [B, T, Z] -> loss in nats per step."""
        kld_loss = nll_loss = torch.zeros((), device=x.device)
        all_enc_mean, all_enc_std, all_dec_mean = [], [], []
        zeros = torch.zeros(1, x.size(0), self.h_dim, device=x.device)
        state = (zeros, zeros) if isinstance(self.rnn, nn.LSTM) else zeros
        for t in range(x.size(1)):
            h = state[0][-1] if isinstance(self.rnn, nn.LSTM) else state[-1]
            phi_x_t = self.phi_x(x[:, t])
            enc_t = self.enc(torch.cat([phi_x_t, h], 1))
            enc_mean_t, enc_std_t = self.enc_mean(enc_t), self.enc_std(enc_t) + self.min_std
            prior_t = self.prior(h)
            prior_mean_t, prior_std_t = self.prior_mean(prior_t), self.prior_std(prior_t) + self.min_std
            z_t = noise[:, t].mul(enc_std_t).add(enc_mean_t)
            phi_z_t = self.phi_z(z_t)
            dec_mean_t = self.dec_mean(self.dec(torch.cat([phi_z_t, h], 1)))
            _, state = self.rnn(torch.cat([phi_x_t, phi_z_t], 1).unsqueeze(0), state)
            kld_loss = kld_loss + self._kld_gauss(enc_mean_t, enc_std_t, prior_mean_t, prior_std_t)
            nll_loss = nll_loss + F.binary_cross_entropy(dec_mean_t, x[:, t], reduction="sum")
            all_enc_mean.append(enc_mean_t)
            all_enc_std.append(enc_std_t)
            all_dec_mean.append(dec_mean_t)
        return (kld_loss + nll_loss) / (x.size(0) * x.size(1))

    @staticmethod
    def _kld_gauss(mean_1: Tensor, std_1: Tensor, mean_2: Tensor, std_2: Tensor) -> Tensor:
        element = (
            2 * torch.log(std_2) - 2 * torch.log(std_1) + (std_1.pow(2) + (mean_1 - mean_2).pow(2)) / std_2.pow(2) - 1
        )
        return 0.5 * torch.sum(element)

    @torch.no_grad()
    def take_weights(self, model: VRNN) -> None:
        """Makes this the same function as `model`."""

        theirs = model.state_dict()
        ours = {name: theirs[name] for name in theirs if name.startswith(("phi_x.", "phi_z."))}
        for net, name in (("posterior_net", "enc"), ("emission_net", "dec")):  # what reads two vectors
            weights = [theirs[f"{net}.from_a.weight"], theirs[f"{net}.from_b.weight"]]
            ours |= {f"{name}.0.weight": torch.cat(weights, 1), f"{name}.0.bias": theirs[f"{net}.from_a.bias"]}
        weights = [theirs["recurrence.from_x.weight"], theirs["recurrence.from_z.weight"]]
        ours["rnn.weight_ih_l0"] = torch.cat(weights, 1)
        ours |= {"rnn.bias_ih_l0": theirs["recurrence.from_x.bias"], "rnn.bias_hh_l0": theirs["recurrence.from_h.bias"]}
        ours["rnn.weight_hh_l0"] = theirs["recurrence.from_h.weight"]
        for part in ("weight", "bias"):
            for net, name in (
                ("posterior_net.rest.1", "enc.2"),
                ("prior_net.0", "prior.0"),
                ("emission_net.rest.1", "dec.2"),
            ):
                ours[f"{name}.{part}"] = theirs[f"{net}.{part}"]
            ours[f"dec_mean.0.{part}"] = theirs[f"emission_net.rest.3.{part}"]
            for net, name in (("posterior_net.rest.3", "enc"), ("prior_net.2", "prior")):
                ours[f"{name}_mean.{part}"], ours[f"{name}_std.0.{part}"] = theirs[f"{net}.{part}"].chunk(2)
        self.load_state_dict(ours)
